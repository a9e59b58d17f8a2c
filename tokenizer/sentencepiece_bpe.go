package tokenizer

import "math"

// spmSymbol is a part of a text that byte pair encoding may join to the next.
type spmSymbol struct {
	span
	prev, next int32 // -1 at the ends
	frozen     bool  // a piece of the user
}

// spmPair is two symbols side by side that are a piece together.
type spmPair struct {
	score       int32 // in the order of the floats
	left, right int32
	size        int32 // of both, to know them again
}

// spmMerger is one text's byte pair encoding: of all pairs that are a piece, the one with
// the greatest score is joined first, of equal ones the leftmost.
type spmMerger struct {
	*SentencePiece
	*spmScratch
	split map[int32]int32 // where an unused piece came together
}

// merge finds the tokens by byte pair encoding.
func (s *SentencePiece) merge(w *spmScratch) {
	m := spmMerger{SentencePiece: s, spmScratch: w}
	if s.unused {
		m.split = map[int32]int32{}
	}
	m.characters()
	w.pairs = w.pairs[:0]
	for i := 1; i < len(w.symbols); i++ {
		m.pair(int32(i-1), int32(i))
	}
	for len(w.pairs) > 0 {
		p := w.pairs.pop()
		left, right := &w.symbols[p.left], &w.symbols[p.right]
		if left.from == left.to || right.from == right.to || right.to-left.from != p.size {
			continue // one of them has been joined to another
		}
		left.to, right.from, left.next = right.to, right.to, right.next
		if right.next >= 0 {
			w.symbols[right.next].prev = p.left
		}
		if left.prev >= 0 {
			m.pair(left.prev, p.left)
		}
		if left.next >= 0 {
			m.pair(p.left, left.next)
		}
	}
	w.tokens = w.tokens[:0]
	for i := int32(0); int(i) < len(w.symbols) && i >= 0; i = w.symbols[i].next {
		m.append(w.symbols[i].span, 0)
	}
}

// characters makes each character a symbol, and each of the user's pieces.
func (m *spmMerger) characters() {
	m.symbols = m.symbols[:0]
	for at := 0; at < len(m.normalized); {
		size := 0
		if m.user != nil {
			size, _ = m.user.longest(m.normalized[at:])
		}
		frozen := size > 0
		if !frozen {
			size = runeSize(m.normalized[at:])
		}
		i := int32(len(m.symbols))
		m.symbols = append(m.symbols, spmSymbol{span{int32(at), int32(at + size)}, i - 1, i + 1, frozen})
		at += size
	}
	if n := len(m.symbols); n > 0 {
		m.symbols[n-1].next = -1
	}
}

// pair notes two symbols if they are a piece.
func (m *spmMerger) pair(left, right int32) {
	l, r := m.symbols[left], m.symbols[right]
	if l.frozen || r.frozen {
		return
	}
	id := m.known.findBytes(m.normalized[l.from:r.to])
	if id < 0 {
		return
	}
	bits := int32(math.Float32bits(m.pieces[id].score))
	m.pairs.push(spmPair{bits ^ bits>>31&math.MaxInt32, left, right, r.to - l.from})
	if m.split != nil && m.pieces[id].kind == spmUnused {
		m.split[id] = l.to - l.from
	}
}

// maxSplits is how often an unused piece is taken apart again.
const maxSplits = 100

// append appends the token of a symbol, or those that an unused piece came from.
func (m *spmMerger) append(s span, splits int) {
	id := m.known.findBytes(m.normalized[s.from:s.to])
	if id >= 0 && splits <= maxSplits && m.pieces[id].kind == spmUnused {
		if at, ok := m.split[id]; ok {
			m.append(span{s.from, s.from + at}, splits+1)
			m.append(span{s.from + at, s.to}, splits+1)
			return
		}
		id = -1
	}
	if id < 0 {
		id = m.unk
	}
	m.tokens = append(m.tokens, token{id, s})
}

// spmPairs is a heap.
type spmPairs []spmPair

func (p spmPairs) before(i, j int) bool {
	return p[i].score > p[j].score || p[i].score == p[j].score && p[i].left < p[j].left
}

func (p *spmPairs) push(x spmPair) {
	*p = append(*p, x)
	for h, i := *p, len(*p)-1; i > 0 && h.before(i, (i-1)/2); i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
}

func (p *spmPairs) pop() spmPair {
	h := *p
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		best := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < last && h.before(child, best) {
				best = child
			}
		}
		if best == i {
			break
		}
		h[i], h[best], i = h[best], h[i], best
	}
	*p = h
	return top
}
