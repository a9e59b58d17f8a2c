package pillow

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"os"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

// tensors reads the uint8 tensors of a safetensors file.
func tensors(t testing.TB, path string) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(data)
	var head map[string]struct {
		Dtype       string
		DataOffsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[8:8+n], &head); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for name, info := range head {
		if info.Dtype == "U8" {
			out[name] = data[8+n:][info.DataOffsets[0]:info.DataOffsets[1]]
		}
	}
	return out
}

// opaqueRGB is what Pillow's convert("RGB") gives: alpha is dropped.
func opaqueRGB(img image.Image) []byte {
	if k, ok := img.(*Keyed); ok {
		img = k.Opaque
	}
	b := img.Bounds()
	var out []byte
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			switch c := img.At(x, y).(type) {
			case color.NRGBA:
				out = append(out, c.R, c.G, c.B)
			case color.Gray16:
				v := uint8(min(c.Y, 255))
				out = append(out, v, v, v)
			case color.CMYK:
				for _, ink := range []uint8{c.C, c.M, c.Y} {
					p := int(ink)*(255-int(c.K)) + 128
					out = append(out, uint8(max(255-int(c.K)-(p>>8+p)>>8, 0)))
				}
			default:
				r, g, b, _ := c.RGBA()
				out = append(out, uint8(r>>8), uint8(g>>8), uint8(b>>8))
			}
		}
	}
	return out
}

// distance returns the mean and the largest difference of two images.
func distance(a, b []byte) (mean float64, worst int) {
	sum := 0
	for i := range a {
		d := int(a[i]) - int(b[i])
		d = max(d, -d)
		sum += d
		worst = max(worst, d)
	}
	return float64(sum) / float64(len(a)), worst
}

func TestDecodedAsPillow(t *testing.T) {
	want := tensors(t, golden.Fixtures(t, "preprocess", "decoded.safetensors"))
	n := 0
	for name, rgb := range want {
		if len(name) < 4 || name[:4] != "rgb/" {
			continue
		}
		n++
		t.Run(name[4:], func(t *testing.T) {
			img, err := DecodeFile(golden.Fixtures(t, "preprocess", "images", name[4:]), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got := opaqueRGB(img)
			if len(got) != len(rgb) {
				t.Fatalf("%T of %v: %d bytes, want %d", img, img.Bounds(), len(got), len(rgb))
			}
			if mean, worst := distance(got, rgb); worst != 0 {
				t.Errorf("%T: mean difference %.3f, largest %d, want none", img, mean, worst)
			}
		})
	}
	if n == 0 {
		t.Fatal("no image in decoded.safetensors")
	}
}

// TestAsPillow: the files of testdata have Pillow's pixels and, in the type of
// the image, its mode (see make.py there).
func TestAsPillow(t *testing.T) {
	types := map[string]string{
		"1": "*image.Paletted", "P": "*image.Paletted", "L": "*image.Gray", "RGB": "*image.RGBA", "RGBA": "*image.NRGBA",
	}
	reference, err := os.ReadFile("testdata/reference.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(reference)), "\n")
	if len(lines) != 25 {
		t.Errorf("%d files, want 25", len(lines))
	}
	for _, line := range lines {
		field := strings.Fields(line)
		img, err := DecodeFile("testdata/"+field[0], Limits{})
		if err != nil {
			t.Error(err)
			continue
		}
		opaque := Stored(img)
		if keyed, ok := img.(*Keyed); ok {
			opaque = keyed.Opaque
		}
		if got, want := fmt.Sprintf("%T", opaque), types[field[1]]; got != want {
			t.Errorf("%s: got %s, want %s", field[0], got, want)
		}
		sum := sha256.Sum256(opaqueRGB(img))
		if got := hex.EncodeToString(sum[:]); got != field[2] {
			t.Errorf("%s: pixels hash to %s, want %s", field[0], got, field[2])
		}
	}
	data, err := os.ReadFile("testdata/turned.webp")
	if err != nil {
		t.Fatal(err)
	}
	if got := Orientation(data); got != 6 {
		t.Errorf("turned.webp: orientation %d, want 6", got)
	}
}
