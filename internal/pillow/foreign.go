package pillow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
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
	foreignSound = ForeignError{Kind: "a sound"}
	foreignRaw   = ForeignError{Kind: "a camera's raw file", Program: "dcraw", Package: "dcraw"}
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
	{"gimp xcf", ForeignError{Kind: "a document of GIMP", Program: "convert", Package: "imagemagick"}},
	{"#?RADIANCE", ForeignError{Kind: "a Radiance image", Program: "convert", Package: "imagemagick"}},
	{"II\xbc", ForeignError{Kind: "a JPEG XR image", Program: "JxrDecApp", Package: "libjxr-tools"}},
	{"AT&TFORM", ForeignError{Kind: "a DjVu document", Program: "ddjvu", Package: "djvulibre-bin"}},
	{"FUJIFILMCCD-RAW", foreignRaw},
	{"IIU\x00", foreignRaw},
	{"IIRO", foreignRaw},
	{"IIRS", foreignRaw},
	{"MMOR", foreignRaw},
	{"FOVb", foreignRaw},
	{"\x00MRM", foreignRaw},
	{"II\x1a\x00\x00\x00HEAPCCDR", foreignRaw},
	{"\x30\x26\xb2\x75\x8e\x66\xcf\x11", foreignVideo},
	{"ID3", foreignSound},
	{"fLaC", foreignSound},
	{"RIFF????WAVE", foreignSound},
	{"PK\x03\x04", ForeignError{Kind: "a ZIP archive"}},
	{"\x1f\x8b", ForeignError{Kind: "gzip-compressed data"}},
	{"BZh", ForeignError{Kind: "bzip2-compressed data"}},
	{"\xfd7zXZ\x00", ForeignError{Kind: "xz-compressed data"}},
	{"\x28\xb5\x2f\xfd", ForeignError{Kind: "zstd-compressed data"}},
	{"7z\xbc\xaf\x27\x1c", ForeignError{Kind: "a 7z archive"}},
	{"Rar!\x1a\x07", ForeignError{Kind: "a RAR archive"}},
	{"\x93NUMPY", ForeignError{Kind: "an array of NumPy"}},
	{"\x89HDF\r\n\x1a\n", ForeignError{Kind: "an HDF5 file"}},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ForeignError{Kind: "a document of Microsoft's, such as Word's or Thumbs.db"}},
	{"\x00\x05\x16\x07", ForeignError{Kind: "an AppleDouble file", Advice: "macOS keeps notes there; the image is the one without ._ before its name"}},
	{"bplist00", ForeignError{Kind: "a property list of Apple's", Advice: "perhaps the image has not been fetched from iCloud"}},
	{"L\x00\x00\x00\x01\x14\x02\x00", ForeignError{Kind: "a shortcut of Windows", Advice: "the image is elsewhere"}},
	{"icns", ForeignError{Kind: "icons of Apple's", Program: "icns2png", Package: "icnsutils"}},
	{"\xd7\xcd\xc6\x9a", ForeignError{Kind: "a metafile of Windows", Program: "wmf2svg", Package: "libwmf-bin"}},
	{"SIMPLE  =", ForeignError{Kind: "a FITS image", Program: "fitstopnm", Package: "netpbm"}},
	{"SQLite format 3\x00", ForeignError{Kind: "a database of SQLite"}},
	{"\x7fELF", ForeignError{Kind: "a program"}},
	{"MZ", ForeignError{Kind: "a program"}},
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
	if len(data) >= 8 && slices.Contains([]string{"moov", "mdat", "wide", "skip", "free", "pnot"}, string(data[4:8])) {
		return foreignVideo, true // QuickTime's older files
	}
	if len(data) > 2*188 && data[0] == 'G' && data[188] == 'G' && data[2*188] == 'G' {
		return foreignVideo, true // an MPEG transport stream
	}
	if len(data) >= 132 && string(data[128:132]) == "DICM" {
		return ForeignError{Kind: "a DICOM image", Program: "dcmj2pnm", Package: "dcmtk"}, true
	}
	text := bytes.TrimLeft(data[:min(len(data), 512)], "\ufeff \t\r\n")
	lower := strings.ToLower(string(text))
	switch {
	case strings.Contains(lower, "<svg"):
		return ForeignError{Kind: "an SVG drawing", Program: "rsvg-convert", Package: "librsvg2-bin"}, true
	case strings.HasPrefix(lower, "<!doctype html"), strings.HasPrefix(lower, "<html"), strings.HasPrefix(lower, "<head"):
		return foreignPage, true
	case strings.HasPrefix(lower, "<") && (strings.Contains(lower, "<html") || strings.Contains(lower, "<!doctype html")):
		return foreignPage, true
	case strings.HasPrefix(lower, "<?xml"), strings.HasPrefix(lower, `{"`), strings.HasPrefix(lower, "{\n"):
		return foreignReply, true
	case len(data) >= 16 && len(bytes.Trim(data[:min(len(data), 4096)], "\x00")) == 0:
		return ForeignError{Kind: "zero bytes", Advice: "the file was never written, or the disk has lost it"}, true
	case len(data) > 262 && string(data[257:262]) == "ustar":
		return ForeignError{Kind: "a tar archive"}, true
	case len(text) >= 4 && readable(text):
		return ForeignError{Kind: fmt.Sprintf("text, which begins with %.40q", text)}, true
	}
	return ForeignError{}, false
}

// readable tells of text in UTF-8, which may be cut within a character.
func readable(text []byte) bool {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 && len(text) >= utf8.UTFMax || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
		text = text[n:]
	}
	return true
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
			return foreignRaw
		case strings.HasPrefix(b, "M4A") || strings.HasPrefix(b, "M4B"):
			return foreignSound
		}
	}
	if b := string(brands[:4]); b == "mif1" || b == "msf1" {
		return foreignHEIC
	}
	return foreignVideo
}
