package pillow

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"io"
	"os"
	"strings"
	"testing"
)

// kinds returns the files of testdata/kinds.zip (see kinds.py there).
func kinds(t testing.TB) map[string][]byte {
	t.Helper()
	archive, err := zip.OpenReader("testdata/kinds.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	files := make(map[string][]byte)
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// rendered is an image as RGB, as its mode becomes it.
func rendered(t testing.TB, img image.Image) []byte {
	t.Helper()
	b := img.Bounds()
	pix := make([]byte, 4*b.Dx()*b.Dy())
	if err := (Fit{Size: [2]int{b.Dy(), b.Dx()}, Resize: Squash}).Render(pix, img); err != nil {
		t.Fatal(err)
	}
	rgb := pix[:0]
	for i := 0; i < len(pix); i += 4 {
		rgb = append(rgb, pix[i], pix[i+1], pix[i+2])
	}
	return rgb
}

// TestKindsAsPillow: files of many kinds, whole and damaged, have Pillow's pixels,
// or are refused as Pillow refuses them; and so is what is left of them.
func TestKindsAsPillow(t *testing.T) {
	files := kinds(t)
	reference, err := os.ReadFile("testdata/kinds.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(reference)), "\n")
	if len(lines) < 100 {
		t.Errorf("%d lines, want more than 100", len(lines))
	}
	for _, line := range lines {
		field := strings.Fields(line)
		img, err := DecodeBytes(files[field[0]], Limits{AllowTruncated: field[1] == "left"})
		if field[2] == "refused" {
			if err == nil {
				t.Errorf("%s is read, want an error", field[0])
			}
			continue
		}
		if err != nil {
			t.Errorf("%s, %s: %v", field[0], field[1], err)
			continue
		}
		sum := sha256.Sum256(rendered(t, img))
		if got := hex.EncodeToString(sum[:]); got != field[3] {
			t.Errorf("%s, %s: %T whose pixels hash to %s, want %s, mode %s", field[0], field[1], img, got, field[3], field[2])
		}
	}
}

// TestIncomplete: the error says how much of an image there is.
func TestIncomplete(t *testing.T) {
	files := kinds(t)
	for name, want := range map[string]string{
		"cut.png":     "png: cut off after",
		"cut.jpg":     "jpeg: cut off after 0 %",
		"progcut.jpg": "jpeg: damaged after 100 %: the file ends in scan",
		"cut.gif":     "gif: cut off after",
		"cut.bmp":     "bmp: cut off after 72 %",
		"cut.ppm":     "pnm: cut off after 55 %",
		"cut.tif":     "tiff: cut off after 66 %",
	} {
		_, err := DecodeBytes(files[name], Limits{})
		var incomplete *IncompleteError
		if !errors.As(err, &incomplete) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an IncompleteError with %q", name, err, want)
		}
		if _, err := DecodeBytes(files[name], Limits{AllowTruncated: true}); err != nil {
			t.Errorf("%s: what is left: %v", name, err)
		}
	}
}

// TestForeign: what is not read is called by its name.
func TestForeign(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "a HEIC image: it can be converted with heif-dec (Debian's package libheif-examples)"},
		{"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif", "an AVIF image"},
		{"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1miaf", "a HEIC image"},
		{"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42", "a video"},
		{"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL image"},
		{"\xff\x0a\x00", "a JPEG XL image"},
		{"\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 image"},
		{"\n <!DOCTYPE html><title>404", "HTML: the download failed"},
		{`<?xml version="1.0"?><Error><Code>AccessDenied`, "JSON or XML"},
		{`<?xml version="1.0"?><svg width="3"`, "an SVG drawing"},
		{"%PDF-1.7", "a PDF"},
		{"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"},
		{strings.Repeat("\x00", 100), "zero bytes"},
		{"something\x01else", "not an image"},
		{"a dog\n", "text, which begins with \"a dog\\n\""},
		{"\x00\x00\x00\x08wide\x00\x00\x00lmdat", "a video"},
		{strings.Repeat("G"+strings.Repeat("\x10", 187), 3), "a video"},
		{"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A mp42", "a sound"},
		{strings.Repeat("\x00", 128) + "DICM", "a DICOM image"},
		{"L\x00\x00\x00\x01\x14\x02\x00", "a shortcut of Windows"},
		{"II*\x00\x0c\x00\x00\x00CR\x02\x00\x01\x00\x03\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00", "tiff: a camera's raw file"},
		{"II*\x00\x08\x00\x00\x00\x01\x00\x12\xc6\x01\x00\x04\x00\x00\x00\x01\x04\x00\x00\x00\x00\x00\x00", "tiff: a camera's raw file"},
		{"RIFF\x64\x00\x00\x00WEBPVP8 \x58\x00\x00\x00\x00", "webp: cut off: 21 bytes of 108"},
		{"something else, and long", "text, which begins with \"something else, and long\""},
		{"<!-- 404 --><html>", "HTML"},
		{"8BPS\x00\x01", "a Photoshop document"},
		{"PK\x03\x04", "a ZIP archive"},
		{"RIFF\x00\x00\x00\x00WAVEfmt ", "a sound"},
		{"FUJIFILMCCD-RAW 0201", "a camera's raw file"},
		{"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom", "a camera's raw file"},
		{"\x1a\x45\xdf\xa3", "a video"},
		{"", "not an image: empty"},
	} {
		_, err := DecodeBytes([]byte(c.data), Limits{})
		if err == nil || !strings.HasPrefix(err.Error(), "pillow: "+c.want) {
			t.Errorf("%.30q: got %v, want %q", c.data, err, c.want)
		}
	}
}
