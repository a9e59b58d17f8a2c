package pillow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"iter"

	"golang.org/x/image/vp8l"
	"golang.org/x/image/webp"
)

// webpFrame is the image of a WebP file, or the first of its animation.
type webpFrame struct {
	canvas          image.Point // zero where the file does not say
	origin          image.Point // of the frame on the canvas
	alpha           bool        // the file says that it has alpha
	alph, vp8, vp8l []byte
	animated        bool
}

// readWebP decodes with golang.org/x/image and converts lossy images to RGB
// as libwebp does. What the frame of an animation leaves free is transparent,
// or black where the file has no alpha.
func readWebP(src *file) (image.Image, error) {
	var f webpFrame
	f.parse(riffChunks(src.data))
	if f.vp8 == nil && f.vp8l == nil {
		return nil, errors.New("no VP8 or VP8L chunk")
	}
	if f.canvas != (image.Point{}) {
		if err := src.check(f.canvas.X, f.canvas.Y); err != nil {
			return nil, err
		}
	}
	img, err := f.decode(src)
	if err != nil {
		return nil, err
	}
	if f.animated {
		return f.place(img)
	}
	return img, nil
}

func webpMetadata(data []byte) (m metadata) {
	for name, body := range riffChunks(data) {
		switch name {
		case "EXIF":
			m.exif = body
		case "XMP ":
			m.xmp = body
		}
	}
	return m
}

// riffChunks yields the chunks of a RIFF file that are complete.
func riffChunks(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		chunks(data[min(12, len(data)):], yield)
	}
}

func chunks(data []byte, yield func(name string, body []byte) bool) {
	for len(data) >= 8 {
		n := int64(binary.LittleEndian.Uint32(data[4:]))
		if n > int64(len(data)-8) || !yield(string(data[:4]), data[8:8+n]) {
			return
		}
		data = data[min(8+n+n&1, int64(len(data))):]
	}
}

func u24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func (f *webpFrame) parse(all iter.Seq2[string, []byte]) {
	all(func(name string, body []byte) bool {
		switch {
		case name == "VP8X" && len(body) >= 10:
			f.alpha = body[0]&0x10 != 0
			f.animated = body[0]&0x02 != 0
			f.canvas = image.Pt(u24(body[4:])+1, u24(body[7:])+1)
		case name == "ANMF" && len(body) >= 16:
			f.origin = image.Pt(2*u24(body), 2*u24(body[3:]))
			chunks(body[16:], f.part)
			return false
		default:
			return f.part(name, body)
		}
		return true
	})
}

// part takes a chunk of the frame itself; false ends the search.
func (f *webpFrame) part(name string, body []byte) bool {
	switch name {
	case "ALPH":
		f.alph = body
	case "VP8 ":
		f.vp8 = body
		return false
	case "VP8L":
		f.vp8l = body
		return false
	}
	return true
}

func (f *webpFrame) decode(src *file) (image.Image, error) {
	if f.vp8l != nil {
		return f.lossless(src)
	}
	if len(f.vp8) < 10 {
		return nil, errors.New("VP8 chunk is truncated")
	}
	width := int(binary.LittleEndian.Uint16(f.vp8[6:]) & 0x3fff)
	height := int(binary.LittleEndian.Uint16(f.vp8[8:]) & 0x3fff)
	if err := src.check(width, height); err != nil {
		return nil, err
	}
	img, err := webp.Decode(src.reader(f.file(width, height)))
	if err != nil {
		return nil, err
	}
	switch img := img.(type) {
	case *image.YCbCr:
		return &image.RGBA{Pix: videoRGB(img), Stride: 4 * img.Rect.Dx(), Rect: img.Rect}, nil
	case *image.NYCbCrA:
		out := &image.NRGBA{Pix: videoRGB(&img.YCbCr), Stride: 4 * width, Rect: img.Rect}
		for y := range height {
			for x, a := range img.A[y*img.AStride:][:width] {
				out.Pix[y*out.Stride+4*x+3] = a
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("decoder returned %T", img)
}

// file returns a file of the frame's chunks alone.
func (f *webpFrame) file(width, height int) []byte {
	body := []byte("WEBP")
	add := func(name string, data []byte) {
		body = append(body, name...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(data)))
		body = append(body, data...)
		if len(data)%2 == 1 {
			body = append(body, 0)
		}
	}
	if f.alph != nil {
		w, h := width-1, height-1
		add("VP8X", []byte{0x10, 0, 0, 0, byte(w), byte(w >> 8), 0, byte(h), byte(h >> 8), 0})
		add("ALPH", f.alph)
	}
	add("VP8 ", f.vp8)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func (f *webpFrame) lossless(src *file) (image.Image, error) {
	config, err := vp8l.DecodeConfig(bytes.NewReader(f.vp8l))
	if err != nil {
		return nil, err
	}
	if err := src.check(config.Width, config.Height); err != nil {
		return nil, err
	}
	// libwebp takes bits that the last pixel lacks for zeroes.
	img, err := vp8l.Decode(src.reader(append(f.vp8l[:len(f.vp8l):len(f.vp8l)], 0)))
	if err != nil {
		return nil, err
	}
	out, ok := img.(*image.NRGBA)
	if !ok {
		return nil, fmt.Errorf("decoder returned %T", img)
	}
	if hasAlpha := f.vp8l[4]&0x10 != 0; hasAlpha {
		return out, nil
	}
	for i := 3; i < len(out.Pix); i += 4 {
		out.Pix[i] = 255
	}
	return &image.RGBA{Pix: out.Pix, Stride: out.Stride, Rect: out.Rect}, nil
}

// place lays the frame on the canvas.
func (f *webpFrame) place(img image.Image) (image.Image, error) {
	size := img.Bounds().Size()
	if f.origin.X+size.X > f.canvas.X || f.origin.Y+size.Y > f.canvas.Y {
		return nil, fmt.Errorf("frame of %v at %v does not fit on the canvas of %v", size, f.origin, f.canvas)
	}
	canvas := image.NewNRGBA(image.Rectangle{Max: f.canvas})
	var pix []byte
	switch img := img.(type) {
	case *image.NRGBA:
		pix = img.Pix
	case *image.RGBA:
		pix = img.Pix
	}
	for y := range size.Y {
		copy(canvas.Pix[canvas.PixOffset(f.origin.X, f.origin.Y+y):], pix[4*y*size.X:][:4*size.X])
	}
	if f.alpha {
		return canvas, nil
	}
	for i := 3; i < len(canvas.Pix); i += 4 {
		canvas.Pix[i] = 255
	}
	return &image.RGBA{Pix: canvas.Pix, Stride: canvas.Stride, Rect: canvas.Rect}, nil
}
