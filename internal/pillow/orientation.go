package pillow

import (
	"encoding/binary"
	"image"
	"image/color"
)

// Orientation returns the EXIF orientation of an encoded image, 1 to 8: which
// of the turns and mirrorings that [Orient] undoes the camera wrote it with.
// It is 1 where the file says nothing, and for TIFF, whose orientation decoding
// has applied already.
func Orientation(data []byte) int {
	var exif []byte
	switch f := sniff(data); {
	case f == nil:
	case f.name == "jpeg":
		exif = jpegEXIF(data)
	case f.name == "png":
		exif = pngEXIF(data)
	case f.name == "webp":
		chunks := riffChunks(data)
		for name, body := range chunks {
			if name == "EXIF" {
				exif = body
			}
		}
	}
	if len(exif) > 6 && string(exif[:6]) == "Exif\x00\x00" {
		exif = exif[6:]
	}
	if d := readDirectory(exif); d != nil {
		if o := d.value(tagOrientation, 1); o >= 1 && o <= 8 {
			return o
		}
	}
	return 1
}

// jpegEXIF returns the first EXIF segment before the pixels.
func jpegEXIF(data []byte) []byte {
	for data = data[2:]; len(data) >= 4 && data[0] == 0xff; {
		n := 2 + int(binary.BigEndian.Uint16(data[2:]))
		switch {
		case data[1] == 0xff: // padding
			n = 1
		case data[1] == 0xda || n > len(data):
			return nil
		case data[1] == 0xe1 && n > 10 && string(data[4:10]) == "Exif\x00\x00":
			return data[4:n]
		}
		data = data[n:]
	}
	return nil
}

func pngEXIF(data []byte) []byte {
	for data = data[8:]; len(data) >= 12; {
		n := int64(binary.BigEndian.Uint32(data))
		if n+12 > int64(len(data)) {
			return nil
		}
		if string(data[4:8]) == "eXIf" {
			return data[8 : 8+n]
		}
		data = data[n+12:]
	}
	return nil
}

// Orient turns an image that [Decode] returned the way its orientation (1 to
// 8) says it should be seen. Any other orientation leaves it as it is.
func Orient(img image.Image, orientation int) image.Image {
	if orientation < 2 || orientation > 8 {
		return img
	}
	b := img.Bounds()
	turned := b.Sub(b.Min)
	if orientation >= 5 {
		turned.Max.X, turned.Max.Y = turned.Max.Y, turned.Max.X
	}
	o := turn{orientation: orientation, width: turned.Dx(), height: turned.Dy()}
	switch img := img.(type) {
	case *Keyed:
		return &Keyed{Image: Orient(img.Image, orientation), Opaque: Orient(img.Opaque, orientation)}
	case *image.Gray:
		return &image.Gray{Pix: o.pixels(img.Pix, img.Stride, 1), Stride: o.width, Rect: turned}
	case *image.Paletted:
		return &image.Paletted{Pix: o.pixels(img.Pix, img.Stride, 1), Stride: o.width, Rect: turned, Palette: img.Palette}
	case *image.Gray16:
		return &image.Gray16{Pix: o.pixels(img.Pix, img.Stride, 2), Stride: 2 * o.width, Rect: turned}
	case *image.RGBA:
		return &image.RGBA{Pix: o.pixels(img.Pix, img.Stride, 4), Stride: 4 * o.width, Rect: turned}
	case *image.NRGBA:
		return &image.NRGBA{Pix: o.pixels(img.Pix, img.Stride, 4), Stride: 4 * o.width, Rect: turned}
	case *image.CMYK:
		return &image.CMYK{Pix: o.pixels(img.Pix, img.Stride, 4), Stride: 4 * o.width, Rect: turned}
	}
	out := image.NewNRGBA(turned)
	for y := range o.height {
		for x := range o.width {
			sx, sy := o.source(x, y)
			out.SetNRGBA(x, y, color.NRGBAModel.Convert(img.At(b.Min.X+sx, b.Min.Y+sy)).(color.NRGBA))
		}
	}
	return out
}

// turn maps a turned image of the given size to its source.
type turn struct{ orientation, width, height int }

func (t turn) source(x, y int) (sx, sy int) {
	mx, my := t.width-1-x, t.height-1-y
	switch t.orientation {
	case 2:
		return mx, y
	case 3:
		return mx, my
	case 4:
		return x, my
	case 5:
		return y, x
	case 6:
		return y, mx
	case 7:
		return my, mx
	default:
		return my, x
	}
}

func (t turn) pixels(pix []byte, stride, size int) []byte {
	out := make([]byte, 0, t.width*t.height*size)
	for y := range t.height {
		for x := range t.width {
			sx, sy := t.source(x, y)
			at := sy*stride + sx*size
			out = append(out, pix[at:at+size]...)
		}
	}
	return out
}
