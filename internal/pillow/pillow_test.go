package pillow

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// pngFile returns a PNG file of chunks, given as name, data, name, data …
func pngFile(chunks ...string) []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	for i := 0; i+1 < len(chunks); i += 2 {
		out = binary.BigEndian.AppendUint32(out, uint32(len(chunks[i+1])))
		body := chunks[i] + chunks[i+1]
		out = append(out, body...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(body)))
	}
	return out
}

func ihdr(width, height uint32, depth, colour byte) string {
	b := binary.BigEndian.AppendUint32(nil, width)
	b = binary.BigEndian.AppendUint32(b, height)
	return string(append(b, depth, colour, 0, 0, 0))
}

// sample is a small image in which every pixel differs.
func sample() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 13, 7))
	for i := range img.Pix {
		img.Pix[i] = uint8(37*i + i/4)
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

// encoded returns sample in every format that the standard library and
// golang.org/x/image can write.
func encoded(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for name, write := range map[string]func(io.Writer, image.Image) error{
		"png":  png.Encode,
		"bmp":  bmp.Encode,
		"jpeg": func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) },
		"gif":  func(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) },
		"tiff": func(w io.Writer, m image.Image) error {
			return tiff.Encode(w, m, &tiff.Options{Compression: tiff.Deflate})
		},
	} {
		var b bytes.Buffer
		if err := write(&b, sample()); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	return out
}

func TestDecodeRefuses(t *testing.T) {
	files := encoded(t)
	cut := func(name string, n int) []byte { return files[name][:len(files[name])-n] }
	hugeGIF := []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x00;")
	hugeBMP := bytes.Clone(files["bmp"])
	binary.LittleEndian.PutUint32(hugeBMP[18:], 1<<20)
	binary.LittleEndian.PutUint32(hugeBMP[22:], 1<<20)
	hugeJPEG := bytes.Clone(files["jpeg"])
	sof := bytes.Index(hugeJPEG, []byte{0xff, 0xc0})
	copy(hugeJPEG[sof+5:], []byte{0xff, 0xff, 0xff, 0xff})
	vp8x := []byte("RIFF\x1a\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xffVP8 \x00\x00\x00\x00")
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "pillow: not an image: empty"},
		{"html", []byte("<html><body>404"), "pillow: HTML: the download failed"},
		{"short", []byte("GI"), `pillow: not an image: starts with "GI"`},
		{"png bomb", pngFile("IHDR", ihdr(100_000, 100_000, 8, 6)), "pillow: png: size 100000×100000 is more than the limit of 178956970 pixels"},
		{"png empty", pngFile("IHDR", ihdr(0, 5, 8, 6)), "pillow: png: size 0×5 has no pixels"},
		{"png out of range", pngFile("IHDR", ihdr(1<<31, 1, 8, 0)), "pillow: png: size 2147483648×1"},
		{"png hollow", pngFile("IHDR", ihdr(13_000, 13_000, 8, 6), "IDAT", "", "IEND", ""), "cannot hold 13000×13000 pixels"},
		{"png headless", pngFile("IDAT", "0123456789abcdefgh"), "pillow: png: no IHDR"},
		{"png truncated", cut("png", 30), "pillow: png: "},
		{"gif bomb", hugeGIF, "pillow: gif: size 65535×65535"},
		{"gif empty", []byte("GIF89a\x00\x00\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00;"), "pillow: gif: size 0×0"},
		{"gif without frame", []byte("GIF89a\x05\x00\x05\x00\x00\x00\x00;"), "pillow: gif: no frame"},
		{"gif truncated", cut("gif", 20), "pillow: gif: cut off after 0 %"},
		{"bmp bomb", hugeBMP, "pillow: bmp: size 1048576×1048576"},
		{"bmp truncated", cut("bmp", 2), "pillow: bmp: cut off after 85 %"},
		{"jpeg bomb", hugeJPEG, "pillow: jpeg: size 65535×65535"},
		{"jpeg truncated", cut("jpeg", 100), "pillow: jpeg: "},
		{"tiff truncated", cut("tiff", 60), "pillow: tiff: "},
		{"tiff no directory", []byte("II*\x00\xff\xff\xff\x7f"), "pillow: tiff: no image file directory"},
		{"webp bomb", vp8x, "pillow: webp: size 16777216×16777216"},
		{"webp empty", []byte("RIFF\x04\x00\x00\x00WEBP"), "pillow: webp: no VP8"},
	} {
		img, err := Decode(bytes.NewReader(c.data), Limits{})
		if err == nil || !strings.HasPrefix(err.Error(), "pillow: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v and error %v, want one with %q", c.name, img != nil, err, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	for name, data := range encoded(t) {
		if _, err := DecodeBytes(data, Limits{MaxPixels: 13 * 7}); err != nil {
			t.Errorf("%s: refused at exactly its size: %v", name, err)
		}
		_, err := DecodeBytes(data, Limits{MaxPixels: 13*7 - 1})
		if err == nil || !strings.Contains(err.Error(), "size 13×7 is more than the limit of 90 pixels") {
			t.Errorf("%s: got error %v, want the size and the limit", name, err)
		}
		n := int64(len(data))
		for _, r := range []io.Reader{bytes.NewReader(data), io.MultiReader(bytes.NewReader(data))} {
			_, err = Decode(r, Limits{MaxBytes: n - 1})
			if err == nil || !strings.Contains(err.Error(), "more than the limit of") {
				t.Errorf("%s: got error %v, want the limit of bytes", name, err)
			}
		}
		if _, err := Decode(bytes.NewReader(data), Limits{MaxBytes: n}); err != nil {
			t.Errorf("%s: refused at exactly its length: %v", name, err)
		}
	}
}

func TestDecodeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text.png") // the name does not matter
	if _, err := DecodeFile(path, Limits{}); !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("missing file: got %v", err)
	}
	if err := os.WriteFile(path, []byte("plain text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeFile(path, Limits{}); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), `"plain text"`) {
		t.Errorf("text: got %v, want its beginning and %s", err, path)
	}
	if err := os.WriteFile(path, encoded(t)["gif"], 0o600); err != nil {
		t.Fatal(err)
	}
	if img, err := DecodeFile(path, Limits{}); err != nil || img.Bounds() != sample().Rect {
		t.Errorf("gif named png: got %v, %v", img, err)
	}
}

func unwrapAll(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = u.Unwrap()
	}
}

// TestLosslessRoundTrip: what other encoders write, we read.
func TestLosslessRoundTrip(t *testing.T) {
	want := sample().Pix
	for _, name := range []string{"png", "bmp", "tiff"} {
		img, err := DecodeBytes(encoded(t)[name], Limits{})
		if err != nil {
			t.Fatal(err)
		}
		out := image.NewNRGBA(img.Bounds())
		draw.Draw(out, out.Rect, img, image.Point{}, draw.Src)
		if !bytes.Equal(out.Pix, want) {
			t.Errorf("%s: pixels differ", name)
		}
	}
}

// TestModes: what Pillow tells apart, the types tell apart.
func TestModes(t *testing.T) {
	row := func(b string) string { return zlibStored("\x00" + b) }
	key := "\x00\x00"
	for _, c := range []struct {
		name string
		data []byte
		want image.Image
	}{
		{"1 bit", pngFile("IHDR", ihdr(3, 1, 1, pngGray), "IDAT", row("\xa0"), "IEND", ""),
			&image.Paletted{Pix: []byte{1, 0, 1}, Palette: bilevelPalette()}},
		{"2 bits", pngFile("IHDR", ihdr(3, 1, 2, pngGray), "IDAT", row("\x1b"), "IEND", ""), &image.Gray{Pix: []byte{0, 85, 170}}},
		{"16 bits", pngFile("IHDR", ihdr(1, 1, 16, pngGray), "IDAT", row("\x01\x02"), "IEND", ""), &image.Gray16{Pix: []byte{1, 2}}},
		{"16 bits keyed", pngFile("IHDR", ihdr(1, 1, 16, pngGray), "tRNS", key, "IDAT", row("\x01\x02"), "IEND", ""),
			&Keyed{Image: &image.NRGBA{Pix: []byte{1, 1, 1, 255}}, Opaque: &image.Gray16{Pix: []byte{1, 2}}}},
		{"grey keyed", pngFile("IHDR", ihdr(2, 1, 8, pngGray), "tRNS", key, "IDAT", row("\x00\x07"), "IEND", ""),
			&Keyed{Image: &image.NRGBA{Pix: []byte{0, 0, 0, 0, 7, 7, 7, 255}}, Opaque: &image.Gray{Pix: []byte{0, 7}}}},
		{"colour keyed", pngFile("IHDR", ihdr(1, 1, 8, pngRGB), "tRNS", "\x00\x01\x00\x02\x00\x03", "IDAT", row("\x01\x02\x03"), "IEND", ""),
			&Keyed{Image: &image.NRGBA{Pix: []byte{1, 2, 3, 0}}, Opaque: &image.RGBA{Pix: []byte{1, 2, 3, 255}}}},
		{"16-bit colour", pngFile("IHDR", ihdr(1, 1, 16, pngRGB), "IDAT", row("\x01\xff\x02\xff\x03\xff"), "IEND", ""), &image.RGBA{Pix: []byte{1, 2, 3, 255}}},
		{"grey with alpha", pngFile("IHDR", ihdr(1, 1, 8, pngGrayAlpha), "IDAT", row("\x09\x40"), "IEND", ""), &image.NRGBA{Pix: []byte{9, 9, 9, 64}}},
		{"16-bit grey with alpha", pngFile("IHDR", ihdr(1, 1, 16, pngGrayAlpha), "IDAT", row("\x09\x80\x40\x80"), "IEND", ""), &image.NRGBA{Pix: []byte{9, 9, 9, 64}}},
		{"bmp of 16 bits", bmpFile16(), &image.RGBA{Pix: []byte{255, 0, 0, 255, 0, 131, 8, 255}}},
		{"bmp of runs", bmpRuns(), &image.Paletted{Pix: []byte{2, 1, 1, 0, 1, 2}, Palette: blackPalette([]byte{0, 0, 0, 30, 20, 10, 60, 50, 40})}},
	} {
		img, err := DecodeBytes(c.data, Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, want := describe(img), describe(c.want); got != want {
			t.Errorf("%s: got %s, want %s", c.name, got, want)
		}
	}
}

// zlibStored returns a zlib stream of one stored block.
func zlibStored(s string) string {
	a, b := uint32(1), uint32(0)
	for i := range len(s) {
		a = (a + uint32(s[i])) % 65521
		b = (b + a) % 65521
	}
	head := []byte{0x78, 0x01, 1, byte(len(s)), byte(len(s) >> 8), ^byte(len(s)), ^byte(len(s) >> 8)}
	return string(binary.BigEndian.AppendUint32(append(head, s...), b<<16|a))
}

func bmpHead(width, height, bits, compression, colours int) []byte {
	b := []byte("BM")
	for _, v := range []int{0, 0, 54 + 4*colours, 40, width, height, bits<<16 | 1, compression, 0, 0, 0, colours, 0} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

// bmpFile16 is red and a dark green, from the top down.
func bmpFile16() []byte {
	return append(bmpHead(2, -1, 16, bmpRaw, 0), 0x00, 0x7c, 0x01, 0x02)
}

// bmpRuns is 3×2, from the bottom up: a run, a skip to the end of the row, then
// single pixels.
func bmpRuns() []byte {
	b := bmpHead(3, 2, 8, bmpRLE8, 3)
	b = append(b, 0, 0, 0, 0, 10, 20, 30, 0, 40, 50, 60, 0)
	return append(b, 0, 3, 0, 1, 2, 0, 0, 0, 1, 2, 2, 1, 0, 1)
}

// describe prints an image's type, pixels and colours.
func describe(img image.Image) string {
	var b strings.Builder
	add := func(name string, pix []byte) { fmt.Fprint(&b, name, pix) }
	switch img := img.(type) {
	case *image.Gray:
		add("gray", img.Pix)
	case *image.Gray16:
		add("gray16", img.Pix)
	case *image.RGBA:
		add("rgba", img.Pix)
	case *image.NRGBA:
		add("nrgba", img.Pix)
	case *image.Paletted:
		add("paletted", img.Pix)
		for _, c := range img.Palette {
			c := color.NRGBAModel.Convert(c).(color.NRGBA)
			add(",", []byte{c.R, c.G, c.B, c.A})
		}
	case *Keyed:
		return describe(img.Image) + " keyed from " + describe(img.Opaque)
	}
	return b.String()
}

// TestOrient: turning and turning back is the identity, on every type.
func TestOrient(t *testing.T) {
	back := [9]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
	b := image.Rect(0, 0, 3, 2)
	gray := &image.Gray{Pix: []byte{1, 2, 3, 4, 5, 6}, Stride: 3, Rect: b}
	if got, want := describe(Orient(gray, 6)), "gray[4 1 5 2 6 3]"; got != want {
		t.Errorf("orientation 6: got %s, want %s", got, want)
	}
	nrgba := sample()
	wide := image.NewGray16(nrgba.Rect)
	copy(wide.Pix, nrgba.Pix)
	paletted := &image.Paletted{Pix: gray.Pix, Stride: 3, Rect: b, Palette: bilevelPalette()}
	rgba := image.NewRGBA(nrgba.Rect)
	copy(rgba.Pix, nrgba.Pix)
	for o := range 10 {
		for _, img := range []image.Image{gray, nrgba, wide, paletted, rgba, &Keyed{Image: nrgba, Opaque: rgba}} {
			turned := Orient(img, o)
			if o >= 5 && o <= 8 && turned.Bounds().Dx() != img.Bounds().Dy() {
				t.Errorf("orientation %d of %T: got %v of %v", o, img, turned.Bounds(), img.Bounds())
			}
			again := turned
			if o >= 1 && o <= 8 {
				again = Orient(turned, back[o])
			}
			if describe(again) != describe(img) {
				t.Errorf("orientation %d of %T: turned back it differs", o, img)
			}
		}
	}
}

func TestOrientation(t *testing.T) {
	exif := "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	files := encoded(t)
	jpg := append([]byte("\xff\xd8\xff\xe1\x00\x22Exif\x00\x00"+exif), files["jpeg"][2:]...)
	for _, c := range []struct {
		name string
		data []byte
		want int
	}{
		{"jpeg", jpg, 6},
		{"jpeg without", files["jpeg"], 1},
		{"png", pngFile("IHDR", ihdr(1, 1, 8, 0), "eXIf", exif), 6},
		{"png without", files["png"], 1},
		{"webp", []byte("RIFF\x00\x00\x00\x00WEBPEXIF\x1a\x00\x00\x00" + exif), 6},
		{"out of range", pngFile("IHDR", ihdr(1, 1, 8, 0), "eXIf", strings.Replace(exif, "\x06", "\x09", 1)), 1},
		{"cut", jpg[:30], 1},
		{"text", []byte("text"), 1},
		{"empty", nil, 1},
	} {
		if got := Orientation(c.data); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
	img, err := DecodeUpright(bytes.NewReader(jpg), Limits{})
	if err != nil || img.Bounds() != image.Rect(0, 0, 7, 13) {
		t.Errorf("upright: got %v, %v, want 7×13", img, err)
	}
}

// FuzzDecode: no input panics, hangs, or takes more memory than the limit and
// the decoders' own tables explain.
func FuzzDecode(f *testing.F) {
	for _, data := range encoded(f) {
		f.Add(data)
	}
	f.Add(bmpRuns())
	f.Add(bmpFile16())
	f.Add(pngFile("IHDR", ihdr(100_000, 100_000, 8, 6)))
	paths, err := filepath.Glob("testdata/*.*")
	if err != nil || len(paths) < 20 {
		f.Fatal("no images", err)
	}
	for _, path := range append(paths, "jpeg/testdata/baseline420.jpg", "jpeg/testdata/progressive444.jpg") {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const maxPixels = 1 << 16
		allowed := uint64(32<<20 + 64*len(data))
		if hasMagic(data, "RIFF????WEBP") {
			allowed += 256 << 20 // vp8l makes room for 65,536 groups of Huffman tables at once
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		img, err := DecodeBytes(data, Limits{MaxPixels: maxPixels})
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > allowed {
			t.Errorf("took %d bytes for a file of %d, want at most %d", n, len(data), allowed)
		}
		if err != nil {
			return
		}
		if b := img.Bounds(); b.Min != (image.Point{}) || b.Empty() || b.Dx()*b.Dy() > maxPixels {
			t.Fatalf("picture of %v", b)
		}
		upright := Orient(img, Orientation(data))
		for _, at := range []image.Point{{}, upright.Bounds().Max.Sub(image.Pt(1, 1))} {
			upright.At(at.X, at.Y)
		}
	})
}
