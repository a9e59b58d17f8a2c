package jpeg

// pairBits is the length of the codes, with the values behind them, that blockBMI2 decodes by
// one look. A reader has five times as many.
const pairBits = 11

// pair is what begins with certain bits: up to two AC coefficients, and perhaps the end of the
// block behind them.
type pair struct {
	bits  uint8    // that they take
	place [2]uint8 // of both, counted from the coefficient that is next
	ahead uint8    // of the coefficient that is next then, and ended where none is; 64 where nothing fits the bits
	value [2]int16 // 0 where there is no coefficient
}

// pair fills pairs, which the codes of other scans do without.
func (t *huffman) pair() {
	if t.pairs != nil || !hasBMI2 {
		return
	}
	const mask = 1<<pairBits - 1
	one := new([1 << pairBits]pair)
	for i := range one {
		one[i] = t.alone(uint32(i))
	}
	t.pairs = new([1 << pairBits]pair)
	for i := range t.pairs {
		p := one[i]
		for n := 1; p.ahead < 64; n++ {
			next := &one[i<<p.bits&mask]
			if next.ahead == 64 || p.bits+next.bits > pairBits || n == 2 && next.ahead < ended {
				break
			}
			p.bits += next.bits
			if next.ahead < ended {
				p.place[1], p.value[1] = p.ahead+next.place[0], next.value[0]
			}
			p.ahead += next.ahead
		}
		t.pairs[i] = p
	}
}

// alone returns the pair with nothing in its second place of what begins with pairBits bits.
func (t *huffman) alone(bits uint32) pair {
	e := t.look[bits>>(pairBits-lookBits)]
	n, run, size := int(e&0xff), uint8(e>>12), int(e>>8&15)
	switch {
	case n == 0 || n+size > pairBits || size == 0 && run == 15:
		return pair{ahead: 64}
	case size == 0:
		return pair{bits: uint8(n), ahead: ended}
	}
	value := extend(int32(bits>>(pairBits-n-size)&(1<<size-1)), size)
	return pair{bits: uint8(n + size), place: [2]uint8{run, run + 1}, ahead: run + 1, value: [2]int16{int16(value)}}
}
