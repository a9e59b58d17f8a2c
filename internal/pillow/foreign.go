package pillow

import (
	"bytes"
	"fmt"
	"strings"
)

// ForeignError is about a file of a kind that is known, but not read.
type ForeignError struct {
	Kind    string        // "a HEIC image"
	Format  ForeignFormat // 0 for kinds that no [Converter] is asked for
	Program string        // that converts it, or ""
	Package string        // of Debian, that has the program
	Advice  string        // what may have happened, where no program helps
}

func (e *ForeignError) Error() string {
	switch {
	case e.Program != "":
		return fmt.Sprintf("%s: it can be converted with %s (Debian's package %s)", e.Kind, e.Program, e.Package)
	case e.Advice != "":
		return e.Kind + ": " + e.Advice
	}
	return e.Kind
}

var (
	foreignHEIC = ForeignError{Kind: "a HEIC image", Format: HEIC, Program: "heif-dec", Package: "libheif-examples"}
	foreignAVIF = ForeignError{Kind: "an AVIF image", Format: AVIF, Program: "avifdec", Package: "libavif-bin"}
	foreignJXL  = ForeignError{Kind: "a JPEG XL image", Format: JPEGXL, Program: "djxl", Package: "libjxl-tools"}
	foreignJ2K  = ForeignError{Kind: "a JPEG 2000 image", Format: JPEG2000, Program: "opj_decompress", Package: "libopenjp2-tools"}

	foreignVideo = ForeignError{Kind: "a video", Advice: "take a frame of it, as with ffmpeg"}
	foreignPage  = ForeignError{Kind: "HTML", Advice: "the download failed"}
	foreignReply = ForeignError{Kind: "JSON or XML", Advice: "perhaps a server's message, and the download failed"}
)

// foreigners lists how files of other kinds begin; '?' stands for any byte.
var foreigners = []struct {
	magic string
	kind  ForeignError
}{
	{"\x00\x00\x00\x0cJXL \r\n\x87\n", foreignJXL},
	{"\xff\x0a", foreignJXL},
	{"\x00\x00\x00\x0cjP  \r\n\x87\n", foreignJ2K},
	{"\xff\x4f\xff\x51", foreignJ2K},
	{"\x1a\x45\xdf\xa3", foreignVideo},
	{"RIFF????AVI ", foreignVideo},
	{"FLV\x01", foreignVideo},
	{"\x00\x00\x01\xba", foreignVideo},
	{"\x00\x00\x01\xb3", foreignVideo},
	{"OggS", foreignVideo},
	{"%PDF", ForeignError{Kind: "a PDF", Program: "pdftoppm", Package: "poppler-utils"}},
	{"8BPS", ForeignError{Kind: "a Photoshop document", Program: "convert", Package: "imagemagick"}},
	{"v/1\x01", ForeignError{Kind: "an OpenEXR image", Program: "convert", Package: "imagemagick"}},
	{"DDS ", ForeignError{Kind: "a DDS texture", Program: "convert", Package: "imagemagick"}},
	{"%!PS", ForeignError{Kind: "PostScript", Program: "gs", Package: "ghostscript"}},
	{"PK\x03\x04", ForeignError{Kind: "a ZIP archive"}},
	{"\x1f\x8b", ForeignError{Kind: "gzip-compressed data"}},
	{"version https://git-lfs", ForeignError{Kind: "a pointer of Git LFS", Advice: "the file itself is still to be fetched (git lfs pull)"}},
}

// foreign tells what data are that no format of ours knows, if it can.
func foreign(data []byte) (ForeignError, bool) {
	for _, f := range foreigners {
		if hasMagic(data, f.magic) {
			return f.kind, true
		}
	}
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		return foreignBrand(data), true
	}
	text := bytes.TrimLeft(data[:min(len(data), 512)], "\ufeff \t\r\n")
	lower := strings.ToLower(string(text))
	switch {
	case strings.Contains(lower, "<svg"):
		return ForeignError{Kind: "an SVG drawing", Program: "rsvg-convert", Package: "librsvg2-bin"}, true
	case strings.HasPrefix(lower, "<!doctype html"), strings.HasPrefix(lower, "<html"), strings.HasPrefix(lower, "<head"):
		return foreignPage, true
	case strings.HasPrefix(lower, "<?xml") && strings.Contains(lower, "<html"):
		return foreignPage, true
	case strings.HasPrefix(lower, "<?xml"), strings.HasPrefix(lower, `{"`), strings.HasPrefix(lower, "{\n"):
		return foreignReply, true
	case len(data) >= 16 && len(bytes.Trim(data[:min(len(data), 4096)], "\x00")) == 0:
		return ForeignError{Kind: "zero bytes", Advice: "the file was never written, or the disk has lost it"}, true
	}
	return ForeignError{}, false
}

// foreignBrand tells files of the ISO's base media format apart by their brands.
func foreignBrand(data []byte) ForeignError {
	size := int(data[2])<<8 | int(data[3])
	brands := data[8:min(max(size, 12), len(data))]
	for i := 0; i+4 <= len(brands); i += 4 {
		switch b := string(brands[i : i+4]); {
		case b == "avif" || b == "avis":
			return foreignAVIF
		case strings.HasPrefix(b, "hei") || strings.HasPrefix(b, "hev"):
			return foreignHEIC
		case b == "jxl ":
			return foreignJXL
		case b == "crx ":
			return ForeignError{Kind: "a camera's raw file", Program: "dcraw", Package: "dcraw"}
		}
	}
	if b := string(brands[:4]); b == "mif1" || b == "msf1" {
		return foreignHEIC
	}
	return foreignVideo
}
