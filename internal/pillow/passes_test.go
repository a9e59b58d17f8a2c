package pillow

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"os"
	"strings"
	"testing"
)

// TestPasses: Pillow 13.0.0's pixels where Pillow13 is set, and those of 12.3.0 otherwise
// (testdata/passes.py).
func TestPasses(t *testing.T) {
	text, err := os.ReadFile("testdata/passes.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, differ := 0, 0
	for line := range strings.Lines(string(text)) {
		if line[0] == '#' {
			continue
		}
		var mode, filter string
		var w, h, toW, toH int
		var want [2]uint32
		if _, err := fmt.Sscan(line, &mode, &filter, &w, &h, &toW, &toH); err != nil {
			t.Fatal(err)
		}
		sums := strings.Fields(line)[6:]
		for i, sum := range sums {
			if _, err := fmt.Sscanf(sum, "%x", &want[i]); err != nil {
				t.Fatal(err)
			}
		}
		cases++
		if want[0] != want[1] {
			differ++
		}
		for i, version := range []string{"13.0.0", "12.3.0"} {
			f := Fit{Size: [2]int{toH, toW}, Resize: Squash, Filter: filterNamed(t, filter), Pillow13: i == 0}
			dst := make([]uint8, 4*toW*toH)
			if err := f.Render(dst, drawn(mode, w, h)); err != nil {
				t.Fatal(err)
			}
			rgb := make([]byte, 0, 3*toW*toH)
			for at := 0; at < len(dst); at += 4 {
				rgb = append(rgb, dst[at:at+3]...)
			}
			if got := crc32.ChecksumIEEE(rgb); got != want[i] {
				t.Errorf("Pillow %s, %s: got %08x", version, strings.TrimSpace(line), got)
			}
		}
	}
	if cases != 200 || differ < 20 {
		t.Errorf("%d cases, of which the two versions make something else of %d", cases, differ)
	}
}

func filterNamed(t *testing.T, name string) Filter {
	t.Helper()
	f, ok := map[string]Filter{"bicubic": Bicubic, "lanczos": Lanczos, "bilinear": Bilinear, "box": Box, "hamming": Hamming}[name]
	if !ok {
		t.Fatalf("no filter %s", name)
	}
	return f
}

// drawn is the image that passes.py draws.
func drawn(mode string, w, h int) image.Image {
	r := image.Rect(0, 0, w, h)
	var pix [][4]uint8
	for y := range uint32(h) {
		for x := range uint32(w) {
			var px [4]uint8
			for c := range uint32(4) {
				px[c] = uint8((x*x*7 + y*y*13 + x*y*5 + c*101) * 2654435761 >> 17)
			}
			pix = append(pix, px)
		}
	}
	switch mode {
	case "L":
		img := image.NewGray(r)
		for i, px := range pix {
			img.Pix[i] = px[0]
		}
		return img
	case "I;16":
		img := image.NewGray16(r)
		for i, px := range pix {
			binary.BigEndian.PutUint16(img.Pix[2*i:], uint16(px[0])<<8|uint16(px[1]))
		}
		return img
	}
	flat := make([]uint8, 0, 4*len(pix))
	for _, px := range pix {
		if mode == "RGB" {
			px[3] = 255
		}
		flat = append(flat, px[:]...)
	}
	switch mode {
	case "CMYK":
		return &image.CMYK{Pix: flat, Stride: 4 * w, Rect: r}
	case "RGB":
		return &image.RGBA{Pix: flat, Stride: 4 * w, Rect: r}
	}
	return &image.NRGBA{Pix: flat, Stride: 4 * w, Rect: r}
}
