package pillow

import (
	"encoding/binary"
	"image"
	"iter"
)

// container is what is read of a file of HEIF's (ISO/IEC 23008-12), as HEIC and AVIF
// are: the properties of its main image.
type container struct {
	size   image.Point // before it is cropped and turned
	crop   image.Point // what is left of it, where it is
	angle  int         // in quarters, anticlockwise
	mirror int         // after that: 1 top and bottom, 2 left and right, change places
}

func readContainer(data []byte) (c container) {
	var primary uint32
	var properties [][2][]byte // name and body
	var used []byte            // "ipma"
	for name, body := range boxes(data) {
		if name != "meta" || len(body) < 4 {
			continue
		}
		for name, body := range boxes(body[4:]) {
			switch {
			case name == "pitm" && len(body) >= 6 && body[0] == 0:
				primary = uint32(binary.BigEndian.Uint16(body[4:]))
			case name == "pitm" && len(body) >= 8:
				primary = binary.BigEndian.Uint32(body[4:])
			case name == "iprp":
				for name, body := range boxes(body) {
					if name == "ipma" {
						used = body
					}
					if name != "ipco" {
						continue
					}
					for name, body := range boxes(body) {
						properties = append(properties, [2][]byte{[]byte(name), body})
					}
				}
			}
		}
	}
	for _, i := range associations(used, primary) {
		if i < 1 || i > len(properties) {
			continue
		}
		switch p := properties[i-1][1]; string(properties[i-1][0]) {
		case "ispe":
			if len(p) >= 12 {
				w, h := binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint32(p[8:])
				c.size = image.Pt(int(min(w, 1<<30)), int(min(h, 1<<30)))
			}
		case "irot":
			if len(p) >= 1 {
				c.angle = int(p[0] & 3)
			}
		case "imir":
			if len(p) >= 1 {
				c.mirror = 1 + int(p[0]&1)
			}
		case "clap":
			if len(p) >= 16 {
				be := binary.BigEndian
				across, down := be.Uint32(p)/max(be.Uint32(p[4:]), 1), be.Uint32(p[8:])/max(be.Uint32(p[12:]), 1)
				c.crop = image.Pt(int(min(across, 1<<30)), int(min(down, 1<<30)))
			}
		}
	}
	return c
}

// orientation is EXIF's number for the turn and the mirroring after it.
func (c container) orientation() int {
	return [3][4]int{{1, 8, 3, 6}, {4, 5, 2, 7}, {2, 7, 4, 5}}[c.mirror][c.angle]
}

// boxes goes through what a box holds; the last may be cut off.
func boxes(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(data) >= 8 {
			size, head := uint64(binary.BigEndian.Uint32(data)), 8
			name := string(data[4:8])
			switch {
			case size == 0:
				size = uint64(len(data))
			case size == 1 && len(data) >= 16:
				size, head = binary.BigEndian.Uint64(data[8:]), 16
			}
			if size < uint64(head) {
				return
			}
			end := int(min(size, uint64(len(data))))
			if !yield(name, data[head:end]) {
				return
			}
			data = data[end:]
		}
	}
}

// associations returns the numbers of an item's properties, from 1 on ("ipma").
func associations(p []byte, item uint32) (list []int) {
	if len(p) < 8 {
		return nil
	}
	idSize, size := 2, 1
	if p[0] > 0 {
		idSize = 4
	}
	if p[3]&1 != 0 {
		size = 2
	}
	for p = p[8:]; len(p) > idSize; {
		id := uint32(binary.BigEndian.Uint16(p))
		if idSize == 4 {
			id = binary.BigEndian.Uint32(p)
		}
		n := int(p[idSize])
		p = p[idSize+1:]
		if len(p) < n*size {
			return nil
		}
		if id == item {
			for i := range n {
				if v := int(p[i*size]); size == 1 {
					list = append(list, v&0x7f)
				} else {
					list = append(list, v&0x7f<<8|int(p[2*i+1]))
				}
			}
			return list
		}
		p = p[n*size:]
	}
	return nil
}

// TurnsHEIC tells whether a HEIC image has to be turned.
func TurnsHEIC(data []byte) bool { return readContainer(data).orientation() != 1 }
