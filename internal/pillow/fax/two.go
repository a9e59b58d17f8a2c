package fax

import "io"

// reference walks along the runs of the row above.
type reference struct {
	runs []int
	next int
	b    int // the next change of colour
}

func (r *reference) take(n int) error {
	if r.next+n > len(r.runs) {
		return errRuns
	}
	for range n {
		r.b += r.runs[r.next]
		r.next++
	}
	return nil
}

// seek goes to a change to the right of what has been written.
func (r *reference) seek(d *Decoder) error {
	for d.n > 0 && r.b <= d.at && r.b < d.width {
		if err := r.take(2); err != nil {
			return err
		}
	}
	return nil
}

// expandTwo reads a row by its difference to that above.
func (d *Decoder) expandTwo() error {
	above := &reference{runs: d.above, next: 1, b: d.above[0]}
	for d.at < d.width {
		if d.n == len(d.runs) {
			return errRuns
		}
		e, ok := d.lookup(&d.mode, modeBits)
		if !ok {
			return io.ErrUnexpectedEOF
		}
		var err error
		switch e.kind {
		case pass:
			err = d.pass(above)
		case horizontal:
			err = d.horizontal(above)
		case vertical:
			err = d.vertical(above, int(e.run))
		case end:
			if err := d.append(d.width - d.at); err != nil {
				return err
			}
			if !d.need(4) {
				return io.ErrUnexpectedEOF
			}
			d.drop(4)
			d.endRow = true
			return errRow
		case uncompressed:
			if err := d.append(d.width - d.at); err != nil {
				return err
			}
			return errRow
		default:
			return errRow
		}
		if err != nil {
			return err
		}
	}
	return d.lastRun()
}

func (d *Decoder) pass(above *reference) error {
	if err := above.seek(d); err != nil {
		return err
	}
	if err := above.take(1); err != nil {
		return err
	}
	d.run += above.b - d.at
	d.at = above.b
	return above.take(1)
}

func (d *Decoder) horizontal(above *reference) error {
	first, second := &d.white, &d.black
	firstBits, secondBits := whiteBits, blackBits
	if d.n%2 == 1 {
		first, second, firstBits, secondBits = second, first, secondBits, firstBits
	}
	err := d.one(first, firstBits)
	if err == nil {
		err = d.one(second, secondBits)
	}
	if err != nil {
		d.endRow = false
		return err
	}
	return above.seek(d)
}

// vertical ends a run n pixels to the right of a change above.
func (d *Decoder) vertical(above *reference, n int) error {
	if err := above.seek(d); err != nil {
		return err
	}
	if n < 0 && above.b+n < d.at {
		return errRow
	}
	if err := d.set(above.b - d.at + n); err != nil {
		return err
	}
	if n >= 0 {
		return above.take(1)
	}
	if above.next == 0 {
		return errRuns
	}
	above.next--
	above.b -= above.runs[above.next]
	return nil
}

// lastRun ends a run that passed over the changes above.
func (d *Decoder) lastRun() error {
	if d.run == 0 {
		return nil
	}
	if d.run+d.at < d.width {
		if !d.need(1) {
			return io.ErrUnexpectedEOF
		}
		if d.peek(1) == 0 {
			return errRow
		}
		d.drop(1)
	}
	return d.set(0)
}
