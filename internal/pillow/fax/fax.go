// Package fax expands images that fax machines compress (ITU-T T.4 and T.6), as
// libtiff does where data are damaged: a row ends white behind a wrong code.
package fax

import (
	"errors"
	"io"
	"strings"
)

// Coding is a way to write rows.
type Coding int

// The codings.
const (
	Group3    Coding = iota // T.4, one-dimensional
	Group3Two               // T.4, two-dimensional
	Group4                  // T.6
	Runs                    // of T.4, each row beginning with a byte
	RunWords                // beginning with a word of 16 bits
)

// Decoder reads rows. It is not safe for concurrent use.
type Decoder struct {
	*tables
	coding  Coding
	width   int
	data    []byte
	pos     int
	acc     uint64 // the next bit is the highest
	have    int    // bits
	endRow  bool   // a code that ends a row has been read, but for its last bit
	noEnds  bool   // the data have no such codes
	rows    int
	swapped bool

	// The runs of the row and of that above: white, black, white, … Behind those
	// of a row lie what is left of others, which damaged data come to.
	runs, above []int
	n           int // runs of the row
	run         int // pixels of the run so far
	at          int // pixels of the row so far
}

type tables struct {
	white, black, mode [1 << blackBits]entry
}

// entry is what a table says of the next bits.
type entry struct {
	kind  kind
	width uint8
	run   int16
}

type kind uint8

const (
	wrong kind = iota
	last       // ends a run
	more
	vertical
	pass
	horizontal
	uncompressed // an extension that nobody reads
	end          // of a row
)

const (
	whiteBits = 12
	blackBits = 13
	modeBits  = 7
)

// NewDecoder prepares to read rows of width pixels, at least 1.
func NewDecoder(coding Coding, width int) *Decoder {
	most := (width + 32) / 32 * 32
	if coding == Group4 || coding == Group3Two {
		most *= 2
	}
	d := &Decoder{tables: new(tables), coding: coding, width: width, runs: make([]int, most), above: make([]int, most)}
	for i, code := range strings.Fields(whiteCodes) {
		fill(d.white[:], whiteBits, code, run(i))
	}
	for i, code := range strings.Fields(blackCodes) {
		fill(d.black[:], blackBits, code, run(i))
	}
	for i, code := range strings.Fields(longCodes) {
		fill(d.white[:], whiteBits, code, entry{kind: more, run: int16(1792 + 64*i)})
		fill(d.black[:], blackBits, code, entry{kind: more, run: int16(1792 + 64*i)})
	}
	const zeroes = "00000000000"
	fill(d.white[:], whiteBits, zeroes, entry{kind: end})
	fill(d.black[:], blackBits, zeroes, entry{kind: end})
	for i, code := range strings.Fields(modeCodes) {
		e := entry{kind: vertical, run: int16(i - 3)}
		if i > 6 {
			e = entry{kind: pass + kind(i-7)}
		}
		fill(d.mode[:], modeBits, code, e)
	}
	fill(d.mode[:], modeBits, "0000001", entry{kind: uncompressed})
	fill(d.mode[:], modeBits, zeroes[:modeBits], entry{kind: end})
	return d
}

// run is the i-th code of a colour.
func run(i int) entry {
	if i < 64 {
		return entry{kind: last, run: int16(i)}
	}
	return entry{kind: more, run: int16(64 * (i - 63))}
}

// fill enters a code in a table that is indexed by so many bits.
func fill(table []entry, bits int, code string, e entry) {
	from := 0
	for _, c := range code {
		from = from<<1 | int(c-'0')
	}
	e.width = uint8(len(code))
	free := bits - len(code)
	for i := range 1 << free {
		table[from<<free|i] = e
	}
}

// Reset begins to read data, whose bytes have the first pixel in the highest
// bit.
func (d *Decoder) Reset(data []byte) {
	d.data, d.pos, d.acc, d.have, d.endRow, d.noEnds, d.rows = data, 0, 0, 0, false, false, 0
	if d.swapped { // libtiff begins with the same memory again
		d.runs, d.above, d.swapped = d.above, d.runs, false
	}
	d.above[0], d.above[1] = d.width, 0
}

// need reads up to n bits, at most 16. Behind the data there are zeroes, until
// no bit is left at all.
func (d *Decoder) need(n int) bool {
	for d.have < n {
		if d.pos == len(d.data) {
			if d.have == 0 {
				return false
			}
			d.have = n
			break
		}
		d.acc |= uint64(d.data[d.pos]) << (56 - d.have)
		d.pos++
		d.have += 8
	}
	return true
}

func (d *Decoder) peek(n int) int { return int(d.acc >> (64 - n)) }

func (d *Decoder) drop(n int) {
	d.acc <<= n
	d.have -= n
}

func (d *Decoder) lookup(table *[1 << blackBits]entry, bits int) (entry, bool) {
	if !d.need(bits) {
		return entry{}, false
	}
	e := table[d.peek(bits)]
	d.drop(int(e.width))
	return e, true
}

// errRow ends a row early.
var errRow = errors.New("fax: a wrong code")

// errRuns is about a row of more runs than pixels.
var errRuns = errors.New("fax: too many runs in a row")

// Row writes the next row, a bit for each pixel, which is 1 where it is black.
// It returns io.EOF where data of Group 4 end in it or before it, but not with
// the first row, and io.ErrUnexpectedEOF where other data do.
func (d *Decoder) Row(dst []byte) error {
	d.n, d.run, d.at = 0, 0, 0
	err := d.expand()
	if errors.Is(err, errRuns) {
		return err
	}
	ended := errors.Is(err, io.ErrUnexpectedEOF)
	if d.finish() != nil {
		return errRuns
	}
	d.paint(dst)
	if ended || d.coding == Group4 && d.endRow {
		if d.coding == Group4 && d.rows > 0 {
			return io.EOF
		}
		return io.ErrUnexpectedEOF
	}
	d.rows++
	if d.coding == Group4 || d.coding == Group3Two {
		if err := d.append(0); err != nil && d.coding == Group4 {
			return err
		}
		d.runs, d.above, d.swapped = d.above, d.runs, !d.swapped
	}
	switch d.coding {
	case Runs:
		d.drop(d.have % 8)
	case RunWords:
		d.drop(d.have % 16)
		if d.have == 0 && d.pos%2 == 1 && d.pos < len(d.data) {
			d.pos++
		}
	}
	return nil
}

func (d *Decoder) expand() error {
	switch d.coding {
	case Group4:
		return d.expandTwo()
	case Group3, Group3Two:
		if !d.noEnds {
			if err := d.sync(); err != nil {
				return err
			}
		}
		if d.coding == Group3Two {
			if !d.need(1) {
				return io.ErrUnexpectedEOF
			}
			one := d.peek(1) == 1
			if d.drop(1); !one {
				return d.expandTwo()
			}
		}
	}
	return d.expandOne()
}

// sync goes behind the next code that ends a row: 11 zeroes, or more, and a one.
// Where not all of the zeroes have been read already, what is before them is
// passed over.
func (d *Decoder) sync() error {
	for !d.endRow {
		if !d.need(11) {
			return io.ErrUnexpectedEOF
		}
		if d.peek(11) == 0 {
			break
		}
		d.drop(1)
	}
	for {
		if !d.need(8) {
			// Some writers leave out the codes: begin again without.
			d.pos, d.acc, d.have, d.endRow, d.noEnds = 0, 0, 0, false, true
			return nil
		}
		if d.peek(8) != 0 {
			break
		}
		d.drop(8)
	}
	for d.peek(1) == 0 {
		d.drop(1)
	}
	d.drop(1)
	d.endRow = false
	return nil
}

// set ends a run that is n pixels longer.
func (d *Decoder) set(n int) error {
	if err := d.append(d.run + n); err != nil {
		return err
	}
	d.at += n
	d.run = 0
	return nil
}

func (d *Decoder) append(run int) error {
	if d.n == len(d.runs) {
		return errRuns
	}
	d.runs[d.n] = run
	d.n++
	return nil
}

// one reads a run of a colour.
func (d *Decoder) one(table *[1 << blackBits]entry, bits int) error {
	for {
		e, ok := d.lookup(table, bits)
		switch {
		case !ok:
			return io.ErrUnexpectedEOF
		case e.kind == last:
			return d.set(int(e.run))
		case e.kind == more:
			d.at += int(e.run)
			d.run += int(e.run)
		default:
			d.endRow = d.endRow || e.kind == end
			return errRow
		}
	}
}

func (d *Decoder) expandOne() error {
	for {
		if err := d.one(&d.white, whiteBits); err != nil || d.at >= d.width {
			return err
		}
		if err := d.one(&d.black, blackBits); err != nil || d.at >= d.width {
			return err
		}
		if d.runs[d.n-1] == 0 && d.runs[d.n-2] == 0 {
			d.n -= 2
		}
	}
}

// finish makes the runs as long as the row: what is missing is white.
func (d *Decoder) finish() error {
	if d.run > 0 {
		if err := d.set(0); err != nil {
			return err
		}
	}
	if d.at == d.width {
		return nil
	}
	for d.at > d.width && d.n > 0 {
		d.n--
		d.at -= d.runs[d.n]
	}
	switch {
	case d.at < d.width:
		d.at = max(d.at, 0)
		if d.n%2 == 1 {
			if err := d.append(0); err != nil {
				return err
			}
		}
		return d.set(d.width - d.at)
	case d.at > d.width:
		if err := d.append(d.width); err != nil {
			return err
		}
		return d.append(0)
	}
	return nil
}

// paint sets the bits of black runs, and clears those of white ones.
func (d *Decoder) paint(dst []byte) {
	clear(dst)
	x := 0
	for i, n := range d.runs[:d.n] {
		n = min(max(n, 0), d.width-x)
		if i%2 == 1 {
			for p := x; p < x+n; p++ {
				if p%8 == 0 && p+8 <= x+n {
					dst[p/8] = 0xff
					p += 7
					continue
				}
				dst[p/8] |= 0x80 >> (p % 8)
			}
		}
		x += n
	}
}
