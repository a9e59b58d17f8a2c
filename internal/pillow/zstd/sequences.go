package zstd

import "encoding/binary"

// Kinds of codes in sequences.
const (
	literalLengths = iota
	offsets
	matchLengths
)

// predefined are the tables that need no description (3.1.1.3.2.2).
var predefined = [3]struct {
	accuracy int
	counts   []int16
}{
	{6, []int16{
		4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
	}},
	{5, []int16{1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1}},
	{6, []int16{
		1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
	}},
}

// maxOffset is the code of offsets beyond any window.
const maxOffset = 28

var (
	maxAccuracy = [3]int{9, 8, 9}
	maxSymbol   = [3]int{35, 31, 52}
)

// length is what a code of a length stands for: so much, and as many bits more.
type length struct{ base, bits int }

// lengthOf returns a literal length's or a match length's code (tables 15, 16).
func lengthOf(kind, code int) length {
	if kind == literalLengths {
		switch {
		case code < 16:
			return length{code, 0}
		case code < 25:
			return [9]length{{16, 1}, {18, 1}, {20, 1}, {22, 1}, {24, 2}, {28, 2}, {32, 3}, {40, 3}, {48, 4}}[code-16]
		}
		return length{64 << (code - 25), code - 19}
	}
	switch {
	case code < 32:
		return length{code + 3, 0}
	case code < 43:
		return [11]length{
			{35, 1}, {37, 1}, {39, 1}, {41, 1}, {43, 2}, {47, 2}, {51, 3}, {59, 3}, {67, 4}, {83, 4}, {99, 5},
		}[code-32]
	}
	return length{3 + 128<<(code-43), code - 36}
}

// sequences expands the sequences of a block: each is some literals, and a match
// in what has been expanded.
func (r *Reader) sequences(data []byte) error {
	if len(data) == 0 {
		return errDamaged
	}
	n := int(data[0])
	switch {
	case n == 255:
		if len(data) < 3 {
			return errDamaged
		}
		n, data = int(binary.LittleEndian.Uint16(data[1:]))+0x7f00, data[3:]
	case n >= 128:
		if len(data) < 2 {
			return errDamaged
		}
		n, data = (n-128)<<8+int(data[1]), data[2:]
	default:
		data = data[1:]
	}
	if n == 0 {
		r.out = append(r.out, r.literals...)
		return nil
	}
	data, err := r.readTables(data)
	if err != nil {
		return err
	}
	b, err := newBackward(data)
	if err != nil {
		return err
	}
	return r.execute(b, n)
}

// readTables reads which tables the sequences use.
func (r *Reader) readTables(data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, errDamaged
	}
	modes := data[0]
	data = data[1:]
	for kind := range r.tables {
		switch modes >> (6 - 2*kind) & 3 {
		case 0:
			t, err := newFSE(predefined[kind].counts, predefined[kind].accuracy)
			if err != nil {
				return nil, err
			}
			r.tables[kind] = t
		case 1: // one symbol
			if len(data) == 0 || int(data[0]) > maxSymbol[kind] {
				return nil, errDamaged
			}
			r.tables[kind] = &fse{states: []fseState{{symbol: data[0]}}}
			data = data[1:]
		case 2:
			t, n, err := readFSE(data, maxAccuracy[kind], maxSymbol[kind])
			if err != nil {
				return nil, err
			}
			r.tables[kind] = t
			data = data[n:]
		default:
			if r.tables[kind] == nil {
				return nil, errDamaged
			}
		}
	}
	return data, nil
}

func (r *Reader) execute(b *backward, n int) error {
	var states [3]int
	for kind, t := range r.tables {
		states[kind] = b.take(t.accuracy)
	}
	literals := r.literals
	start := len(r.out)
	for i := range n {
		var codes [3]int
		for kind, t := range r.tables {
			codes[kind] = int(t.states[states[kind]].symbol)
		}
		if codes[offsets] > maxOffset {
			return errDamaged
		}
		offset := 1<<codes[offsets] + b.take(codes[offsets])
		match := lengthOf(matchLengths, codes[matchLengths])
		matched := match.base + b.take(match.bits)
		literal := lengthOf(literalLengths, codes[literalLengths])
		plain := literal.base + b.take(literal.bits)
		offset = r.distance(offset, plain == 0)
		if plain > len(literals) {
			return errDamaged
		}
		r.out = append(r.out, literals[:plain]...)
		literals = literals[plain:]
		if offset < 1 || offset > len(r.out) || len(r.out)-start+matched > maxBlock {
			return errDamaged
		}
		for from := len(r.out) - offset; matched > 0; {
			k := min(matched, len(r.out)-from)
			r.out = append(r.out, r.out[from:from+k]...)
			from += k
			matched -= k
		}
		if i == n-1 {
			break
		}
		for _, kind := range [3]int{literalLengths, matchLengths, offsets} {
			s := r.tables[kind].states[states[kind]]
			states[kind] = int(s.base) + b.take(int(s.bits))
		}
		if b.left < 0 {
			return errDamaged
		}
	}
	if b.left != 0 {
		return errDamaged
	}
	r.out = append(r.out, literals...)
	return nil
}

// distance returns how far back a match lies. Values of 1 to 3 stand for recent
// distances, where there are no literals for the next ones.
func (r *Reader) distance(value int, noLiterals bool) int {
	if value > 3 {
		r.recent = [3]int{value - 3, r.recent[0], r.recent[1]}
		return value - 3
	}
	if noLiterals {
		value++
	}
	switch value {
	case 1:
	case 2:
		r.recent[0], r.recent[1] = r.recent[1], r.recent[0]
	case 3:
		r.recent = [3]int{r.recent[2], r.recent[0], r.recent[1]}
	default:
		r.recent = [3]int{r.recent[0] - 1, r.recent[0], r.recent[1]}
	}
	return r.recent[0]
}
