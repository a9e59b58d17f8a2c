package zstd

import (
	"encoding/binary"
	"math/bits"
)

// backward reads bits from the end of data to their beginning. Beyond it there
// are zeroes; left is then negative.
type backward struct {
	data []byte
	left int // bits
}

// newBackward begins below the highest bit of the last byte that is set.
func newBackward(data []byte) (*backward, error) {
	if len(data) == 0 || data[len(data)-1] == 0 {
		return nil, errDamaged
	}
	return &backward{data, 8*len(data) - 9 + bits.Len8(data[len(data)-1])}, nil
}

// take returns the next n bits, at most 32.
func (b *backward) take(n int) int {
	v := b.peek(n)
	b.left -= n
	return v
}

func (b *backward) peek(n int) int {
	from := b.left - n
	v, shift := uint64(0), 0
	if from < 0 {
		shift, from = -from, 0
		if n -= shift; n <= 0 {
			return 0
		}
	}
	if at := from / 8; at+8 <= len(b.data) {
		v = binary.LittleEndian.Uint64(b.data[at:])
	} else {
		for i, c := range b.data[at:] {
			v |= uint64(c) << (8 * i)
		}
	}
	v = v >> (from % 8) & (1<<n - 1)
	return int(v << shift)
}

// forward reads bits from the lowest of the first byte on.
type forward struct {
	data []byte
	at   int // bit
}

func (f *forward) take(n int) int {
	v := 0
	for i := range n {
		if f.at/8 < len(f.data) {
			v |= int(f.data[f.at/8]>>(f.at%8)&1) << i
		}
		f.at++
	}
	return v
}

// fse is a table of finite state entropy: each state stands for a symbol, and
// says how many bits to add to what for the next state.
type fse struct {
	accuracy int // bits of a state
	states   []fseState
}

type fseState struct {
	symbol byte
	bits   uint8
	base   uint16
}

// readFSE reads a table's description (4.1.1). It returns the bytes that it took.
func readFSE(data []byte, maxAccuracy, maxSymbol int) (*fse, int, error) {
	f := &forward{data: data}
	accuracy := f.take(4) + 5
	if accuracy > maxAccuracy {
		return nil, 0, errDamaged
	}
	left := 1<<accuracy + 1
	var counts []int16
	for left > 1 && len(counts) <= maxSymbol {
		// A count takes a bit less where it is small enough to tell.
		n := bits.Len(uint(left))
		v := f.take(n - 1)
		low := 1<<n - 1 - left
		if v >= low {
			if v |= f.take(1) << (n - 1); v >= 1<<(n-1) {
				v -= low
			}
		}
		count := v - 1
		left -= max(count, -count)
		counts = append(counts, int16(count))
		if count == 0 {
			for more := 3; more == 3; {
				more = f.take(2)
				for range more {
					counts = append(counts, 0)
				}
				if len(counts) > maxSymbol+1 {
					return nil, 0, errDamaged
				}
			}
		}
	}
	n := (f.at + 7) / 8
	if left != 1 || len(counts) > maxSymbol+1 || n > len(data) {
		return nil, 0, errDamaged
	}
	t, err := newFSE(counts, accuracy)
	return t, n, err
}

// newFSE makes a table of how often of 1<<accuracy each symbol comes; −1 means
// less than once.
func newFSE(counts []int16, accuracy int) (*fse, error) {
	size := 1 << accuracy
	t := &fse{accuracy: accuracy, states: make([]fseState, size)}
	next := make([]uint16, len(counts))
	high := size
	for s, n := range counts {
		if next[s] = uint16(n); n == -1 {
			if high--; high < 0 {
				return nil, errDamaged
			}
			t.states[high].symbol = byte(s)
			next[s] = 1
		}
	}
	at := 0
	for s, n := range counts {
		for range n {
			t.states[at].symbol = byte(s)
			at = (at + size>>1 + size>>3 + 3) & (size - 1)
			for at >= high {
				at = (at + size>>1 + size>>3 + 3) & (size - 1)
			}
		}
	}
	if at != 0 {
		return nil, errDamaged
	}
	for i := range t.states {
		e := &t.states[i]
		x := next[e.symbol]
		if x == 0 {
			return nil, errDamaged
		}
		next[e.symbol]++
		e.bits = uint8(accuracy + 1 - bits.Len16(x))
		e.base = x<<e.bits - uint16(size)
	}
	return t, nil
}
