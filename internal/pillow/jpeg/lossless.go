package jpeg

import "fmt"

// losslessScan decodes a scan of a lossless frame with Huffman codes (annex H):
// differences of samples to what neighbours predict. As in libjpeg a restart
// interval is whole rows.
func (d *decoder) losslessScan(s *scanHeader) error {
	across, down := d.mcusX, d.mcusY
	if len(s.comps) == 1 {
		across, down = s.comps[0].width, s.comps[0].height
	}
	if d.restart%across != 0 {
		return fmt.Errorf("restart interval of %d samples in rows of %d", d.restart, across)
	}
	l := &losslessRows{scanHeader: s, in: huffmanData{bitReader: bitReader{data: d.data, pos: d.pos}}}
	for _, c := range s.comps {
		l.rows = append(l.rows, newSampleRows(c, across, len(s.comps) > 1))
	}
	left, next := d.restart/across, byte(markRST0)
	for y := range down {
		if d.Row != nil {
			d.Row()
		}
		if d.restart > 0 {
			if left == 0 {
				if !l.in.restart(next) {
					return d.cutOff(y, down)
				}
				l.forget()
				next = markRST0 + (next+1)&7
				left = d.restart / across
			}
			left--
		}
		if l.in.starved() {
			l.forget() // what is missing is grey
		} else if l.differences(across); l.in.lost() {
			return d.cutOff(y, down)
		}
		l.samples(y)
	}
	d.pos, d.pending = l.in.unread()
	return nil
}

// losslessRows is the state of a lossless scan.
type losslessRows struct {
	*scanHeader
	in   huffmanData
	rows []*sampleRows // of each component
}

// sampleRows are the rows of a component in one row of units.
type sampleRows struct {
	c       *component
	h, v    int // samples of a unit
	diffs   [][]int32
	current []int32 // the last row, before it is scaled
	first   bool    // in its interval
}

func newSampleRows(c *component, across int, interleaved bool) *sampleRows {
	r := &sampleRows{c: c, h: 1, v: 1, current: make([]int32, c.width), first: true}
	if interleaved {
		r.h, r.v = c.h, c.v
	}
	for range r.v {
		r.diffs = append(r.diffs, make([]int32, across*r.h))
	}
	return r
}

// forget begins a new interval: the next row is predicted from nothing.
func (l *losslessRows) forget() {
	for _, r := range l.rows {
		r.first = true
		for _, row := range r.diffs {
			clear(row)
		}
	}
}

// differences decodes a row of units.
func (l *losslessRows) differences(across int) {
	b := &l.in.bitReader
	for x := range across {
		for _, r := range l.rows {
			for v := range r.v {
				for h := range r.h {
					b.ensure()
					size := b.symbol(r.c.dc)
					switch {
					case size == 16:
						r.diffs[v][x*r.h+h] = 1 << 15
					case size > 0:
						r.diffs[v][x*r.h+h] = extend(b.take(size), size)
					default:
						r.diffs[v][x*r.h+h] = 0
					}
				}
			}
		}
	}
}

// samples adds the predictions to the differences of the y-th row of units.
func (l *losslessRows) samples(y int) {
	for _, r := range l.rows {
		for v, diffs := range r.diffs {
			row := y*r.v + v
			if row >= r.c.height {
				break
			}
			r.predict(diffs, l.from, 1<<(7-l.bit))
			out := r.c.plane[row*r.c.stride:]
			for x, s := range r.current {
				out[x] = byte(s << l.bit)
			}
		}
	}
}

// predict makes the next row of samples (table H.1).
func (r *sampleRows) predict(diffs []int32, predictor int, start int32) {
	cur := r.current
	above := cur[0]
	if r.first {
		predictor, above = 1, start
	}
	r.first = false
	corner := cur[0]
	cur[0] = (diffs[0] + above) & 0xffff
	for x := 1; x < len(cur); x++ {
		left, up := cur[x-1], cur[x]
		var p int32
		switch predictor {
		case 1:
			p = left
		case 2:
			p = up
		case 3:
			p = corner
		case 4:
			p = left + up - corner
		case 5:
			p = left + (up-corner)>>1
		case 6:
			p = up + (left-corner)>>1
		case 7:
			p = (left + up) >> 1
		}
		corner = up
		cur[x] = (diffs[x] + p) & 0xffff
	}
}
