package pillow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"iter"
	"math/bits"

	"github.com/goclip/goclip/internal/pillow/vp8"
	"github.com/goclip/goclip/internal/pillow/vp8l"
)

// webpFrame is the image of a WebP file, or the first of its animation.
type webpFrame struct {
	canvas          image.Point // zero where the file does not say
	origin          image.Point // of the frame on the canvas
	alpha           bool        // the file says that it has alpha
	alph, vp8, vp8l []byte
	animated        bool
}

// readWebP converts lossy images to RGB as libwebp does. What the frame of an animation leaves free is transparent,
// or black where the file has no alpha.
func readWebP(src *file) (image.Image, error) {
	var f webpFrame
	f.parse(riffChunks(src.data))
	if f.vp8 == nil && f.vp8l == nil {
		if want := 8 + int64(binary.LittleEndian.Uint32(src.data[4:])); want > int64(len(src.data)) {
			return nil, fmt.Errorf("cut off: %d bytes of %d", len(src.data), want)
		}
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
		f.vp8l = body[:min(len(body)+len(body)&1, cap(body))] // libwebp reads what pads it, too
		return false
	}
	return true
}

func (f *webpFrame) decode(src *file) (image.Image, error) {
	if f.vp8l != nil {
		return f.lossless(src)
	}
	width, height, err := vp8.Config(f.vp8)
	if err != nil {
		return nil, err
	}
	if err := src.check(width, height); err != nil {
		return nil, err
	}
	img, err := vp8.Decode(f.vp8, src.live)
	if err != nil {
		return nil, err
	}
	pix := videoRGB(img)
	if f.alph == nil {
		return &image.RGBA{Pix: pix, Stride: 4 * width, Rect: img.Rect}, nil
	}
	alpha, err := webpAlpha(src, f.alph, width, height)
	if err != nil {
		return nil, err
	}
	for i, a := range alpha {
		pix[4*i+3] = a
	}
	return &image.NRGBA{Pix: pix, Stride: 4 * width, Rect: img.Rect}, nil
}

// webpAlpha decodes an ALPH chunk: bytes as they are, or the green channel of a lossless
// image without its header, of which a row, a column or a gradient was subtracted.
func webpAlpha(src *file, data []byte, width, height int) ([]byte, error) {
	if len(data) < 1 {
		return nil, errors.New("ALPH chunk is empty")
	}
	head, data := data[0], data[1:]
	alpha := make([]byte, width*height)
	switch head & 3 {
	case 0:
		if len(data) < len(alpha) {
			return nil, cutOff(len(data), len(alpha))
		}
		copy(alpha, data)
	case 1:
		pix, err := vp8l.DecodeAlpha(data, width, height, src.live)
		if err != nil {
			return nil, err
		}
		for i, v := range pix {
			alpha[i] = byte(v >> 8)
		}
	default:
		return nil, fmt.Errorf("ALPH chunk of method %d", head&3)
	}
	above := make([]byte, width)
	for y, row := 0, alpha; y < height; y, row = y+1, row[width:] {
		unfilterAlpha(row[:width], above, head>>2&3, y == 0)
		above = row[:width]
	}
	return alpha, nil
}

// unfilterAlpha: what the first column has to its left is above it, and the first row
// nothing but that.
func unfilterAlpha(row, above []byte, filter byte, first bool) {
	if filter == 0 {
		return
	}
	row[0] += above[0]
	for x := 1; x < len(row); x++ {
		switch {
		case filter == 1 || first:
			row[x] += row[x-1]
		case filter == 2:
			row[x] += above[x]
		default:
			row[x] += clip8(int32(row[x-1]) + int32(above[x]) - int32(above[x-1]))
		}
	}
}

func (f *webpFrame) lossless(src *file) (image.Image, error) {
	h, err := vp8l.Config(f.vp8l)
	if err != nil {
		return nil, err
	}
	if err := src.check(h.Width, h.Height); err != nil {
		return nil, err
	}
	pix, err := vp8l.Decode(f.vp8l, src.live)
	if err != nil {
		return nil, err
	}
	kind, opaque := modeRGBA, uint32(0)
	if !h.Alpha {
		kind, opaque = modeRGB, 0xff
	}
	c := newCanvas(kind, h.Width, h.Height, nil)
	for i, v := range pix {
		binary.LittleEndian.PutUint32(c.pix[4*i:], bits.ReverseBytes32(v<<8|v>>24|opaque))
	}
	return c.img, nil
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
