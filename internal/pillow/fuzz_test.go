package pillow

import (
	"bytes"
	"encoding/json"
	"image"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// One target for each reader: whatever it is given, it does not panic, nor take more
// memory than the limit and its own tables explain, nor time without end.

func FuzzPNG(f *testing.F)  { fuzzReader(f, "png") }
func FuzzJPEG(f *testing.F) { fuzzReader(f, "jpeg") }
func FuzzGIF(f *testing.F)  { fuzzReader(f, "gif") }
func FuzzBMP(f *testing.F)  { fuzzReader(f, "bmp") }
func FuzzDIB(f *testing.F)  { fuzzReader(f, "dib") }
func FuzzPNM(f *testing.F)  { fuzzReader(f, "pnm") }
func FuzzICO(f *testing.F)  { fuzzReader(f, "ico") }
func FuzzQOI(f *testing.F)  { fuzzReader(f, "qoi") }
func FuzzSGI(f *testing.F)  { fuzzReader(f, "sgi") }
func FuzzPCX(f *testing.F)  { fuzzReader(f, "pcx") }
func FuzzTGA(f *testing.F)  { fuzzReader(f, "tga") }
func FuzzTIFF(f *testing.F) { fuzzReader(f, "tiff") }
func FuzzWebP(f *testing.F) { fuzzReader(f, "webp") }

// TestReadersAreFuzzed: a reader that is added gets a target.
func TestReadersAreFuzzed(t *testing.T) {
	targets, err := os.ReadFile("fuzz_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range formats() {
		if !bytes.Contains(targets, []byte(`fuzzReader(f, "`+f.name+`")`)) {
			t.Errorf("no fuzz target reads %s", f.name)
		}
	}
}

func fuzzReader(f *testing.F, name string) {
	var reader format
	for _, known := range formats() {
		if known.name == name {
			reader = known
		}
	}
	for _, data := range seedFiles(f) {
		if known := sniff(data); known != nil && known.name == name && len(data) < 1<<16 {
			f.Add(data, false)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, truncated bool) {
		const maxPixels = 1 << 16
		if known := sniff(data); known == nil || known.name != name {
			return
		}
		allowed := uint64(16<<20 + 64*len(data))
		if name == "webp" || name == "tiff" {
			allowed += 256 << 20 // vp8l makes room for 65,536 groups of Huffman tables at once
		}
		limit := Limits{MaxPixels: maxPixels, AllowTruncated: truncated}.orDefaults()
		var before, after runtime.MemStats
		began := time.Now()
		runtime.ReadMemStats(&before)
		img, err := reader.read(&file{data: data, check: limit.check, truncated: truncated})
		orientation := Orientation(data)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > allowed {
			t.Errorf("took %d bytes for a file of %d, want at most %d", n, len(data), allowed)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("took %v for a file of %d", took, len(data))
		}
		if err != nil {
			return
		}
		if b := img.Bounds(); b.Min != (image.Point{}) || b.Empty() || b.Dx()*b.Dy() > maxPixels {
			t.Fatalf("picture of %v", b)
		}
		upright := Orient(img, orientation)
		for _, at := range []image.Point{{}, upright.Bounds().Max.Sub(image.Pt(1, 1))} {
			upright.At(at.X, at.Y)
		}
	})
}

// seedFiles returns the files that the tests have, and the reference's where there are
// any.
func seedFiles(tb testing.TB) (all [][]byte) {
	tb.Helper()
	for _, data := range encoded(tb) {
		all = append(all, data)
	}
	all = append(all, bmpRuns(), bmpFile16(), pngFile("IHDR", ihdr(100_000, 100_000, 8, 6)))
	for _, pattern := range []string{"testdata/*.*", "jpeg/testdata/*.jpg"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 2 {
			tb.Fatal("no images in ", pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				tb.Fatal(err)
			}
			all = append(all, data)
		}
	}
	shared := os.Getenv("GOCLIP_SHARED")
	if shared == "" {
		return all
	}
	index, err := os.ReadFile(filepath.Join(shared, "pictures", "index.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var set struct{ Cases []struct{ File string } }
	if err := json.Unmarshal(index, &set); err != nil {
		tb.Fatal(err)
	}
	for _, c := range set.Cases {
		data, err := os.ReadFile(filepath.Join(shared, "pictures", "files", c.File))
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}
