package pillow

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

// Shot is what a file says of when and where its photograph was taken.
type Shot struct {
	// Taken is the time on the camera's clock, as 2006-01-02T15:04:05, with its distance from
	// UTC behind it, as +02:00 or Z, where the file says so; "" where it says no time.
	Taken string

	// Place is latitude and longitude in degrees, north and east positive; nil where the file
	// says none.
	Place *[2]float64
}

// Tags of EXIF's own directories (CIPA DC-008, 4.6).
const (
	tagDateTime          = 0x132
	tagExif              = 0x8769
	tagGPS               = 0x8825
	tagDateTimeOriginal  = 0x9003
	tagDateTimeDigitized = 0x9004
	tagOffsetTime        = 0x9010
	tagOffsetOriginal    = 0x9011
	tagOffsetDigitized   = 0x9012

	tagLatitudeRef  = 1
	tagLatitude     = 2
	tagLongitudeRef = 3
	tagLongitude    = 4
	tagGPSStatus    = 9
)

// ReadShot reads EXIF, which JPEG, PNG, WebP, TIFF, HEIC and AVIF may hold. Data without any,
// or whose EXIF makes no sense, say nothing.
func ReadShot(data []byte) (s Shot) {
	exif := exifOf(data)
	first := readDirectory(exif, 0)
	if first == nil {
		return s
	}
	own, gps := first.below(tagExif), first.below(tagGPS)
	s.Taken = taken(own.text(tagDateTimeOriginal), own.text(tagOffsetOriginal))
	if s.Taken == "" {
		s.Taken = taken(own.text(tagDateTimeDigitized), own.text(tagOffsetDigitized))
	}
	if s.Taken == "" {
		s.Taken = taken(first.text(tagDateTime), own.text(tagOffsetTime))
	}
	north, ok := gps.degrees(tagLatitude, tagLatitudeRef, "N", "S", 90)
	east, okToo := gps.degrees(tagLongitude, tagLongitudeRef, "E", "W", 180)
	if ok && okToo && gps.text(tagGPSStatus) != "V" { // void: the receiver saw no satellites
		s.Place = &[2]float64{north, east}
	}
	return s
}

// exifOf returns the EXIF data in a file of any kind that may have some: a TIFF is such data
// itself.
func exifOf(data []byte) []byte {
	var exif []byte
	switch f := sniff(data); {
	case f == nil:
		exif = exifItem(data)
	case f.name == "tiff":
		exif = data
	case f.meta != nil:
		exif = f.meta(data).exif
	}
	return withoutPrefix(exif)
}

// withoutPrefix takes off what stands before EXIF in a JPEG. Some programs write it twice.
func withoutPrefix(exif []byte) []byte {
	for range 2 {
		exif = bytes.TrimPrefix(exif, []byte("Exif\x00\x00"))
	}
	return exif
}

// below returns the directory that a tag points to, or nil.
func (d *directory) below(id uint16) *directory {
	at, ok := d.number(id)
	if !ok || !(at >= 8 && at < float64(len(d.data))) {
		return nil
	}
	return readDirectory(d.data, int64(at))
}

// text returns a tag's text up to its first zero.
func (d *directory) text(id uint16) string {
	if d == nil || d.tags[id].kind != 2 {
		return ""
	}
	text, _, _ := bytes.Cut(d.tags[id].raw, []byte{0})
	return string(bytes.TrimSpace(text))
}

// degrees returns degrees, minutes and seconds as degrees of at most limit.
func (d *directory) degrees(id, ref uint16, positive, negative string, limit float64) (float64, bool) {
	if d == nil {
		return 0, false
	}
	t := d.tags[id]
	if t.kind != 5 || t.count < 1 {
		return 0, false
	}
	v := 0.0
	for i := range min(t.count, 3) {
		part := t.at(i)
		if i > 0 && math.IsNaN(part) { // 0/0: not given
			part = 0
		}
		v += part / math.Pow(60, float64(i))
	}
	if !(v >= 0 && v <= limit) {
		return 0, false
	}
	switch d.text(ref) {
	case positive:
		return v, true
	case negative:
		return -v, true
	}
	return 0, false
}

// taken joins EXIF's time and its distance from UTC; "" for what is none, as the blanks and
// zeros of a camera whose clock was never set.
func taken(at, offset string) string {
	t, err := time.Parse("2006:01:02 15:04:05", at)
	if err != nil || t.Year() < 1826 { // before the first photograph
		return ""
	}
	s := t.Format("2006-01-02T15:04:05")
	if z, err := time.Parse("-07:00", offset); err == nil {
		return s + z.Format("Z07:00")
	}
	if offset == "Z" {
		return s + "Z"
	}
	return s
}

// exifItem returns the EXIF item of a HEIF file (ISO/IEC 23008-12, annex A): "iinf" says which
// item it is, "iloc" where it lies, and its first four bytes how far from there the TIFF header.
func exifItem(data []byte) []byte {
	for name, body := range boxes(data) {
		if name != "meta" || len(body) < 4 {
			continue
		}
		id, found := uint32(0), false
		var places []byte
		for name, body := range boxes(body[4:]) {
			switch name {
			case "iinf":
				id, found = itemOfType(body, "Exif")
			case "iloc":
				places = body
			}
		}
		if !found {
			return nil
		}
		at, size, ok := itemPlace(places, id)
		if !ok || size < 4 || at > uint64(len(data)) || size > uint64(len(data))-at {
			return nil
		}
		item := data[at:][:size]
		if skip := uint64(binary.BigEndian.Uint32(item)); skip <= size-4 {
			return item[4+skip:]
		}
		return nil
	}
	return nil
}

// itemOfType returns the number of the first item of a type ("iinf").
func itemOfType(info []byte, kind string) (uint32, bool) {
	if len(info) < 6 {
		return 0, false
	}
	entries := info[6:]
	if info[0] > 0 {
		entries = info[min(8, len(info)):]
	}
	for name, e := range boxes(entries) {
		if name != "infe" || len(e) < 12 {
			continue
		}
		switch {
		case e[0] == 2 && string(e[8:12]) == kind:
			return uint32(binary.BigEndian.Uint16(e[4:])), true
		case e[0] == 3 && len(e) >= 14 && string(e[10:14]) == kind:
			return binary.BigEndian.Uint32(e[4:]), true
		}
	}
	return 0, false
}

// itemPlace returns where an item lies in the file ("iloc"). One in several pieces, or in
// another place than the file, has none.
func itemPlace(p []byte, item uint32) (at, size uint64, ok bool) {
	take := func(n int) (v uint64) {
		if n < 0 || n > 8 || n > len(p) {
			p, ok = nil, false
			return 0
		}
		for _, b := range p[:n] {
			v = v<<8 | uint64(b)
		}
		p = p[n:]
		return v
	}
	ok = true
	version := take(1)
	take(3)
	sizes := take(2)
	offsetSize, lengthSize, baseSize, indexSize := int(sizes>>12), int(sizes>>8&15), int(sizes>>4&15), int(sizes&15)
	wide := 2
	if version == 2 {
		wide = 4
	}
	for n := take(wide); n > 0 && ok; n-- {
		id, method := take(wide), uint64(0)
		if version > 0 {
			method = take(2) & 15
		}
		take(2)
		base, extents := take(baseSize), take(2)
		for range extents {
			if version > 0 {
				take(indexSize)
			}
			at, size = base+take(offsetSize), take(lengthSize)
			if !ok {
				return 0, 0, false
			}
		}
		if id == uint64(item) {
			return at, size, ok && method == 0 && extents == 1
		}
	}
	return 0, 0, false
}
