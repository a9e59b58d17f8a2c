package pillow

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"io"
	"iter"
	"strings"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// PNG's colour types.
const (
	pngGray      = 0
	pngRGB       = 2
	pngPalette   = 3
	pngGrayAlpha = 4
	pngRGBA      = 6
)

// deflateRatio is the most that one byte of a deflate stream can stand for.
const deflateRatio = 1032

// pngHeader is what the chunks around the pixels say.
type pngHeader struct {
	width, height int
	depth, colour byte
	interlaced    bool
	box           image.Rectangle // the part of the image that the pixels are of
	palette       []byte          // 3 bytes a colour
	alphas        []byte          // tRNS
	pixels        []byte          // the file from the first chunk of pixels on
}

// pngChannels returns the channels of a pixel, or 0 where the format has no
// such combination.
func pngChannels(depth, colour byte) int {
	switch {
	case colour == pngGray && (depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16):
		return 1
	case colour == pngPalette && (depth == 1 || depth == 2 || depth == 4 || depth == 8):
		return 1
	case depth != 8 && depth != 16:
		return 0
	}
	return [8]int{pngRGB: 3, pngGrayAlpha: 2, pngRGBA: 4}[colour&7]
}

// readPNG reads what libpng would refuse, as Pillow does: checksums count
// before the pixels only, chunks may be missing or in another order, and the
// stream may hold more than the image needs.
func readPNG(f *file) (image.Image, error) {
	h, err := parsePNG(f)
	if err != nil {
		return nil, err
	}
	if h.depth == 0 {
		return nil, errors.New("no IHDR chunk")
	}
	if err := f.check(h.width, h.height); err != nil {
		return nil, err
	}
	if h.pixels == nil {
		return nil, errors.New("no IDAT chunk")
	}
	channels := pngChannels(h.depth, h.colour)
	if channels == 0 {
		return nil, fmt.Errorf("colour type %d with %d bits", h.colour, h.depth)
	}
	if len(h.palette)/3 > 256 {
		return nil, fmt.Errorf("a palette of %d colours", len(h.palette)/3)
	}
	raw := int64(rowBytes(h.box.Dx(), channels*int(h.depth))) * int64(h.box.Dy())
	if int64(h.width)*int64(h.height) > cheapPixels && raw/deflateRatio > int64(len(f.data)) && !f.truncated {
		return nil, fmt.Errorf("%d bytes cannot hold %d×%d pixels", len(f.data), h.width, h.height)
	}
	c, unpack := h.canvas()
	if err := h.rows(f, c, unpack, channels*int(h.depth)); err != nil && !f.truncated {
		return nil, err
	}
	return h.finish(c.img), nil
}

// pngChunks yields the chunks of a file with their names and bodies, up to
// IEND or, where names matter, the first of no proper name; of a chunk that is
// cut off, what there is.
func pngChunks(data []byte, names bool) iter.Seq2[string, pngChunk] {
	return func(yield func(string, pngChunk) bool) {
		for rest := data[len(pngSignature):]; len(rest) >= 8; {
			name, n := string(rest[4:8]), int64(binary.BigEndian.Uint32(rest))
			c := pngChunk{rest: rest, body: rest[8:min(8+n, int64(len(rest)))]}
			c.whole = int64(len(c.body)) == n
			if names && !pngName(name) || !yield(name, c) || name == "IEND" {
				return
			}
			rest = rest[min(12+n, int64(len(rest))):]
		}
	}
}

type pngChunk struct {
	body, rest []byte // rest is the file from the chunk on
	whole      bool
}

// intact checks the chunk's sum.
func (c pngChunk) intact() bool {
	end := 8 + len(c.body)
	return c.whole && len(c.rest) >= end+4 && binary.BigEndian.Uint32(c.rest[end:]) == crc32.ChecksumIEEE(c.rest[4:end])
}

func pngName(name string) bool {
	for _, c := range name {
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// parsePNG reads the chunks before the pixels, and a tRNS behind them.
func parsePNG(f *file) (*pngHeader, error) {
	h := new(pngHeader)
	for name, c := range pngChunks(f.data, !f.truncated) {
		if h.pixels != nil {
			if name == "tRNS" && c.whole {
				h.alphas = c.body
			}
			continue
		}
		if name == "IDAT" || name == "fdAT" && len(c.body) >= 4 {
			h.pixels = c.rest
			continue
		}
		ancillary := name[0]&0x20 != 0
		if !c.intact() && !(f.truncated && ancillary && c.whole) {
			return nil, fmt.Errorf("chunk %q is damaged", name)
		}
		if err := h.chunk(name, c.body, f.truncated); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *pngHeader) chunk(name string, body []byte, truncated bool) error {
	u32 := func(at int) int64 { return int64(binary.BigEndian.Uint32(body[at:])) }
	switch name {
	case "IHDR":
		if len(body) < 13 {
			return errors.New("IHDR is too short")
		}
		width, height := u32(0), u32(4)
		if width > 1<<31-1 || height > 1<<31-1 {
			return fmt.Errorf("size %d×%d is out of range", width, height)
		}
		if body[11] != 0 {
			return fmt.Errorf("filter method %d", body[11])
		}
		h.width, h.height = int(width), int(height)
		h.depth, h.colour, h.interlaced = body[8], body[9], body[12] != 0
		h.box = image.Rect(0, 0, h.width, h.height)
	case "PLTE":
		h.palette = body
	case "tRNS":
		if need := pngKeySize(h.colour); len(body) >= need {
			h.alphas = body
		} else if !truncated {
			return fmt.Errorf("tRNS of %d bytes, want %d", len(body), need)
		}
	case "fcTL":
		if len(body) < 26 {
			return nil
		}
		x, y, w, ht := u32(12), u32(16), u32(4), u32(8)
		if x+w > int64(h.width) || y+ht > int64(h.height) {
			return errors.New("the first frame is larger than the image")
		}
		h.box = image.Rect(int(x), int(y), int(x+w), int(y+ht))
	}
	return nil
}

// pngKeySize is the length of a tRNS chunk that names one colour.
func pngKeySize(colour byte) int {
	switch colour {
	case pngGray:
		return 2
	case pngRGB:
		return 6
	}
	return 0
}

// pngData joins the chunks of pixels to a stream.
type pngData struct {
	file  []byte // from the header of the next chunk on
	chunk []byte // what is left of this one
}

// next goes to the next byte, past empty chunks. It fails where no chunk of
// pixels follows.
func (d *pngData) next() error {
	for len(d.chunk) == 0 {
		if len(d.file) < 8 {
			return io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(d.file))
		body := d.file[8:min(8+n, int64(len(d.file)))]
		switch name := string(d.file[4:8]); {
		case name == "fdAT":
			body = body[min(4, len(body)):]
		case name != "IDAT" && name != "DDAT":
			d.file = nil
			return io.ErrUnexpectedEOF
		}
		d.chunk, d.file = body, d.file[min(12+n, int64(len(d.file))):]
	}
	return nil
}

func (d *pngData) ReadByte() (byte, error) {
	if len(d.chunk) == 0 {
		if err := d.next(); err != nil {
			return 0, err
		}
	}
	c := d.chunk[0]
	d.chunk = d.chunk[1:]
	return c, nil
}

// piece returns what is left of the chunk, or the next one; nil at the end.
func (d *pngData) piece() []byte {
	if d.next() != nil {
		return nil
	}
	p := d.chunk
	d.chunk = nil
	return p
}

// pngMetadata finds EXIF in its own chunk or, as ImageMagick writes it, in hex
// in a text; and XMP.
func pngMetadata(data []byte) (m metadata) {
	var profile, adobe string
	for name, c := range pngChunks(data, true) {
		if !c.whole {
			break
		}
		switch name {
		case "eXIf":
			m.exif = c.body
		case "tEXt", "zTXt", "iTXt":
			switch key, text := pngText(name, c.body); key {
			case "exif":
				m.exif = []byte(text)
			case "Raw profile type exif":
				profile = text
			case "XML:com.adobe.xmp":
				adobe = text
			}
		}
	}
	if lines := strings.SplitN(profile, "\n", 4); m.exif == nil && len(lines) == 4 {
		m.exif, _ = hex.DecodeString(strings.Join(strings.Fields(lines[3]), ""))
	}
	m.xmp = []byte(adobe)
	return m
}

// maxText bounds what a compressed text may expand to, as in Pillow.
const maxText = 1 << 20

func pngText(name string, body []byte) (key, text string) {
	k, v, _ := bytes.Cut(body, []byte{0})
	compressed := name == "zTXt"
	if compressed {
		v = v[min(1, len(v)):]
	}
	if name == "iTXt" {
		parts := bytes.SplitN(v[min(2, len(v)):], []byte{0}, 3)
		if len(parts) < 3 {
			return "", ""
		}
		compressed, v = v[0] != 0, parts[2]
	}
	if !compressed {
		return string(k), string(v)
	}
	z, err := zlib.NewReader(bytes.NewReader(v))
	if err != nil {
		return "", ""
	}
	v, err = io.ReadAll(io.LimitReader(z, maxText))
	if err != nil {
		return "", ""
	}
	return string(k), string(v)
}
