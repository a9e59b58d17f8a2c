// Package vp8 decodes the key frames of VP8 (RFC 6386) that lossy WebP consists of, to the
// bytes of libwebp, which ends damaged ones elsewhere than golang.org/x/image does. With AVX2 and
// BMI2 it takes less than half of that one's time. Section numbers are the RFC's.
package vp8

import (
	"errors"
	"fmt"
	"image"
)

// errCut is about data that end too early.
var errCut = errors.New("the data end early")

// decoder is the state of one frame.
type decoder struct {
	modes  *boolReader   // the first partition
	tokens []*boolReader // the others, of which each row takes the next
	width, height,
	across, down int // in macroblocks

	segments segments
	steps    [4]quantiser // of each segment
	probs    [4]probabilities
	skips    int // probability that a macroblock has no coefficients, or −1
	filters  filters

	luma, cb, cr plane
	above        []edge // of each column
	left         edge
	blocks       []deblocking

	coefs [25][16]int16
}

// edge is what a macroblock leaves to those beside and below it.
type edge struct {
	modes   [4]uint8 // of its 4×4 blocks
	luma    [4]uint8 // whether these have coefficients
	chroma  [4]uint8 // two of each plane
	average uint8    // whether the block of averages has
}

// segments are the kinds of macroblocks that a frame distinguishes (9.3).
type segments struct {
	on, mapped, absolute bool
	quantiser, strength  [4]int
	probs                [3]uint8
}

// quantiser holds the steps of the first coefficient and of the others.
type quantiser struct{ luma, average, chroma [2]int32 }

// Config returns the size of a frame.
func Config(data []byte) (width, height int, err error) {
	if len(data) < 10 || string(data[3:6]) != "\x9d\x01\x2a" {
		return 0, 0, errors.New("no VP8 key frame")
	}
	tag := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16
	if tag&1 != 0 || tag>>1&7 > 3 || tag>>4&1 == 0 || int(tag>>5) >= len(data) {
		return 0, 0, fmt.Errorf("a VP8 frame of kind %#x", tag&31)
	}
	width, height = int(data[6])|int(data[7]&0x3f)<<8, int(data[8])|int(data[9]&0x3f)<<8
	if width == 0 || height == 0 {
		return 0, 0, fmt.Errorf("size %d×%d has no pixels", width, height)
	}
	return width, height, nil
}

// Decode decodes a frame. It calls row before each row of macroblocks, which may panic to
// end it.
func Decode(data []byte, row func()) (*image.YCbCr, error) {
	width, height, err := Config(data)
	if err != nil {
		return nil, err
	}
	d := &decoder{width: width, height: height, across: (width + 15) / 16, down: (height + 15) / 16}
	first := int(uint32(data[0])|uint32(data[1])<<8|uint32(data[2])<<16) >> 5
	if data = data[10:]; first > len(data) {
		return nil, errCut
	}
	if err := d.headers(data[:first], data[first:]); err != nil {
		return nil, err
	}
	d.luma, d.cb, d.cr = newPlane(16*d.across, 16*d.down), newPlane(8*d.across, 8*d.down), newPlane(8*d.across, 8*d.down)
	d.above, d.blocks = make([]edge, d.across), make([]deblocking, d.across*d.down)
	for y := range d.down {
		row()
		d.left = edge{}
		tokens := d.tokens[y%len(d.tokens)]
		for x := range d.across {
			d.macroblock(tokens, x, y)
			if tokens.eof {
				return nil, errCut
			}
		}
		if d.modes.eof {
			return nil, errCut
		}
	}
	if d.filters.level > 0 {
		for y := range d.down {
			row()
			for x := range d.across {
				d.deblock(x, y)
			}
		}
	}
	img := &image.YCbCr{
		Y: d.luma.pix[d.luma.origin():], Cb: d.cb.pix[d.cb.origin():], Cr: d.cr.pix[d.cr.origin():],
		YStride: d.luma.stride, CStride: d.cb.stride, SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, width, height),
	}
	return img, nil
}

// headers reads what precedes the macroblocks (9.2 to 9.11).
func (d *decoder) headers(first, rest []byte) error {
	b := newBoolReader(first)
	d.modes = b
	b.number(2) // the colour space, and whether values are clamped, which libwebp ignores
	d.segmentHeader(b)
	d.filterHeader(b)
	if b.eof {
		return errCut
	}
	n := 1 << b.number(2)
	if len(rest) < 3*(n-1) {
		return errCut
	}
	sizes, rest := rest[:3*(n-1)], rest[3*(n-1):]
	for ; len(sizes) > 0; sizes = sizes[3:] {
		size := min(int(sizes[0])|int(sizes[1])<<8|int(sizes[2])<<16, len(rest))
		d.tokens = append(d.tokens, newBoolReader(rest[:size]))
		rest = rest[size:]
	}
	if len(rest) == 0 {
		return errCut
	}
	d.tokens = append(d.tokens, newBoolReader(rest))
	d.quantisers(b)
	b.flag() // whether the probabilities are for the next frame too
	at := 0
	for kind := range d.probs {
		var all [8][3][11]uint8 // by band
		for band := range all {
			for context := range all[band] {
				for i := range all[band][context] {
					p := firstProbs[at]
					if b.bit(updateProbs[at]) {
						p = uint8(b.number(8))
					}
					all[band][context][i] = p
					at++
				}
			}
		}
		for i, band := range []byte(bands) {
			d.probs[kind][i] = all[band]
		}
	}
	d.skips = -1
	if b.flag() {
		d.skips = b.number(8)
	}
	d.strengths()
	return nil
}

func (d *decoder) segmentHeader(b *boolReader) {
	s := &d.segments
	s.probs = [3]uint8{255, 255, 255}
	if s.on = b.flag(); !s.on {
		return
	}
	s.mapped = b.flag()
	s.absolute = true
	if b.flag() {
		s.absolute = b.flag()
		for i := range s.quantiser {
			s.quantiser[i] = b.optional(7, 0)
		}
		for i := range s.strength {
			s.strength[i] = b.optional(6, 0)
		}
	}
	if !s.mapped {
		return
	}
	for i := range s.probs {
		if b.flag() {
			s.probs[i] = uint8(b.number(8))
		}
	}
}

// quantisers reads the steps of each segment (9.6).
func (d *decoder) quantisers(b *boolReader) {
	base := b.number(7)
	var delta [5]int
	for i := range delta {
		delta[i] = b.optional(4, 0)
	}
	for i := range d.steps {
		q := base
		if d.segments.on {
			if q = d.segments.quantiser[i]; !d.segments.absolute {
				q += base
			}
		}
		index := func(i, most int) int { return min(max(q+i, 0), most) }
		dc := func(i, most int) int32 { return int32(dcSteps[index(i, most)]) }
		d.steps[i] = quantiser{
			luma:    [2]int32{dc(delta[0], 127), acSteps[index(0, 127)]},
			average: [2]int32{2 * dc(delta[1], 127), max(8, acSteps[index(delta[2], 127)]*155/100)},
			chroma:  [2]int32{dc(delta[3], 117), acSteps[index(delta[4], 127)]},
		}
	}
}
