// Package jpeg decodes JPEG files to the pixels that libjpeg-turbo's default
// settings give, to the last bit: the accurate integer inverse DCT, chroma
// interpolated with weights 3:1, colour conversion in 16-bit fixed point. The
// standard library's decoder differs from those by up to 3 of 255.
//
// It reads baseline, extended sequential, progressive and lossless files of 8
// bits a sample with 1, 3 or 4 components, and of TIFFs with 2; with Huffman codes, and all but the
// lossless with arithmetic coding. Like libjpeg it goes on behind damaged data,
// from the next restart marker, and estimates what is missing of a progressive
// file that ends before its last scans.
//
// ITU-T T.81 is the format; section numbers below are its own.
package jpeg

import (
	"bytes"
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
	markSOF3 = 0xc3 // lossless
	markDHT  = 0xc4
	markSOF9 = 0xc9 // extended sequential, arithmetic
	markSOFA = 0xca // progressive, arithmetic
	markDAC  = 0xcc
	markRST0 = 0xd0
	markRST7 = 0xd7
	markSOI  = 0xd8
	markEOI  = 0xd9
	markSOS  = 0xda
	markDQT  = 0xdb
	markDNL  = 0xdc
	markDRI  = 0xdd
	markAPP0 = 0xe0
	markAdo  = 0xee // APP14
	markAPPF = 0xef
	markCOM  = 0xfe
	markTEM  = 0x01
)

// maxScans bounds the work that a small file can ask for. libjpeg writes 10
// scans at most, optimisers some dozens.
const maxScans = 200

// kind is how a frame's samples are coded.
type kind int

const (
	baseline kind = iota // or extended sequential
	progressive
	lossless
)

// decoder is the state of one file.
type decoder struct {
	Options
	data    []byte
	own     int // bytes of data that are the file's own
	pos     int
	pending byte // marker that was read with the data before it

	width, height int
	whole         int // side of a block of the least subsampled component: 8, or less in a draft
	kind          kind
	arithmetic    bool
	hMax, vMax    int // largest sampling factors
	mcusX, mcusY  int // minimum coded units of an interleaved scan
	comps         []*component
	layers        int            // how many components the header announces
	quant         [4]*[64]uint16 // in zigzag order
	dc, ac        [4]*huffman
	condition     *conditioning
	restart       int // MCUs between restart markers, or 0
	scans         int
	visits        int64 // of coefficients, see afford
	single        bool  // all is in one scan, which libjpeg decodes row by row
	lastGood      int   // row of MCUs that the last scan's data have reached
	rowsRead      int   // rows of MCUs, where the file ends in its single scan

	jfif, adobe bool
	transform   byte // of the Adobe marker
}

// component is one channel of the image.
type component struct {
	id               byte
	h, v             int // sampling factors
	tq               byte
	quant            *[64]uint16 // fixed by the component's first scan
	steps            [80]int32   // quant, and behind it its last entry
	width, height    int         // in samples
	side             int         // of a block, in samples
	columns, rows    int         // in blocks, of those that hold samples
	across, down     int         // in blocks, padded to whole MCUs; in lossless frames in samples
	plane            []byte      // samples in rows of stride
	stride           int
	coefs            []int16  // progressive only: 64 a block, natural order
	known            []uint64 // with Huffman codes: of each block the AC coefficients, in the file's order, that are not zero
	bits, before     coefBits // progressive only: what is known, and was before the last scan
	pred             int32    // of the DC coefficient
	dcTable, acTable int      // of the current scan
	ac, dc           *huffman
}

// Options says how a file is read.
type Options struct {
	// Check is called with the size found in the header before memory is taken.
	Check func(width, height int) error

	// Truncated reads what is left of a file that ends early. Rows that are
	// lost are black, as Pillow's are.
	Truncated bool

	// Draft, where it is not zero, is a width and a height that the image may shrink to: its
	// sides are divided by 8, 4 or 2, rounded up, if before rounding neither becomes
	// shorter. It is Pillow's draft mode: that much of a block's DCT is left out.
	Draft [2]int

	// Tables is a stream of tables alone, which come before the file's own.
	Tables []byte

	// Row, where it is not nil, is called before every row of blocks of every scan. Its panic
	// is the caller's.
	Row func()

	// Planes leaves images of three components in planes, as *Planes.
	Planes bool

	// Colour is what components mean, where something else than the file says
	// it. Then four components are inks as they are, not inverted.
	Colour Colour
}

// Colour is a meaning of components.
type Colour int

// The meanings.
const (
	Guess  Colour = iota // by markers and names of components, as libjpeg does
	YCbCr                // to be converted to RGB
	Direct               // grey, RGB or inks
)

// CutOffError is about a file that ends early.
type CutOffError struct {
	Part, All int // of its rows that could be read
	Scan      int // later than the first in which it ends, or 0
}

func (e *CutOffError) Error() string {
	if e.Scan > 0 {
		return fmt.Sprintf("the file ends in scan %d", e.Scan)
	}
	return fmt.Sprintf("the file ends in row %d of %d", e.Part, e.All)
}

// Decode reads a JPEG file. The memory that it takes is at most about 16 bytes
// a pixel. The result is an *image.Gray, an *image.RGBA whose alpha is 255 (or
// *Planes), or an *image.CMYK in which 255 is full ink.
func Decode(data []byte, o Options) (image.Image, error) {
	d := &decoder{Options: o, condition: newConditioning()}
	err := errors.New("no SOI marker")
	for i, stream := range [][]byte{o.Tables, data} {
		d.data, d.own, d.pos = stream, len(stream), 0
		if o.Truncated && i == 1 {
			d.data = append(stream[:len(stream):len(stream)], 0xff, markEOI)
		}
		if stream != nil {
			err = d.segments()
		}
	}
	switch {
	case d.layers == 0 && err == nil:
		return nil, errors.New("no frame header")
	case err != nil && (!o.Truncated || d.layers == 0 || d.scans == 0 && !bytes.Contains(d.data[d.pos:], []byte{0xff, markSOS})):
		return nil, err
	case err != nil:
		return d.partial(), nil
	case d.kind == progressive:
		smooth := d.smooths()
		for _, c := range d.comps {
			switch {
			case c.quant == nil: // without a scan; grey
			case smooth:
				d.reconstructSmooth(c)
			default:
				c.reconstruct()
			}
			c.coefs = nil
		}
	}
	return d.image(d.height), nil
}

// segments reads all segments, up to the end of the image or of its last scan.
func (d *decoder) segments() error {
	if len(d.data) < 2 || d.data[0] != 0xff || d.data[1] != markSOI {
		return errors.New("no SOI marker")
	}
	d.pos = 2
	for {
		mark, err := d.marker()
		if err != nil {
			return err
		}
		switch {
		case mark == markEOI && d.comps != nil && d.scans == 0:
			return errors.New("no scan")
		case mark == markEOI && d.scans == 0 && d.pos+1 < len(d.data) && d.data[d.pos] == 0xff && d.data[d.pos+1] == markSOI:
			d.pos += 2 // that was a stream of tables
			continue
		case mark == markEOI:
			return nil
		case mark == markTEM || mark >= markRST0 && mark <= markRST7:
			continue
		case mark < markSOF0 || mark == markSOI || mark > markDRI && mark < markAPP0 || mark > markAPPF && mark != markCOM:
			d.seekFrame(nil, mark)
			return fmt.Errorf("marker %#x between segments", mark)
		}
		body, err := d.segment(mark)
		if err != nil {
			d.seekFrame(nil, mark)
			return fmt.Errorf("segment %#x: %w", mark, err)
		}
		if err := d.read(mark, body); err != nil {
			d.seekFrame(body, mark)
			return err
		}
		if mark == markSOS && d.single {
			return nil
		}
	}
}

// seekFrame looks behind a damaged segment for the size of the image, which
// Pillow would know.
func (d *decoder) seekFrame(body []byte, mark byte) {
	for err := error(nil); d.Truncated && d.layers == 0 && err == nil && mark != markSOS; {
		if mark >= markSOF0 && mark <= markSOF3 || mark == markSOF9 || mark == markSOFA {
			_, err = d.size(body)
		} else if mark, err = d.marker(); err == nil {
			body, _ = d.segment(mark) // what has no length is passed over
		}
	}
}

// marker finds the next marker, skipping what is none.
func (d *decoder) marker() (byte, error) {
	if mark := d.pending; mark != 0 {
		d.pending = 0
		return mark, nil
	}
	for ; d.pos+1 < len(d.data); d.pos++ {
		if d.data[d.pos] == 0xff && d.data[d.pos+1] != 0 && d.data[d.pos+1] != 0xff {
			d.pos += 2
			return d.data[d.pos-1], nil
		}
	}
	return 0, d.ended()
}

// segment returns what follows a marker, without its length.
func (d *decoder) segment(mark byte) ([]byte, error) {
	rest := d.data[d.pos:]
	if len(rest) < 2 {
		return nil, d.ended()
	}
	n := int(binary.BigEndian.Uint16(rest))
	if n < 2 && (mark >= markAPP0 || mark == markDNL) { // libjpeg finds nothing to skip
		n = 2
	}
	if n < 2 {
		return nil, fmt.Errorf("length %d", n)
	}
	if n > len(rest) {
		return nil, d.ended()
	}
	d.pos += n
	return rest[2:n], nil
}

func (d *decoder) read(mark byte, body []byte) error {
	switch mark {
	case markSOF0, markSOF1, markSOF2, markSOF3, markSOF9, markSOFA:
		return d.frame(mark, body)
	case 0xc5, 0xc6, 0xc7, 0xc8, 0xcb, 0xcd, 0xce, 0xcf:
		return fmt.Errorf("frame type %#x (hierarchical, or lossless and arithmetic) is not supported", mark)
	case markDHT:
		return d.huffmanTables(body)
	case markDQT:
		return d.quantTables(body)
	case markDAC:
		return d.conditions(body)
	case markDRI:
		if len(body) != 2 {
			return fmt.Errorf("restart interval of %d bytes", len(body))
		}
		d.restart = int(binary.BigEndian.Uint16(body))
	case markAPP0:
		d.jfif = d.jfif || len(body) >= 14 && string(body[:5]) == "JFIF\x00"
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
