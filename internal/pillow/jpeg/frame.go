package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// frame reads a frame header (B.2.2) and takes memory for the image.
func (d *decoder) frame(mark byte, body []byte) error {
	if d.comps != nil {
		return errors.New("a second frame header")
	}
	n, err := d.size(body)
	if err != nil {
		return err
	}
	if len(body) != 6+3*n {
		return fmt.Errorf("frame header of %d bytes", len(body))
	}
	d.arithmetic = mark == markSOF9 || mark == markSOFA
	switch mark {
	case markSOF2, markSOFA:
		d.kind = progressive
	case markSOF3:
		d.kind = lossless
	}
	var comps []*component
	for i := range n {
		f := body[6+3*i:]
		c := &component{id: f[0], h: int(f[1] >> 4), v: int(f[1] & 15), tq: f[2]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 {
			return fmt.Errorf("component %d: sampling %d×%d", c.id, c.h, c.v)
		}
		for k := range c.bits {
			c.bits[k] = -1
		}
		d.hMax, d.vMax = max(d.hMax, c.h), max(d.vMax, c.v)
		comps = append(comps, c)
	}
	return d.allocate(comps)
}

// size reads the image's size and how many components it has.
func (d *decoder) size(body []byte) (components int, err error) {
	if len(body) < 6 {
		return 0, fmt.Errorf("frame header of %d bytes", len(body))
	}
	if body[0] != 8 {
		return 0, fmt.Errorf("%d bits a sample, want 8", body[0])
	}
	height, width := int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	if err := d.Check(width, height); err != nil {
		return 0, err
	}
	n := int(body[5])
	if n != 1 && n != 3 && n != 4 && (n != 2 || d.Colour != Direct) {
		return 0, fmt.Errorf("%d components, want 1, 3 or 4", n)
	}
	d.width, d.height, d.layers = width, height, n
	return n, nil
}

// cheap is how many pixels are read of any file, however small.
const cheap = 1 << 20

func (d *decoder) allocate(comps []*component) error {
	unit := 8
	if d.kind == lossless {
		unit = 1
	}
	d.mcusX = (d.width + unit*d.hMax - 1) / (unit * d.hMax)
	d.mcusY = (d.height + unit*d.vMax - 1) / (unit * d.vMax)
	d.whole = unit
	if d.kind != lossless {
		d.whole = d.draft()
	}
	blocks := 0
	for _, c := range comps {
		if d.hMax%c.h != 0 || d.vMax%c.v != 0 {
			return fmt.Errorf("component %d: sampling %d×%d of %d×%d is not supported", c.id, c.h, c.v, d.hMax, d.vMax)
		}
		d.place(c, unit)
		blocks += c.columns * c.rows
	}
	// A block takes a bit at least: that of its DC coefficient. Of a file that
	// was cut off, a part of that may be left.
	least := blocks / 8
	if d.arithmetic {
		least = 0
	}
	if d.Truncated {
		least /= 16
	}
	if int64(d.width)*int64(d.height) > cheap && least > len(d.data) {
		return fmt.Errorf("%d bytes cannot hold %d×%d pixels", len(d.data), d.width, d.height)
	}
	for _, c := range comps {
		c.plane = make([]byte, c.stride*c.side*c.down)
		grey(c.plane) // until there is a block
		if d.kind == progressive {
			c.coefs = make([]int16, 64*c.across*c.down)
			if !d.arithmetic {
				c.known = make([]uint64, c.across*c.down)
			}
		}
	}
	d.width, d.height = (d.width*d.whole+unit-1)/unit, (d.height*d.whole+unit-1)/unit
	d.comps = comps
	return nil
}

// draft returns the side that blocks shrink to.
func (d *decoder) draft() int {
	w, h := d.Draft[0], d.Draft[1]
	if w < 1 || h < 1 {
		return 8
	}
	for side := 1; side < 8; side *= 2 {
		if min(d.width/w, d.height/h) >= 8/side {
			return side
		}
	}
	return 8
}

// place computes the size of a component. In a draft, subsampled ones are left larger, as
// far as that saves enlarging them (libjpeg's jdmaster.c).
func (d *decoder) place(c *component, unit int) {
	c.columns = (d.width*c.h + d.hMax*unit - 1) / (d.hMax * unit)
	c.rows = (d.height*c.v + d.vMax*unit - 1) / (d.vMax * unit)
	c.across, c.down = d.mcusX*c.h, d.mcusY*c.v
	for c.side = d.whole; c.side < unit && d.hMax*d.whole%(2*c.h*c.side) == 0 && d.vMax*d.whole%(2*c.v*c.side) == 0; {
		c.side *= 2
	}
	c.width = (d.width*c.h*c.side + d.hMax*unit - 1) / (d.hMax * unit)
	c.height = (d.height*c.v*c.side + d.vMax*unit - 1) / (d.vMax * unit)
	c.stride = c.side * c.across
}

func grey(plane []byte) {
	const piece = 4096
	for i := range min(piece, len(plane)) {
		plane[i] = 128
	}
	for done := piece; done < len(plane); {
		done += copy(plane[done:], plane[:piece])
	}
}
