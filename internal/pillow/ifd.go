package pillow

import (
	"encoding/binary"
	"math"
)

// directory is the first image file directory of TIFF or EXIF data.
type directory struct {
	data    []byte // from the byte-order mark on
	order   binary.ByteOrder
	entries []byte // 12 bytes each
}

// Tags of TIFF and EXIF.
const (
	tagWidth           = 256
	tagHeight          = 257
	tagBits            = 258
	tagCompression     = 259
	tagPhotometric     = 262
	tagOrientation     = 274
	tagRowsPerStrip    = 278
	tagStripByteCounts = 279
	tagTileWidth       = 322
	tagTileHeight      = 323
	tagTileByteCounts  = 325
)

// readDirectory returns nil where data holds no directory.
func readDirectory(data []byte) *directory {
	if len(data) < 8 {
		return nil
	}
	d := &directory{data: data, order: binary.LittleEndian}
	switch string(data[:4]) {
	case "II*\x00":
	case "MM\x00*":
		d.order = binary.BigEndian
	default:
		return nil
	}
	at := int64(d.order.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return nil
	}
	n := 12 * int64(d.order.Uint16(data[at:]))
	d.entries = data[at+2 : min(at+2+n, int64(len(data)))]
	return d
}

// find returns the entry of a tag, or nil.
func (d *directory) find(tag uint16) []byte {
	for e := d.entries; len(e) >= 12; e = e[12:] {
		if d.order.Uint16(e) == tag {
			return e[:12]
		}
	}
	return nil
}

// values returns the unsigned integers of a tag; none where it is missing, of
// another type, or beyond the data.
func (d *directory) values(tag uint16) []uint32 {
	e := d.find(tag)
	if e == nil {
		return nil
	}
	size := int64(0)
	switch d.order.Uint16(e[2:]) {
	case 1:
		size = 1
	case 3:
		size = 2
	case 4:
		size = 4
	default:
		return nil
	}
	n := int64(d.order.Uint32(e[4:]))
	raw := e[8:12]
	if n*size > 4 {
		at := int64(d.order.Uint32(raw))
		if at+n*size > int64(len(d.data)) {
			return nil
		}
		raw = d.data[at : at+n*size]
	}
	out := make([]uint32, n)
	for i := range out {
		switch size {
		case 1:
			out[i] = uint32(raw[i])
		case 2:
			out[i] = uint32(d.order.Uint16(raw[2*i:]))
		case 4:
			out[i] = d.order.Uint32(raw[4*i:])
		}
	}
	return out
}

// value returns the first integer of a tag, or otherwise.
func (d *directory) value(tag uint16, otherwise int) int {
	v := d.values(tag)
	if len(v) == 0 || v[0] > math.MaxInt32 {
		return otherwise
	}
	return int(v[0])
}
