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
	if n != 1 && n != 3 && n != 4 {
		return 0, fmt.Errorf("%d components, want 1, 3 or 4", n)
	}
	d.width, d.height, d.layers = width, height, n
	return n, nil
}

func (d *decoder) allocate(comps []*component) error {
	unit := 8
	if d.kind == lossless {
		unit = 1
	}
	d.mcusX = (d.width + unit*d.hMax - 1) / (unit * d.hMax)
	d.mcusY = (d.height + unit*d.vMax - 1) / (unit * d.vMax)
	blocks := 0
	for _, c := range comps {
		if d.hMax%c.h != 0 || d.vMax%c.v != 0 {
			return fmt.Errorf("component %d: sampling %d×%d of %d×%d is not supported", c.id, c.h, c.v, d.hMax, d.vMax)
		}
		c.width = (d.width*c.h + d.hMax - 1) / d.hMax
		c.height = (d.height*c.v + d.vMax - 1) / d.vMax
		c.across, c.down = d.mcusX*c.h, d.mcusY*c.v
		c.stride = unit * c.across
		blocks += (c.width + unit - 1) / unit * ((c.height + unit - 1) / unit)
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
	if least > len(d.data) {
		return fmt.Errorf("%d bytes cannot hold %d×%d pixels", len(d.data), d.width, d.height)
	}
	for _, c := range comps {
		c.plane = make([]byte, c.stride*unit*c.down)
		for i := range c.plane {
			c.plane[i] = 128 // until there is a block
		}
		if d.kind == progressive {
			c.coefs = make([]int16, 64*c.across*c.down)
		}
	}
	d.comps = comps
	return nil
}
