// Package vp8l decodes lossless WebP images (VP8L), and the planes of alpha that lossy ones
// have in the same form, as libwebp does: it accepts what that accepts.
//
// The format is "WebP Lossless Bitstream Specification"; sections below are its own.
package vp8l

import (
	"errors"
	"fmt"
)

const (
	literals  = 256
	lengths   = 24
	distances = 40
	maxCache  = 11 // bits
)

// Header is what the first five bytes say.
type Header struct {
	Width, Height int
	Alpha         bool // may be other than 255
}

// Config reads the header.
func Config(data []byte) (h Header, err error) {
	if len(data) < 5 || data[0] != 0x2f {
		return h, errors.New("vp8l: no header")
	}
	r := reader{data: data[1:]}
	h.Width, h.Height, h.Alpha = 1+r.bits(14), 1+r.bits(14), r.bits(1) != 0
	if v := r.bits(3); v != 0 {
		return h, fmt.Errorf("vp8l: version %d", v)
	}
	return h, nil
}

// Decode returns the pixels of an image, alpha in the highest byte, then red, green and
// blue. It takes 8 bytes a pixel and up to 200 MiB for codes. live is called for
// every row; its panic is the caller's.
func Decode(data []byte, live func()) ([]uint32, error) {
	h, err := Config(data)
	if err != nil {
		return nil, err
	}
	return decode(data, 40, h.Width, h.Height, live)
}

// DecodeAlpha is Decode of a stream without a header; alpha is what is green.
func DecodeAlpha(data []byte, width, height int, live func()) ([]uint32, error) {
	return decode(data, 0, width, height, live)
}

func decode(data []byte, from, width, height int, live func()) ([]uint32, error) {
	d := &decoder{reader: reader{data: data}, live: live}
	d.bits(from / 2)
	d.bits(from - from/2)
	undo, coded, err := d.transforms(width, height)
	if err != nil {
		return nil, fmt.Errorf("vp8l: %w", err)
	}
	pix, err := d.image(coded, height, true)
	if err != nil {
		return nil, fmt.Errorf("vp8l: %w", err)
	}
	for i := len(undo) - 1; i >= 0; i-- {
		pix = undo[i](pix)
	}
	return pix, nil
}

type decoder struct {
	reader
	live func()
}

var errEnd = errors.New("the data end early")

// image decodes the pixels of an image, or of one that describes a part of it (5.2).
func (d *decoder) image(width, height int, main bool) ([]uint32, error) {
	cache := 0
	if d.bits(1) != 0 {
		if cache = d.bits(4); cache < 1 || cache > maxCache {
			return nil, fmt.Errorf("a cache of %d bits", cache)
		}
	}
	m := &meta{shift: 31, across: 1, at: []uint32{0}}
	if main && d.bits(1) != 0 {
		m.shift = uint(2 + d.bits(3))
		m.across = shrunk(width, m.shift)
		var err error
		if m.at, err = d.image(m.across, shrunk(height, m.shift), false); err != nil {
			return nil, err
		}
		for i, v := range m.at {
			m.at[i] = v >> 8 & 0xffff
		}
	}
	if err := d.groups(m, cache); err != nil {
		return nil, err
	}
	pix := make([]uint32, width*height)
	return pix, d.pixels(pix, width, m, cache)
}

// shrunk is how many tiles of 1<<shift pixels cover n.
func shrunk(n int, shift uint) int { return (n + 1<<shift - 1) >> shift }

// meta says which group of codes a tile of the image has.
type meta struct {
	shift  uint
	across int
	at     []uint32
	groups []*group
}

// group is the codes of a tile (6.2).
type group struct {
	green, red, blue, alpha, distance table
	literal                           bool   // all but green have one symbol, with which
	rest                              uint32 // these are the other bits
}

// groups reads the codes of all groups, and keeps those that are used.
func (d *decoder) groups(m *meta, cache int) error {
	most := uint32(0)
	used := make(map[uint32]bool)
	for _, v := range m.at {
		most = max(most, v)
		used[v] = true
	}
	m.groups = make([]*group, most+1)
	green := literals + lengths
	if cache > 0 {
		green += 1 << cache
	}
	sizes := make([]uint8, green)
	for i := range m.groups {
		d.live()
		g := new(group)
		for j, t := range []*table{&g.green, &g.red, &g.blue, &g.alpha, &g.distance} {
			alphabet := [5]int{green, literals, literals, literals, distances}[j]
			if err := d.code(t, sizes[:alphabet], used[uint32(i)]); err != nil {
				return err
			}
		}
		if used[uint32(i)] {
			if g.literal = len(g.red) == 1 && len(g.blue) == 1 && len(g.alpha) == 1; g.literal {
				g.rest = uint32(g.alpha[0]>>4)<<24 | uint32(g.red[0]>>4)<<16 | uint32(g.blue[0]>>4)
			}
			m.groups[i] = g
		}
	}
	return nil
}

// pixels fills pix (5.2.1 to 5.2.3). The reader's state is held in a variable.
func (d *decoder) pixels(pix []uint32, width int, m *meta, cacheBits int) error {
	var cache []uint32
	if cacheBits > 0 {
		cache = make([]uint32, 1<<cacheBits)
	}
	const factor = 0x1e35a7bd
	hash := 32 - uint(cacheBits)
	known := 0 // pixels below this one are in the cache
	r := d.reader
	var g *group
	mask := 1<<min(m.shift, 30) - 1
	for at, x, y := 0, 0, 0; at < len(pix); {
		if x == 0 {
			d.live()
		}
		if g == nil || x&mask == 0 {
			g = m.groups[m.at[y>>m.shift*m.across+x>>m.shift]]
		}
		if hasBMI2 && !g.literal && len(r.data)-r.pos >= 16 {
			run := min(x|mask+1, width) - x
			if run = literalsBMI2(&r, g, &pix[at], min(run, len(pix)-at)); run > 0 {
				at += run
				if x += run; x == width {
					x, y, g = 0, y+1, nil
				}
				continue
			}
		}
		r.fill()
		code := r.symbol(g.green)
		if code < literals {
			v := g.rest | code<<8
			if !g.literal {
				red := r.symbol(g.red)
				blue := r.symbol(g.blue)
				r.fill()
				v = r.symbol(g.alpha)<<24 | red<<16 | code<<8 | blue
			}
			if r.ended() {
				return errEnd
			}
			pix[at] = v
			at++
			if x++; x == width {
				x, y, g = 0, y+1, nil
			}
			if cache != nil {
				for ; known < at; known++ {
					cache[pix[known]*factor>>hash] = pix[known]
				}
			}
			continue
		}
		if code >= literals+lengths {
			for ; known < at; known++ {
				cache[pix[known]*factor>>hash] = pix[known]
			}
			if r.ended() {
				return errEnd
			}
			pix[at] = cache[code-literals-lengths]
			at++
			if x++; x == width {
				x, y, g = 0, y+1, nil
			}
			continue
		}
		length := r.extended(code - literals)
		r.fill()
		distance := planeDistance(r.extended(r.symbol(g.distance)), width)
		if r.ended() {
			return errEnd
		}
		if distance > at || length > len(pix)-at {
			return fmt.Errorf("%d pixels copied from %d before, of %d", length, distance, at)
		}
		if distance >= length {
			copy(pix[at:at+length], pix[at-distance:])
		} else {
			for i := at; i < at+length; i++ {
				pix[i] = pix[i-distance]
			}
		}
		at += length
		for x += length; x >= width; x -= width {
			y++
			d.live()
		}
		g = nil
	}
	d.reader = r
	return nil
}

// extended returns the length or distance that a symbol begins (5.2.2).
func (r *reader) extended(symbol uint32) int {
	if symbol < 4 {
		return int(symbol) + 1
	}
	extra := (symbol - 2) >> 1
	r.fill()
	return int((2|symbol&1)<<extra) + r.take(uint(extra)) + 1
}
