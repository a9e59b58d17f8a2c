package pillow_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/pillow"
)

// exifField is a tag of an EXIF directory.
type exifField struct {
	tag, kind uint16
	count     uint32
	value     []byte
}

// byteOrder is one of the two of package binary.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// exifData is a TIFF header with directories one behind the other; the pointers among the
// fields are numbers of directories, which become offsets.
func exifData(order byteOrder, directories ...[]exifField) []byte {
	out := []byte("MM\x00*\x00\x00\x00\x08")
	if order == byteOrder(binary.LittleEndian) {
		out = []byte("II*\x00\x08\x00\x00\x00")
	}
	const each = 400
	for n, fields := range directories {
		at := 8 + n*each
		d, behind := order.AppendUint16(nil, uint16(len(fields))), []byte{}
		for _, f := range fields {
			d = order.AppendUint32(order.AppendUint16(order.AppendUint16(d, f.tag), f.kind), f.count)
			value := f.value
			if value == nil { // a pointer
				value, d = order.AppendUint32(nil, uint32(8+int(f.count)*each)), d[:len(d)-4]
				d = order.AppendUint32(d, 1)
			}
			if len(value) <= 4 {
				d = append(d, append(slices.Clone(value), make([]byte, 4-len(value))...)...)
				continue
			}
			d = order.AppendUint32(d, uint32(at+2+12*len(fields)+4+len(behind)))
			behind = append(behind, value...)
		}
		d = append(append(d, 0, 0, 0, 0), behind...)
		out = append(out, append(d, make([]byte, each-len(d))...)...)
	}
	return out
}

func ascii(tag uint16, s string) exifField {
	return exifField{tag, 2, uint32(len(s) + 1), append([]byte(s), 0)}
}

// rationals are numerators and denominators.
func rationals(order binary.AppendByteOrder, tag uint16, v ...uint32) exifField {
	var b []byte
	for _, x := range v {
		b = order.AppendUint32(b, x)
	}
	return exifField{tag, 5, uint32(len(v) / 2), b}
}

// inContainers puts EXIF into a file of each kind that holds some.
func inContainers(exif []byte) map[string][]byte {
	be := binary.BigEndian
	body := append([]byte("Exif\x00\x00"), exif...)
	jpeg := slices.Concat([]byte("\xff\xd8\xff\xe1"), be.AppendUint16(nil, uint16(len(body)+2)), body, []byte("\xff\xda\x00\x02"))
	chunk := func(name string, b []byte) []byte {
		b = append([]byte(name), b...)
		return be.AppendUint32(append(be.AppendUint32(nil, uint32(len(b)-4)), b...), crc32.ChecksumIEEE(b))
	}
	png := slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", []byte("\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00")), chunk("eXIf", exif), chunk("IEND", nil))
	webp := slices.Concat([]byte("WEBPEXIF"), binary.LittleEndian.AppendUint32(nil, uint32(len(exif))), exif, make([]byte, len(exif)%2))
	webp = slices.Concat([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(len(webp))), webp)
	return map[string][]byte{"jpeg": jpeg, "png": png, "webp": webp, "tiff": exif, "heic 0": heic(exif, 0), "heic 1": heic(exif, 1), "heic 2": heic(exif, 2)}
}

// heic has the EXIF item, number 3, behind its boxes, in each version of "iloc".
func heic(exif []byte, version byte) []byte {
	be := binary.BigEndian
	box := func(name string, body ...[]byte) []byte {
		b := slices.Concat(body...)
		return append(append(be.AppendUint32(nil, uint32(len(b)+8)), name...), b...)
	}
	item := append([]byte("\x00\x00\x00\x06Exif\x00\x00"), exif...)
	infe := func(id byte, kind string) []byte {
		return box("infe", []byte{2, 0, 0, 0, 0, id, 0, 0}, []byte(kind), []byte{0})
	}
	file := func(at uint32) []byte {
		place := func(id byte, at, size uint32) (b []byte) {
			if version == 2 {
				b = append(b, 0, 0)
			}
			if b = append(b, 0, id); version > 0 {
				b = append(b, 0, 0)
			}
			b = append(b, 0, 0) // data reference
			b = append(b, 0, 1) // extents
			return be.AppendUint32(be.AppendUint32(b, at), size)
		}
		n := []byte{0, 2}
		if version == 2 {
			n = []byte{0, 0, 0, 2}
		}
		iloc := box("iloc", []byte{version, 0, 0, 0, 0x44, 0}, n, place(1, 0, 1), place(3, at, uint32(len(item))))
		iinf := box("iinf", []byte{0, 0, 0, 0, 0, 2}, infe(1, "hvc1"), infe(3, "Exif"))
		head := slices.Concat(box("ftyp", []byte("heic\x00\x00\x00\x00mif1heic")), box("meta", make([]byte, 4), iinf, iloc), []byte("\x00\x00\x00\x00mdat"))
		return head
	}
	return append(file(uint32(len(file(0)))), item...)
}

// TestShots: time and place are read of every kind of file, in either byte order, as the
// standard has them, and what makes no sense is not there.
func TestShots(t *testing.T) {
	for _, order := range []byteOrder{binary.BigEndian, binary.LittleEndian} {
		gps := func(lat, lon string, v ...uint32) []exifField {
			return []exifField{ascii(1, lat), rationals(order, 2, v[:6]...), ascii(3, lon), rationals(order, 4, v[6:]...)}
		}
		pointers := []exifField{{0x8769, 4, 1, nil}, {0x8825, 4, 2, nil}}
		here := gps("N", "W", 51, 1, 30, 1, 2646, 100, 0, 1, 7, 1, 3912, 100)
		for name, c := range map[string]struct {
			first, own, gps []exifField
			taken           string
			lat, lon        float64
			placed          bool
		}{
			"all": {own: []exifField{ascii(0x9003, "2024:07:14 20:15:30"), ascii(0x9011, "+05:30")}, gps: here,
				taken: "2024-07-14T20:15:30+05:30", lat: 51.50735, lon: -0.127533, placed: true},
			"UTC":         {own: []exifField{ascii(0x9003, "2024:07:14 20:15:30"), ascii(0x9011, "Z")}, taken: "2024-07-14T20:15:30Z"},
			"no offset":   {own: []exifField{ascii(0x9003, "2024:07:14 20:15:30")}, taken: "2024-07-14T20:15:30"},
			"bad offset":  {own: []exifField{ascii(0x9003, "2024:07:14 20:15:30"), ascii(0x9011, "   :  ")}, taken: "2024-07-14T20:15:30"},
			"digitized":   {own: []exifField{ascii(0x9003, "    :  :     :  :  "), ascii(0x9004, "2003:01:02 03:04:05")}, taken: "2003-01-02T03:04:05"},
			"file's own":  {first: []exifField{ascii(0x132, "1999:12:31 23:59:59")}, own: []exifField{ascii(0x9010, "-03:00")}, taken: "1999-12-31T23:59:59-03:00"},
			"zeros":       {own: []exifField{ascii(0x9003, "0000:00:00 00:00:00")}},
			"thirteenth":  {own: []exifField{ascii(0x9003, "2024:13:14 20:15:30")}},
			"a number":    {own: []exifField{{0x9003, 4, 1, []byte{0, 0, 7, 230}}}},
			"south, east": {gps: gps("S", "E", 33, 1, 306, 10, 0, 0, 151, 1, 0, 1, 0, 0), lat: -33.51, lon: 151, placed: true},
			"no seconds": {gps: []exifField{ascii(1, "N"), rationals(order, 2, 48, 1, 30, 1), ascii(3, "E"), rationals(order, 4, 45, 2)},
				lat: 48.5, lon: 22.5, placed: true},
			"0/0":          {gps: gps("N", "E", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
			"too far":      {gps: gps("N", "E", 91, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1)},
			"no direction": {gps: gps("?", "E", 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1)},
			"void":         {gps: append(slices.Clone(here), ascii(9, "V"))},
			"half a place": {gps: here[:2]},
			"nothing":      {},
		} {
			exif := exifData(order, append(slices.Clone(c.first), pointers...), c.own, c.gps)
			for kind, data := range inContainers(exif) {
				s := pillow.ReadShot(data)
				if s.Taken != c.taken || (s.Place != nil) != c.placed {
					t.Errorf("%s in %s, %v: got %q at %v, want %q", name, kind, order, s.Taken, s.Place, c.taken)
				}
				if s.Place != nil && !(math.Abs(s.Place[0]-c.lat) <= 1e-5 && math.Abs(s.Place[1]-c.lon) <= 1e-5) {
					t.Errorf("%s in %s, %v: at %v, want %v, %v", name, kind, order, *s.Place, c.lat, c.lon)
				}
			}
		}
	}
	for _, none := range []string{"", "text", "\xff\xd8\xff", "GIF89a", "BM"} {
		if s := pillow.ReadShot([]byte(none)); s != (pillow.Shot{}) {
			t.Errorf("%q: %+v", none, s)
		}
	}
}

// FuzzReadShot: whatever a file holds, a time that is read of it is one, and a place is on
// the globe.
func FuzzReadShot(f *testing.F) {
	be := binary.BigEndian
	exif := exifData(be, []exifField{{0x8769, 4, 1, nil}, {0x8825, 4, 2, nil}}, []exifField{ascii(0x9003, "2024:07:14 20:15:30")},
		[]exifField{ascii(1, "N"), rationals(be, 2, 48, 1, 30, 1), ascii(3, "E"), rationals(be, 4, 45, 2)})
	for _, data := range inContainers(exif) {
		f.Add(data)
	}
	loop := exifData(be, []exifField{{0x8769, 4, 0, nil}, {0x8825, 4, 0, nil}})
	f.Add(loop)
	f.Fuzz(func(t *testing.T, data []byte) {
		s := pillow.ReadShot(data)
		if s.Taken != "" {
			var y, mo, d, h, mi, sec int
			if n, err := fmt.Sscanf(strings.ReplaceAll(s.Taken[:19], "T", " "), "%d-%d-%d %d:%d:%d", &y, &mo, &d, &h, &mi, &sec); n != 6 || err != nil {
				t.Errorf("taken %q", s.Taken)
			}
		}
		if s.Place != nil && !(math.Abs(s.Place[0]) <= 90 && math.Abs(s.Place[1]) <= 180) {
			t.Errorf("at %v", *s.Place)
		}
	})
}
