package zstd

import "encoding/binary"

// block expands a compressed block.
func (r *Reader) block(body []byte) error {
	rest, err := r.readLiterals(body)
	if err != nil {
		return err
	}
	return r.sequences(rest)
}

// readLiterals expands the literals of a block, and returns what follows them.
func (r *Reader) readLiterals(body []byte) (rest []byte, err error) {
	if len(body) == 0 {
		return nil, errDamaged
	}
	kind, format := body[0]&3, body[0]>>2&3
	if kind < 2 { // as they are, or all alike
		n := 1 + int(format&1) + int(format&1&(format>>1))
		if len(body) < n {
			return nil, errDamaged
		}
		var b [4]byte
		copy(b[:], body[:n])
		size := int(binary.LittleEndian.Uint32(b[:]) >> (3 + format&1))
		stored := size
		if kind == 1 {
			stored = 1
		}
		if body = body[n:]; len(body) < stored || size > maxBlock {
			return nil, errDamaged
		}
		r.literals = r.literals[:0]
		for i := range size {
			r.literals = append(r.literals, body[i%stored])
		}
		return body[stored:], nil
	}
	n := [4]int{3, 3, 4, 5}[format]
	if len(body) < n {
		return nil, errDamaged
	}
	var b [8]byte
	copy(b[:], body[:n])
	v, width := binary.LittleEndian.Uint64(b[:])>>4, [4]int{10, 10, 14, 18}[format]
	size, stored := int(v&(1<<width-1)), int(v>>width&(1<<width-1))
	if body = body[n:]; len(body) < stored || size > maxBlock {
		return nil, errDamaged
	}
	coded, rest := body[:stored], body[stored:]
	if kind == 2 {
		h, n, err := readHuffman(coded)
		if err != nil {
			return nil, err
		}
		r.huffman, coded = h, coded[n:]
	}
	if r.huffman == nil {
		return nil, errDamaged
	}
	r.literals = r.literals[:0]
	if format == 0 {
		return rest, r.stream(coded, size)
	}
	if len(coded) < 6 {
		return nil, errDamaged
	}
	part := (size + 3) / 4
	streams := coded[6:]
	for i := range 4 {
		n := len(streams)
		if i < 3 {
			n = int(binary.LittleEndian.Uint16(coded[2*i:]))
		} else {
			part = size - 3*part
		}
		if n > len(streams) || part < 0 {
			return nil, errDamaged
		}
		if err := r.stream(streams[:n], part); err != nil {
			return nil, err
		}
		streams = streams[n:]
	}
	return rest, nil
}

// stream expands n literals.
func (r *Reader) stream(data []byte, n int) error {
	b, err := newBackward(data)
	if err != nil {
		return err
	}
	for range n {
		e := r.huffman.table[b.peek(r.huffman.bits)]
		b.left -= int(e.bits)
		r.literals = append(r.literals, e.symbol)
	}
	if b.left != 0 {
		return errDamaged
	}
	return nil
}

// huffman is a table of codes of up to bits bits.
type huffman struct {
	bits  int
	table []huffmanCode
}

type huffmanCode struct{ symbol, bits uint8 }

const maxHuffmanBits = 11

// readHuffman reads a table's description (4.2.1): the weights of the symbols,
// but for the last.
func readHuffman(data []byte) (*huffman, int, error) {
	if len(data) == 0 {
		return nil, 0, errDamaged
	}
	n := int(data[0])
	var weights []byte
	if n >= 128 { // four bits each
		n -= 127
		if len(data) < 1+(n+1)/2 {
			return nil, 0, errDamaged
		}
		for i := range n {
			weights = append(weights, data[1+i/2]>>(4-i%2*4)&15)
		}
		h, err := newHuffman(weights)
		return h, 1 + (n+1)/2, err
	}
	if len(data) < 1+n {
		return nil, 0, errDamaged
	}
	coded := data[1 : 1+n]
	t, used, err := readFSE(coded, 6, 12)
	if err != nil {
		return nil, 0, err
	}
	b, err := newBackward(coded[used:])
	if err != nil {
		return nil, 0, err
	}
	// Two states take turns.
	states := [2]int{b.take(t.accuracy), b.take(t.accuracy)}
	for i := 0; ; i = 1 - i {
		if len(weights) > 253 {
			return nil, 0, errDamaged
		}
		e := t.states[states[i]]
		weights = append(weights, e.symbol)
		if b.left < int(e.bits) { // the other one has the last
			weights = append(weights, t.states[states[1-i]].symbol)
			break
		}
		states[i] = int(e.base) + b.take(int(e.bits))
	}
	h, err := newHuffman(weights)
	return h, 1 + n, err
}

func newHuffman(weights []byte) (*huffman, error) {
	sum := 0
	for _, w := range weights {
		if w > maxHuffmanBits {
			return nil, errDamaged
		}
		sum += 1 << w >> 1
	}
	if sum == 0 {
		return nil, errDamaged
	}
	h := new(huffman)
	for 1<<h.bits <= sum {
		h.bits++
	}
	// The last symbol takes what is left, which is a power of two.
	left, last := 1<<h.bits-sum, 1
	for 1<<last>>1 < left {
		last++
	}
	if h.bits > maxHuffmanBits || 1<<last>>1 != left {
		return nil, errDamaged
	}
	weights = append(weights, byte(last))
	h.table = make([]huffmanCode, 1<<h.bits)
	at := 0
	for w := 1; w <= h.bits; w++ {
		for s, weight := range weights {
			if int(weight) != w {
				continue
			}
			for range 1 << (w - 1) {
				h.table[at] = huffmanCode{byte(s), byte(h.bits + 1 - w)}
				at++
			}
		}
	}
	return h, nil
}
