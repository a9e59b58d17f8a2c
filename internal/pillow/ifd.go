package pillow

import (
	"encoding/binary"
	"math"
)

// directory is the first image file directory of TIFF or EXIF data. The nil
// directory has no tags.
type directory struct {
	data  []byte // from the byte-order mark on
	order binary.ByteOrder
	big   bool // BigTIFF, whose offsets have 64 bits
	tags  map[uint16]tag
}

// tag is the value of a field. Its numbers are read where they lie.
type tag struct {
	kind  fieldType
	count int
	raw   []byte
	order binary.ByteOrder
}

// Tags of TIFF and EXIF.
const (
	tagWidth           = 256
	tagHeight          = 257
	tagBits            = 258
	tagCompression     = 259
	tagPhotometric     = 262
	tagFillOrder       = 266
	tagStripOffsets    = 273
	tagOrientation     = 274
	tagSamples         = 277
	tagRowsPerStrip    = 278
	tagStripByteCounts = 279
	tagPlanar          = 284
	tagT4Options       = 292
	tagPredictor       = 317
	tagColorMap        = 320
	tagTileWidth       = 322
	tagTileHeight      = 323
	tagTileOffsets     = 324
	tagTileByteCounts  = 325
	tagExtraSamples    = 338
	tagSampleFormat    = 339
	tagJPEGTables      = 347
	tagYCbCrWeights    = 529
	tagSubsampling     = 530
	tagBlackWhite      = 532
	tagXMP             = 700
)

// fieldType is TIFF's number of a type of value.
type fieldType uint16

// size returns the bytes of a value, or 0 for a type that does not exist.
func (t fieldType) size() int {
	if int(t) >= len(fieldSizes) {
		return 0
	}
	return int(fieldSizes[t])
}

const fieldSizes = "\x00\x01\x01\x02\x04\x08\x01\x01\x02\x04\x08\x04\x08\x04\x00\x00\x08\x08\x08"

// readDirectory returns the directory at an offset, or with 0 where the header
// says it is; nil where data holds none. As in Pillow, what follows a field
// that reaches beyond the data is not read, nor are values that together are
// larger than the data; and of fields with one tag the first counts.
func readDirectory(data []byte, at int64) *directory {
	if len(data) < 8 {
		return nil
	}
	d := &directory{data: data, order: binary.LittleEndian, tags: make(map[uint16]tag)}
	switch string(data[:4]) {
	case "II*\x00", "II\x00*":
	case "MM\x00*", "MM*\x00":
		d.order = binary.BigEndian
	case "II+\x00":
		d.big = true
	case "MM\x00+":
		d.big, d.order = true, binary.BigEndian
	default:
		return nil
	}
	counter, entry, inline := int64(2), int64(12), 4
	if d.big {
		counter, entry, inline = 8, 20, 8
	}
	switch {
	case at != 0:
	case d.big && len(data) < 16:
		return nil
	case d.big:
		at = int64(min(d.order.Uint64(data[8:]), math.MaxInt64))
	default:
		at = int64(d.order.Uint32(data[4:]))
	}
	size := int64(len(data))
	if at < 0 || at > size-counter {
		return nil
	}
	n := uint64(d.order.Uint16(data[at:]))
	if d.big {
		n = d.order.Uint64(data[at:])
	}
	total := 0.0
	for at += counter; n > 0 && at <= size-entry; at, n = at+entry, n-1 {
		e := data[at:][:entry]
		t := tag{kind: fieldType(d.order.Uint16(e[2:])), order: d.order}
		count := uint64(d.order.Uint32(e[4:]))
		if d.big {
			count = d.order.Uint64(e[4:])
		}
		id := d.order.Uint16(e)
		if _, seen := d.tags[id]; seen || t.kind.size() == 0 || count == 0 {
			continue
		}
		t.raw = e[entry-int64(inline):]
		if need := float64(count) * float64(t.kind.size()); need > float64(inline) {
			from := d.offset(t.raw)
			if total+need > float64(size) {
				continue // but what follows is read, as by libtiff
			}
			total += need
			if from > uint64(size) || uint64(need) > uint64(size)-from {
				if t.kind > 16 {
					continue // Pillow does not know these types
				}
				break
			}
			t.raw = data[from:]
		}
		t.count = int(count)
		t.raw = t.raw[:t.count*t.kind.size()]
		d.tags[id] = t
	}
	return d
}

func (d *directory) offset(raw []byte) uint64 {
	if d.big {
		return d.order.Uint64(raw)
	}
	return uint64(d.order.Uint32(raw))
}

// at returns the i-th number of a tag, of any numeric type.
func (t tag) at(i int) float64 {
	raw := t.raw[i*t.kind.size():]
	switch t.kind {
	case 1, 7:
		return float64(raw[0])
	case 3:
		return float64(t.order.Uint16(raw))
	case 4, 13:
		return float64(t.order.Uint32(raw))
	case 5:
		return float64(t.order.Uint32(raw)) / float64(t.order.Uint32(raw[4:]))
	case 6:
		return float64(int8(raw[0]))
	case 8:
		return float64(int16(t.order.Uint16(raw)))
	case 9:
		return float64(int32(t.order.Uint32(raw)))
	case 10:
		return float64(int32(t.order.Uint32(raw))) / float64(int32(t.order.Uint32(raw[4:])))
	case 11:
		return float64(math.Float32frombits(t.order.Uint32(raw)))
	case 12:
		return math.Float64frombits(t.order.Uint64(raw))
	case 16, 18:
		return float64(t.order.Uint64(raw))
	case 17:
		return float64(int64(t.order.Uint64(raw)))
	}
	return math.NaN()
}

// number returns the first number of a tag. That of a byte does not count, as
// in Pillow.
func (d *directory) number(id uint16) (float64, bool) {
	if d == nil {
		return 0, false
	}
	t, ok := d.tags[id]
	if !ok || t.kind < 3 || t.kind == 7 {
		return 0, ok
	}
	return t.at(0), true
}

// value returns the first number of a tag as an integer, or otherwise where it
// is missing or out of range.
func (d *directory) value(id uint16, otherwise int) int {
	t, ok := d.tags[id]
	if !ok {
		return otherwise
	}
	if v := t.at(0); v >= 0 && v <= math.MaxInt32 {
		return int(v)
	}
	return otherwise
}
