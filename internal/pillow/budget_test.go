package pillow

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// What decoding may take, as vision.DecodeOptions promises it.
const (
	budgetBase  = 32 << 20
	budgetWebP  = 256 << 20
	budgetPixel = 5
	budgetCoded = 16 // of a pixel of JPEG or WebP, whose planes and coefficients are kept
)

// TestBudgetProcess is not a test: it reads one file in a process of its own.
func TestBudgetProcess(t *testing.T) {
	path := os.Getenv("GOCLIP_BUDGET")
	if path == "" {
		t.Skip("for TestBudget")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	debug.SetGCPercent(10) // what is taken counts, not what waits to be collected
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	img, err := DecodeBytes(data, Limits{})
	runtime.ReadMemStats(&after)
	pixels := 0
	if err == nil {
		size := img.Bounds().Size()
		pixels = size.X * size.Y
	}
	fmt.Printf("budget: %d pixels, peak %d, total %d\n", pixels, after.Sys-before.Sys, after.TotalAlloc-before.TotalAlloc)
	fmt.Printf("budget: %v\n", err)
}

// TestBudget measures, each in a process of its own, how much memory files take that say
// more than they hold, and honest ones.
func TestBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("some of the images have 16 million pixels")
	}
	dir := t.TempDir()
	files := map[string][]byte{
		"deep.png":         deepPNG(4096, 4096),
		"deep.tiff":        deepTIFF(4096, 4096),
		"progressive.jpeg": progressiveJPEG(t),
		"baseline.jpeg":    photograph(t, 2048, 2048),
		"runs.bmp":         jumpingBMP(30_000, 5_000),
		"tile.tiff":        oneTile(1000),
	}
	var paths []string
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	if shared := os.Getenv("GOCLIP_SHARED"); shared != "" {
		for _, name := range []string{"bmprle.bmp", "png16.png", "tiffdeflate16.tif", "tile1000.tif"} {
			paths = append(paths, filepath.Join(shared, "cases", "attack", name))
		}
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) { budget(t, path) })
	}
}

func budget(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(os.Args[0], "-test.run=^TestBudgetProcess$", "-test.v")
	run.Env = append(os.Environ(), "GOCLIP_BUDGET="+path)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, said, ok := strings.Cut(string(out), "budget: ")
	var pixels, peak, total int
	if _, err := fmt.Sscanf(said, "%d pixels, peak %d, total %d", &pixels, &peak, &total); !ok || err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, reason, _ := strings.Cut(said, "budget: ")
	each := budgetPixel
	if f := sniff(data); f.name == "jpeg" || f.name == "webp" {
		each = budgetCoded
	}
	if most := budgetBase + len(data) + each*pixels; peak > most || total > most {
		t.Errorf("%d bytes of %d pixels: peak %d, in all %d, want at most %d", len(data), pixels, peak, total, most)
	}
	line, _, _ := strings.Cut(reason, "\n")
	t.Logf("%d bytes, %d pixels: peak %.1f MB, in all %.1f MB: %s", len(data), pixels, float64(peak)/1e6, float64(total)/1e6, line)
}

func deflated(data []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(data) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// deepPNG is a black image of 16 bits a channel with alpha.
func deepPNG(width, height int) []byte {
	rows := make([]byte, height*(1+8*width))
	return pngFile("IHDR", ihdr(uint32(width), uint32(height), 16, 6), "IDAT", string(deflated(rows)), "IEND", "")
}

// tiffWith is a TIFF of data and a directory of pairs of tags and values.
func tiffWith(data []byte, tags ...uint32) []byte {
	out := binary.LittleEndian.AppendUint32([]byte("II*\x00"), uint32(8+len(data)))
	out = append(out, data...)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(tags)/2))
	for i := 0; i < len(tags); i += 2 {
		out = binary.LittleEndian.AppendUint16(out, uint16(tags[i]))
		out = append(out, 4, 0, 1, 0, 0, 0)
		out = binary.LittleEndian.AppendUint32(out, tags[i+1])
	}
	return append(out, 0, 0, 0, 0)
}

// deepTIFF is a black image of 16 bits a sample.
func deepTIFF(width, height int) []byte {
	data := deflated(make([]byte, 2*width*height))
	return tiffWith(data, tagWidth, uint32(width), tagHeight, uint32(height), tagBits, 16, tagCompression, uint32(tiffDeflate),
		tagPhotometric, blackIsZero, tagStripOffsets, 8, tagSamples, 1, tagRowsPerStrip, uint32(height), tagStripByteCounts, uint32(len(data)))
}

// oneTile is a row of n tiles, much higher than the image, that are all the same data.
func oneTile(n int) []byte {
	data := deflated(make([]byte, 1<<24))
	offsets := make([]byte, 0, 8*n)
	for range n {
		offsets = binary.LittleEndian.AppendUint32(offsets, 8)
	}
	for range n {
		offsets = binary.LittleEndian.AppendUint32(offsets, uint32(len(data)))
	}
	f := tiffWith(append(data, offsets...), tagWidth, uint32(16*n), tagHeight, 1, tagBits, 8, tagCompression, uint32(tiffDeflate),
		tagPhotometric, blackIsZero, tagSamples, 1, tagTileWidth, 16, tagTileHeight, 1<<20, tagTileOffsets, uint32(8+len(data)), tagTileByteCounts, uint32(8+len(data)+4*n))
	entries := f[8+len(data)+len(offsets)+2:]
	for i := range 2 {
		binary.LittleEndian.PutUint32(entries[12*(8+i)+4:], uint32(n))
	}
	return f
}

// jumpingBMP has run lengths that leave all pixels out.
func jumpingBMP(width, height int) []byte {
	out := make([]byte, 54+4*256)
	copy(out, "BM")
	le := binary.LittleEndian
	le.PutUint32(out[10:], uint32(len(out)))
	le.PutUint32(out[14:], 40)
	le.PutUint32(out[18:], uint32(width))
	le.PutUint32(out[22:], uint32(height))
	le.PutUint16(out[26:], 1)
	le.PutUint16(out[28:], 8)
	le.PutUint32(out[30:], bmpRLE8)
	for range height/255 + 1 {
		out = append(out, 0, 2, 255, 255)
	}
	return out
}

// photograph is noise, as a JPEG.
func photograph(t *testing.T, width, height int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	state := uint32(1)
	for i := range img.Pix {
		state = state*1664525 + 1013904223
		img.Pix[i] = uint8(state >> 24)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// progressiveJPEG is the frame of a large image, of which the scans are missing but for a
// start.
func progressiveJPEG(t *testing.T) []byte {
	data, err := os.ReadFile("jpeg/testdata/progressive444.jpg")
	if err != nil {
		t.Fatal(err)
	}
	sof := bytes.Index(data, []byte{0xff, 0xc2})
	binary.BigEndian.PutUint16(data[sof+5:], 4000)
	binary.BigEndian.PutUint16(data[sof+7:], 4000)
	return append(data, make([]byte, 4000*4000/64)...)
}
