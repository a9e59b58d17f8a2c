// Package jpeg decodes JPEG files to the pixels that libjpeg-turbo's default
// settings give, to the last bit: the accurate integer inverse DCT, chroma
// interpolated with weights 3:1, colour conversion in 16-bit fixed point. The
// standard library's decoder differs from those by up to 3 of 255.
//
// It reads baseline, extended sequential and progressive Huffman-coded files of
// 8 bits a sample with 1, 3 or 4 components. It differs from libjpeg in being
// strict, in that damaged entropy-coded data is an error, and in not smoothing
// the blocks of a progressive file that ends before its last refinements.
//
// ITU-T T.81 is the format; section numbers below are its own.
package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

// Markers (table B.1).
const (
	markSOF0 = 0xc0 // baseline
	markSOF1 = 0xc1 // extended sequential
	markSOF2 = 0xc2 // progressive
	markDHT  = 0xc4
	markRST0 = 0xd0
	markRST7 = 0xd7
	markSOI  = 0xd8
	markEOI  = 0xd9
	markSOS  = 0xda
	markDQT  = 0xdb
	markDRI  = 0xdd
	markAPP0 = 0xe0
	markAdo  = 0xee // APP14
	markTEM  = 0x01
)

// maxScans bounds the work that a small file can ask for. libjpeg writes 10
// scans at most, optimisers some dozens.
const maxScans = 200

var errTruncated = errors.New("file is truncated")

// decoder is the state of one file.
type decoder struct {
	data []byte
	pos  int

	width, height int
	progressive   bool
	hMax, vMax    int // largest sampling factors
	mcusX, mcusY  int // minimum coded units of an interleaved scan
	comps         []*component
	quant         [4]*[64]uint16 // in zigzag order
	dc, ac        [4]*huffman
	restart       int // MCUs between restart markers, or 0
	scans         int

	jfif, adobe bool
	transform   byte // of the Adobe marker
}

// component is one channel of the image.
type component struct {
	id            byte
	h, v          int // sampling factors
	tq            byte
	quant         *[64]uint16 // fixed by the component's first scan
	width, height int         // in samples
	across, down  int         // in blocks, padded to whole MCUs
	plane         []byte      // samples in rows of 8·across
	coefs         []int16     // progressive only: 64 a block, natural order
	pred          int32       // of the DC coefficient
	ac, dc        *huffman    // of the current scan
}

// Decode reads a JPEG file. check is called with the size found in the header
// before memory is taken, which is then at most about 16 bytes a pixel. The
// result is an *image.Gray, an *image.RGBA whose alpha is 255, or an
// *image.CMYK in which 255 is full ink.
func Decode(data []byte, check func(width, height int) error) (image.Image, error) {
	d := &decoder{data: data}
	if len(data) < 2 || data[0] != 0xff || data[1] != markSOI {
		return nil, errors.New("no SOI marker")
	}
	d.pos = 2
	for {
		mark, err := d.marker()
		if err != nil {
			return nil, err
		}
		if mark == markEOI {
			break
		}
		if mark == markSOI || mark == markTEM || mark >= markRST0 && mark <= markRST7 {
			return nil, fmt.Errorf("marker %#x between segments", mark)
		}
		body, err := d.segment()
		if err != nil {
			return nil, fmt.Errorf("segment %#x: %w", mark, err)
		}
		if err := d.read(mark, body, check); err != nil {
			return nil, err
		}
		if mark == markSOS && d.complete() {
			break
		}
	}
	if d.comps == nil {
		return nil, errors.New("no frame header")
	}
	for _, c := range d.comps {
		if c.quant == nil {
			return nil, fmt.Errorf("no scan of component %d", c.id)
		}
		if d.progressive {
			c.reconstruct()
		}
	}
	return d.image(), nil
}

// marker finds the next marker, skipping what is none.
func (d *decoder) marker() (byte, error) {
	for ; d.pos+1 < len(d.data); d.pos++ {
		if d.data[d.pos] == 0xff && d.data[d.pos+1] != 0 && d.data[d.pos+1] != 0xff {
			d.pos += 2
			return d.data[d.pos-1], nil
		}
	}
	return 0, errTruncated
}

// segment returns what follows a marker, without its length.
func (d *decoder) segment() ([]byte, error) {
	rest := d.data[d.pos:]
	if len(rest) < 2 {
		return nil, errTruncated
	}
	n := int(binary.BigEndian.Uint16(rest))
	if n < 2 {
		return nil, fmt.Errorf("length %d", n)
	}
	if n > len(rest) {
		return nil, errTruncated
	}
	d.pos += n
	return rest[2:n], nil
}

func (d *decoder) read(mark byte, body []byte, check func(width, height int) error) error {
	switch mark {
	case markSOF0, markSOF1, markSOF2:
		return d.frame(mark, body, check)
	case 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf:
		return fmt.Errorf("frame type %#x (lossless, hierarchical or arithmetic) is not supported", mark)
	case markDHT:
		return d.huffmanTables(body)
	case markDQT:
		return d.quantTables(body)
	case markDRI:
		if len(body) != 2 {
			return fmt.Errorf("restart interval of %d bytes", len(body))
		}
		d.restart = int(binary.BigEndian.Uint16(body))
	case markAPP0:
		d.jfif = d.jfif || len(body) >= 5 && string(body[:5]) == "JFIF\x00"
	case markAdo:
		if len(body) >= 12 && string(body[:5]) == "Adobe" {
			d.adobe, d.transform = true, body[11]
		}
	case markSOS:
		return d.scan(body)
	}
	return nil
}

// quantTables reads a DQT segment (B.2.4.1).
func (d *decoder) quantTables(body []byte) error {
	for len(body) > 0 {
		wide, id := body[0]>>4, body[0]&15
		size := 64 * (1 + int(wide))
		if wide > 1 || id > 3 || len(body) < 1+size {
			return fmt.Errorf("quantisation table %d of precision %d in %d bytes", id, wide, len(body))
		}
		var t [64]uint16
		for i := range t {
			if wide == 1 {
				t[i] = binary.BigEndian.Uint16(body[1+2*i:])
			} else {
				t[i] = uint16(body[1+i])
			}
		}
		d.quant[id] = &t
		body = body[1+size:]
	}
	return nil
}

// frame reads a frame header (B.2.2) and takes memory for the image.
func (d *decoder) frame(mark byte, body []byte, check func(width, height int) error) error {
	if d.comps != nil {
		return errors.New("a second frame header")
	}
	if len(body) < 6 || len(body) != 6+3*int(body[5]) {
		return fmt.Errorf("frame header of %d bytes", len(body))
	}
	if body[0] != 8 {
		return fmt.Errorf("%d bits a sample, want 8", body[0])
	}
	d.height, d.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	if err := check(d.width, d.height); err != nil {
		return err
	}
	n := int(body[5])
	if n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("%d components, want 1, 3 or 4", n)
	}
	d.progressive = mark == markSOF2
	for i := range n {
		f := body[6+3*i:]
		c := &component{id: f[0], h: int(f[1] >> 4), v: int(f[1] & 15), tq: f[2]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.tq > 3 {
			return fmt.Errorf("component %d: sampling %d×%d, quantisation table %d", c.id, c.h, c.v, c.tq)
		}
		d.hMax, d.vMax = max(d.hMax, c.h), max(d.vMax, c.v)
		d.comps = append(d.comps, c)
	}
	return d.allocate()
}

func (d *decoder) allocate() error {
	d.mcusX = (d.width + 8*d.hMax - 1) / (8 * d.hMax)
	d.mcusY = (d.height + 8*d.vMax - 1) / (8 * d.vMax)
	blocks := 0
	for _, c := range d.comps {
		if d.hMax%c.h != 0 || d.vMax%c.v != 0 {
			return fmt.Errorf("component %d: sampling %d×%d of %d×%d is not supported", c.id, c.h, c.v, d.hMax, d.vMax)
		}
		c.width = (d.width*c.h + d.hMax - 1) / d.hMax
		c.height = (d.height*c.v + d.vMax - 1) / d.vMax
		c.across, c.down = d.mcusX*c.h, d.mcusY*c.v
		blocks += (c.width + 7) / 8 * ((c.height + 7) / 8)
	}
	// A block takes a bit at least: that of its DC coefficient.
	if blocks/8 > len(d.data) {
		return fmt.Errorf("%d bytes cannot hold %d×%d pixels", len(d.data), d.width, d.height)
	}
	for _, c := range d.comps {
		c.plane = make([]byte, 64*c.across*c.down)
		if d.progressive {
			c.coefs = make([]int16, 64*c.across*c.down)
		}
	}
	return nil
}

// complete reports whether a sequential image has had all its scans.
func (d *decoder) complete() bool {
	if d.progressive {
		return false
	}
	for _, c := range d.comps {
		if c.quant == nil {
			return false
		}
	}
	return true
}
