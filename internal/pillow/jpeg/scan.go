package jpeg

import (
	"errors"
	"fmt"
)

// zigzag maps a coefficient's place in the file to its place in the block
// (figure A.6). Runs that lead out of the block end in its last place.
var zigzag = [64 + 16]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
	63, 63, 63, 63, 63, 63, 63, 63,
	63, 63, 63, 63, 63, 63, 63, 63,
}

// scanHeader is a scan header (B.2.3).
type scanHeader struct {
	comps        []*component
	from, to     int // band of coefficients; in lossless frames from is the predictor
	highBit, bit uint
}

// entropy decodes the blocks of a scan.
type entropy interface {
	block(c *component, x, y int)
	// starved reports whether the data of this interval have ended, so that
	// what follows in it keeps what it has; lost whether the file has.
	starved() bool
	lost() bool
	restart(want byte) bool
	unread() (pos int, marker byte) // behind the scan
}

// scan reads a scan header and the data behind it.
func (d *decoder) scan(body []byte) error {
	if d.comps == nil {
		return errors.New("a scan before the frame header")
	}
	if d.scans++; d.scans > maxScans {
		return fmt.Errorf("more than %d scans", maxScans)
	}
	s, err := d.scanHeader(body)
	if err != nil {
		return err
	}
	if err := d.afford(s); err != nil {
		return err
	}
	if d.scans == 1 {
		d.single = d.kind != progressive && len(s.comps) == len(d.comps)
	}
	if d.kind == lossless {
		return d.losslessScan(s)
	}
	for _, c := range s.comps {
		if c.quant == nil {
			if c.tq > 3 || d.quant[c.tq] == nil {
				return fmt.Errorf("component %d: no quantisation table %d", c.id, c.tq)
			}
			c.quant = d.quant[c.tq]
			for k := range c.steps {
				c.steps[k] = int32(c.quant[min(k, 63)])
			}
		}
	}
	if d.kind == progressive {
		d.progress(s)
	}
	var e entropy
	b := bitReader{data: d.data, pos: d.pos}
	switch {
	case d.arithmetic:
		e = newArithmetic(d, s)
	case d.kind == progressive:
		e = newProgression(b, s)
	default:
		for _, c := range s.comps {
			c.ac.pair()
		}
		e = &sequential{huffmanData: huffmanData{bitReader: b, comps: s.comps}}
	}
	err = d.units(e, s)
	d.pos, d.pending = e.unread()
	return err
}

// Scans cost time however short they are, since each goes through the coefficients of its
// band in all blocks. A file may go maxVisits times through the coefficients, which have 14
// bits at most, and freeVisits of them besides.
const (
	maxVisits  = 16
	freeVisits = 1 << 25
)

// afford refuses a scan that no file needs: of coefficients that were complete long before.
func (d *decoder) afford(s *scanHeader) error {
	const block = 8 // what a block costs besides, in coefficients
	band := int64(block + s.to - s.from + 1)
	if d.kind == lossless {
		band = 1
	}
	size := func(c *component) int64 { return int64(c.across) * int64(c.down) }
	all := int64(0)
	for _, c := range d.comps {
		all += size(c)
	}
	for _, c := range s.comps {
		d.visits += band * size(c)
	}
	if most := maxVisits*64*all + freeVisits; d.visits > most {
		return fmt.Errorf("%d scans, which go through every coefficient more than %d times", d.scans, maxVisits)
	}
	return nil
}

func (d *decoder) scanHeader(body []byte) (*scanHeader, error) {
	if len(body) < 1 || len(body) != 4+2*int(body[0]) || body[0] < 1 || body[0] > 4 {
		return nil, fmt.Errorf("scan header of %d bytes", len(body))
	}
	n := int(body[0])
	end := body[1+2*n:]
	s := &scanHeader{from: int(end[0]), to: int(end[1]), highBit: uint(end[2] >> 4), bit: uint(end[2] & 15)}
	switch {
	case d.kind == baseline:
		s.from, s.to, s.highBit, s.bit = 0, 63, 0, 0
	case d.kind == lossless:
		if s.from < 1 || s.from > 7 || s.to != 0 || s.highBit != 0 || s.bit > 7 {
			return nil, fmt.Errorf("lossless scan with predictor %d, end %d, bits %d and %d", s.from, s.to, s.highBit, s.bit)
		}
	case s.from > s.to || s.to > 63 || s.bit > 13 || s.highBit > 0 && s.bit != s.highBit-1 || (s.from == 0) != (s.to == 0):
		return nil, fmt.Errorf("scan of coefficients %d to %d, bits %d to %d", s.from, s.to, s.highBit, s.bit)
	case s.from > 0 && n != 1:
		return nil, errors.New("an interleaved scan of AC coefficients")
	}
	if d.scans == 1 && d.kind == baseline && !d.arithmetic {
		d.standardTables()
	}
	blocks := 0
	for i := range n {
		c, err := d.scanComponent(s, body[1+2*i], body[2+2*i])
		if err != nil {
			return nil, err
		}
		blocks += c.h * c.v
		s.comps = append(s.comps, c)
	}
	if n > 1 && blocks > 10 {
		return nil, fmt.Errorf("%d blocks in a minimum coded unit, want at most 10", blocks)
	}
	return s, nil
}

// scanComponent finds a scan's component and its tables.
func (d *decoder) scanComponent(s *scanHeader, id, tables byte) (*component, error) {
	for _, c := range s.comps {
		if c.id == id {
			return nil, fmt.Errorf("component %d twice in a scan", id)
		}
	}
	for _, c := range d.comps {
		if c.id != id {
			continue
		}
		c.pred = 0
		c.dcTable, c.acTable = int(tables>>4), int(tables&15)
		if d.arithmetic {
			return c, nil
		}
		c.dc, c.ac = nil, nil
		if c.dcTable <= 3 {
			c.dc = d.dc[c.dcTable]
		}
		if c.acTable <= 3 {
			c.ac = d.ac[c.acTable]
		}
		wantsDC := d.kind != progressive || s.from == 0 && s.highBit == 0
		wantsAC := d.kind == baseline || d.kind == progressive && s.to > 0
		if wantsDC && c.dc == nil || wantsAC && c.ac == nil {
			return nil, fmt.Errorf("component %d: no huffman table %d or %d", id, c.dcTable, c.acTable)
		}
		if wantsDC && c.dc.err != nil {
			return nil, c.dc.err
		}
		if wantsAC && c.ac.err != nil {
			return nil, c.ac.err
		}
		if most := d.largestDC(); wantsDC && c.dc.largest > most {
			return nil, fmt.Errorf("huffman table %d has symbol %d, want at most %d", c.dcTable, c.dc.largest, most)
		}
		return c, nil
	}
	return nil, fmt.Errorf("scan of component %d, which the frame lacks", id)
}

func (d *decoder) largestDC() byte {
	if d.kind == lossless {
		return 16
	}
	return 15
}

// units has every block of a scan decoded, in order, and reads the restart
// markers (A.2). A scan of one component has only the blocks that hold samples.
// Where data are missing or damaged, blocks stay as they were, as in libjpeg.
func (d *decoder) units(e entropy, s *scanHeader) error {
	across, down := d.mcusX, d.mcusY
	single := len(s.comps) == 1
	if single {
		c := s.comps[0]
		across, down = c.columns, c.rows
	}
	left, next := d.restart, byte(markRST0)
	d.lastGood = 0
	for my := range down {
		if d.Row != nil {
			d.Row()
		}
		for mx := range across {
			if !e.starved() {
				if d.lastGood = my; single {
					d.lastGood = my / s.comps[0].v
				}
			}
			if d.restart > 0 {
				if left == 0 {
					if !e.restart(next) {
						return d.cutOff(my, down)
					}
					next = markRST0 + (next+1)&7
					left = d.restart
				}
				left--
			}
			if e.starved() {
				continue
			}
			if single {
				e.block(s.comps[0], mx, my)
			} else {
				unit(e, s, mx, my)
			}
			if e.lost() {
				return d.cutOff(my, down)
			}
		}
	}
	return nil
}

// unit decodes the blocks of a minimum coded unit.
func unit(e entropy, s *scanHeader, mx, my int) {
	for _, c := range s.comps {
		for v := range c.v {
			for h := range c.h {
				e.block(c, mx*c.h+h, my*c.v+v)
			}
		}
	}
}

// cutOff says how far the scan was read when the file ended.
func (d *decoder) cutOff(row, rows int) error {
	if d.single {
		d.rowsRead = row
	}
	if d.scans > 1 {
		return &CutOffError{Part: 1, All: 1, Scan: d.scans}
	}
	return &CutOffError{Part: row, All: rows}
}

// huffmanData is what all Huffman-coded scans share.
type huffmanData struct {
	bitReader
	comps []*component
	dry   bool // the interval's data have ended
}

func (h *huffmanData) starved() bool {
	h.dry = h.dry || h.n < 0
	return h.dry
}

func (h *huffmanData) lost() bool { return h.missed() }

func (h *huffmanData) unread() (int, byte) { return h.pos, h.marker }

func (h *huffmanData) restart(want byte) bool {
	if !h.bitReader.restart(want) {
		return false
	}
	for _, c := range h.comps {
		c.pred = 0
	}
	if h.marker == 0 {
		h.dry = false
	}
	return true
}
