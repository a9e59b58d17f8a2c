package pillow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"

	"github.com/goclip/goclip/internal/pillow/jpeg"
)

func readJPEG(f *file) (image.Image, error) {
	img, err := jpeg.Decode(f.data, jpeg.Options{Check: f.check, Truncated: f.truncated, Row: f.live, Planes: true, Draft: [2]int{f.draft, f.draft}})
	return img, cutJPEG(err)
}

// cutJPEG turns the decoder's error about a file that ends early into ours.
func cutJPEG(err error) error {
	var cut *jpeg.CutOffError
	switch {
	case !errors.As(err, &cut):
		return err
	case cut.Scan > 0:
		return damaged(cut.Part, cut.All, cut)
	}
	return cutOff(cut.Part, cut.All)
}

// jpegMetadata returns what the segments before the pixels hold; that of
// several EXIF segments is joined.
func jpegMetadata(data []byte) (m metadata) {
	for data = data[2:]; len(data) >= 4; {
		if data[0] != 0xff || data[1] == 0xff || data[1] == 0 { // padding, junk
			data = data[1:]
			continue
		}
		n := 2 + int(binary.BigEndian.Uint16(data[2:]))
		switch marker := data[1]; {
		case marker >= 0xd0 && marker <= 0xd8:
			n = 2
		case marker == 0xda || n > len(data) || n < 4:
			return m
		case marker == 0xe1:
			body := data[4:n]
			if exif, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00")); ok {
				m.exif = append(m.exif, exif...)
			}
			if xmp, ok := bytes.CutPrefix(body, []byte("http://ns.adobe.com/xap/1.0/\x00")); ok {
				m.xmp = xmp
			}
		}
		data = data[n:]
	}
	return m
}
