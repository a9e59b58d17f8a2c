package xz

import "encoding/binary"

// probability of a 0 bit, of 1<<11.
type probability uint16

const half probability = 1 << 10

// rangeDecoder decodes bits of the probabilities that a model gives them. Beyond
// the data it takes zeroes.
type rangeDecoder struct {
	data []byte
	code uint32
	size uint32
}

// newRange begins with five bytes, of which the first is 0.
func newRange(data []byte) *rangeDecoder {
	var head [5]byte
	n := copy(head[:], data)
	return &rangeDecoder{data[n:], binary.BigEndian.Uint32(head[1:]), ^uint32(0)}
}

func (r *rangeDecoder) normalise() {
	if r.size >= 1<<24 {
		return
	}
	r.size <<= 8
	r.code <<= 8
	if len(r.data) > 0 {
		r.code |= uint32(r.data[0])
		r.data = r.data[1:]
	}
}

func (r *rangeDecoder) bit(p *probability) int {
	r.normalise()
	const rate = 5
	bound := r.size >> 11 * uint32(*p)
	if r.code < bound {
		r.size = bound
		*p += (1<<11 - *p) >> rate
		return 0
	}
	r.size -= bound
	r.code -= bound
	*p -= *p >> rate
	return 1
}

// direct decodes n bits of probability ½, the highest first.
func (r *rangeDecoder) direct(n int) uint32 {
	v := uint32(0)
	for range n {
		r.normalise()
		r.size >>= 1
		v <<= 1
		if r.code >= r.size {
			r.code -= r.size
			v |= 1
		}
	}
	return v
}

// tree decodes n bits, the highest first.
func (r *rangeDecoder) tree(probs []probability, n int) int {
	m := 1
	for range n {
		m = m<<1 | r.bit(&probs[m])
	}
	return m - 1<<n
}

// reverse decodes n bits, the lowest first.
func (r *rangeDecoder) reverse(probs []probability, n int) uint32 {
	m, v := 1, uint32(0)
	for i := range n {
		b := r.bit(&probs[m])
		m = m<<1 | b
		v |= uint32(b) << i
	}
	return v
}

const (
	lzmaStates = 12
	maxPosBits = 4
	minMatch   = 2
)

// lengths is the model of lengths of matches.
type lengths struct {
	short, middle probability
	low, mid      [1 << maxPosBits][8]probability
	high          [256]probability
}

func (l *lengths) decode(r *rangeDecoder, pos int) int {
	if r.bit(&l.short) == 0 {
		return r.tree(l.low[pos][:], 3)
	}
	if r.bit(&l.middle) == 0 {
		return 8 + r.tree(l.mid[pos][:], 3)
	}
	return 16 + r.tree(l.high[:], 8)
}

// model is all that is learnt.
type model struct {
	match            [lzmaStates][1 << maxPosBits]probability
	rep, rep0        [lzmaStates]probability
	rep1, rep2       [lzmaStates]probability
	long             [lzmaStates][1 << maxPosBits]probability
	slot             [4][64]probability
	special          [128]probability
	align            [16]probability
	length, repeated lengths
	literal          []probability
}

// lzma expands chunks that share a dictionary.
type lzma struct {
	dict    int
	out     []byte // the dictionary and what has been expanded
	written int    // since then
	m       model
	state   int
	reps    [4]uint32 // recent distances less one

	context, posBits, posMask int // lc, lp and pb, of which the last as a mask
}

func newLZMA(dict int) *lzma { return &lzma{dict: dict} }

// begin forgets the dictionary.
func (z *lzma) begin() { z.out, z.written = z.out[:0], 0 }

// properties sets how many bits of context there are.
func (z *lzma) properties(v byte) bool {
	if v >= 9*5*5 {
		return false
	}
	z.context, z.posBits, z.posMask = int(v%9), int(v/9%5), 1<<(v/45)-1
	return z.context+z.posBits <= 4
}

// reset forgets what was learnt.
func (z *lzma) reset() {
	z.m = model{literal: make([]probability, 0x300<<(z.context+z.posBits))}
	fill := func(p []probability) {
		for i := range p {
			p[i] = half
		}
	}
	fill(z.m.literal)
	for i := range lzmaStates {
		fill(z.m.match[i][:])
		fill(z.m.long[i][:])
	}
	for _, p := range [][]probability{z.m.rep[:], z.m.rep0[:], z.m.rep1[:], z.m.rep2[:], z.m.special[:], z.m.align[:]} {
		fill(p)
	}
	for i := range z.m.slot {
		fill(z.m.slot[i][:])
	}
	for _, l := range []*lengths{&z.m.length, &z.m.repeated} {
		l.short, l.middle = half, half
		for i := range l.low {
			fill(l.low[i][:])
			fill(l.mid[i][:])
		}
		fill(l.high[:])
	}
	z.state, z.reps = 0, [4]uint32{}
}

// room drops what no match can refer to any more, now and then.
func (z *lzma) room() {
	if extra := len(z.out) - z.dict; extra > z.dict+1<<21 {
		z.out = z.out[:copy(z.out, z.out[extra:])]
	}
}

func (z *lzma) store(data []byte) []byte {
	z.room()
	from := len(z.out)
	z.out = append(z.out, data...)
	z.written += len(data)
	return z.out[from:]
}

// expand decodes size bytes.
func (z *lzma) expand(data []byte, size int) ([]byte, error) {
	z.room()
	r := newRange(data)
	from := len(z.out)
	for len(z.out)-from < size {
		pos := z.written & z.posMask
		if r.bit(&z.m.match[z.state][pos]) == 0 {
			z.literal(r)
			continue
		}
		n, err := z.matched(r, pos)
		if err != nil {
			return nil, err
		}
		if n > size-(len(z.out)-from) {
			return nil, errDamaged
		}
		if !z.copy(int64(z.reps[0])+1, n) {
			return nil, errDamaged
		}
	}
	return z.out[from:], nil
}

// literal decodes a byte. Behind a match the byte that it would have gone on
// with is context, too.
func (z *lzma) literal(r *rangeDecoder) {
	last := 0
	if len(z.out) > 0 {
		last = int(z.out[len(z.out)-1])
	}
	place := z.written & (1<<z.posBits - 1) << z.context
	probs := z.m.literal[0x300*(place+last>>(8-z.context)):][:0x300]
	m := 1
	if back := int64(z.reps[0]) + 1; z.state >= 7 && back <= int64(len(z.out)) {
		guess := int(z.out[len(z.out)-int(back)])
		for m < 0x100 {
			b := guess >> 7 & 1
			guess <<= 1
			got := r.bit(&probs[(1+b)<<8+m])
			m = m<<1 | got
			if got != b {
				break
			}
		}
	}
	for m < 0x100 {
		m = m<<1 | r.bit(&probs[m])
	}
	z.out = append(z.out, byte(m))
	z.written++
	switch {
	case z.state < 4:
		z.state = 0
	case z.state < 10:
		z.state -= 3
	default:
		z.state -= 6
	}
}

// matched decodes the length of a match; its distance is then the first of reps.
func (z *lzma) matched(r *rangeDecoder, pos int) (int, error) {
	s := z.state
	after := func(literal, match int) int {
		if s < 7 {
			return literal
		}
		return match
	}
	if r.bit(&z.m.rep[s]) == 0 {
		z.reps = [4]uint32{0, z.reps[0], z.reps[1], z.reps[2]}
		n := z.m.length.decode(r, pos)
		z.state = after(7, 10)
		z.reps[0] = z.distance(r, n)
		if z.reps[0] == ^uint32(0) {
			return 0, errDamaged // the end marker, which LZMA2 has not
		}
		return n + minMatch, nil
	}
	switch {
	case r.bit(&z.m.rep0[s]) == 0:
		if r.bit(&z.m.long[s][pos]) == 0 {
			z.state = after(9, 11)
			return 1, nil
		}
	case r.bit(&z.m.rep1[s]) == 0:
		z.reps[0], z.reps[1] = z.reps[1], z.reps[0]
	case r.bit(&z.m.rep2[s]) == 0:
		z.reps = [4]uint32{z.reps[2], z.reps[0], z.reps[1], z.reps[3]}
	default:
		z.reps = [4]uint32{z.reps[3], z.reps[0], z.reps[1], z.reps[2]}
	}
	z.state = after(8, 11)
	return z.m.repeated.decode(r, pos) + minMatch, nil
}

// distance decodes the distance of a match, less one.
func (z *lzma) distance(r *rangeDecoder, length int) uint32 {
	slot := r.tree(z.m.slot[min(length, 3)][:], 6)
	if slot < 4 {
		return uint32(slot)
	}
	n := slot/2 - 1
	base := uint32(2|slot&1) << n
	if slot < 14 {
		return base + r.reverse(z.m.special[int(base)-slot:], n)
	}
	return base + r.direct(n-4)<<4 + r.reverse(z.m.align[:], 4)
}

// copy repeats n bytes from a distance back; false where they are not there.
func (z *lzma) copy(distance int64, n int) bool {
	if distance > int64(len(z.out)) || distance > int64(z.dict) {
		return false
	}
	for from := len(z.out) - int(distance); n > 0; {
		k := min(n, len(z.out)-from)
		z.out = append(z.out, z.out[from:from+k]...)
		from += k
		n -= k
		z.written += k
	}
	return true
}
