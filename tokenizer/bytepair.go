package tokenizer

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

// bytePairs is byte pair encoding (Sennrich et al., arXiv:1508.07909) with the settings of
// the tokenizers library, or, where ranked, tiktoken's: there two neighbours are merged if
// their bytes together are a token, whose id is its rank.
type bytePairs struct {
	*lexicon
	merges  *mergeTable
	ranked  bool
	options pairOptions
	unknown int32      // -1: there is none
	bytes   [256]int32 // ids of <0x00> to <0xFF>, with byte fallback; ranked: of the bytes
	chars   [512]int32 // ids of the first characters, -1 for those that have none
	atMarks bool       // no merge crosses the start of a word, which ▁ marks
}

// pairOptions are the settings of byte pair encoding.
type pairOptions struct {
	unknown      string // empty: unknown characters are left out
	prefix       string // of all characters of a piece but the first
	suffix       string // of its last character
	fuse         bool   // unknown characters in a row are one token
	byteFallback bool   // unknown characters are tokens of their bytes, if all of these are there
	ignoreMerges bool   // pieces that are tokens are not taken apart
}

// newBytePairs makes a model of a vocabulary and its merges.
func newBytePairs(l *lexicon, merges []mergeSlot, o pairOptions) *bytePairs {
	m := &bytePairs{lexicon: l, merges: newMergeTable(merges), options: o, unknown: -1}
	if id, ok := l.id(o.unknown); ok && o.unknown != "" {
		m.unknown = id
	}
	for b := range m.bytes {
		m.bytes[b] = m.known(fmt.Sprintf("<0x%02X>", b))
	}
	for c := range m.chars {
		m.chars[c] = m.known(string(rune(c)))
	}
	m.atMarks = !o.ignoreMerges && o.prefix == "" && o.suffix == "" && m.known(wordMark) >= 0 && l.top() == l.size() && !crossWords(merges, l)
	return m
}

// newRanked makes tiktoken's model. All bytes must be tokens.
func newRanked(l *lexicon) (*bytePairs, error) {
	m := &bytePairs{lexicon: l, ranked: true, options: pairOptions{ignoreMerges: true}}
	for b := range m.bytes {
		id, ok := l.find([]byte{byte(b)})
		if !ok {
			return nil, fmt.Errorf("no token is the byte %#02x", b)
		}
		m.bytes[b] = id
	}
	return m, nil
}

// known returns the id of a token, or -1.
func (m *bytePairs) known(s string) int32 {
	if id, ok := m.id(s); ok {
		return id
	}
	return -1
}

// wordMark stands for a space in SentencePiece's vocabularies.
const wordMark = "▁"

// A mergeTable holds merges by the pair of their ids.
type mergeTable struct {
	slots []mergeSlot // their number is a power of two
	shift int
	seed  uint64
}

type mergeSlot struct {
	pair   uint64
	rank   int32
	joined int32
}

const noPair = ^uint64(0)

func pairOf(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// newMergeTable makes a table; of equal pairs the last counts, as in the reference.
func newMergeTable(merges []mergeSlot) *mergeTable {
	log := max(bits.Len(uint(len(merges)+len(merges)/2)), 1)
	t := &mergeTable{slots: make([]mergeSlot, 1<<log), shift: 64 - log, seed: maphash.String(maphash.MakeSeed(), "") | 1}
	for i := range t.slots {
		t.slots[i].pair = noPair
	}
	for _, m := range merges {
		*t.slot(m.pair) = m
	}
	return t
}

// slot returns where a pair is or would be.
func (t *mergeTable) slot(pair uint64) *mergeSlot {
	high, low := bits.Mul64(pair^t.seed, 0x9E3779B97F4A7C15)
	for at := (high ^ low) >> t.shift; ; at = (at + 1) & uint64(len(t.slots)-1) {
		if s := &t.slots[at]; s.pair == pair || s.pair == noPair {
			return s
		}
	}
}

// crossWords reports whether a merge makes a token in which a word begins behind something
// else. The ids have no gaps.
func crossWords(merges []mergeSlot, l *lexicon) bool {
	cross := make([]bool, l.size())
	for _, e := range l.entries {
		rest := strings.TrimLeft(l.text[e.from:e.to], wordMark)
		cross[e.id] = strings.Contains(rest, wordMark)
	}
	return slices.ContainsFunc(merges, func(m mergeSlot) bool { return cross[m.joined] })
}

// pairing is the memory of a model of byte pairs.
type pairing struct {
	m     *bytePairs
	piece []byte
	nodes []pairNode
	queue turns
	cache pieceCache
	text  []byte // a character with what is put around it
}

// A pairNode is a symbol of a piece, in a list.
type pairNode struct {
	id         int32
	from, to   int32 // in the piece
	prev, next int32 // -1: none
	rank       int32 // of the merge with the next one, or unmerged
	joined     int32 // what that makes
}

func (m *bytePairs) start() tokenizing { return &pairing{m: m} }

func (p *pairing) tokenize(dst []token, piece []byte) ([]token, error) {
	if !p.m.atMarks {
		return p.word(dst, piece)
	}
	// Nothing is merged over the start of a word, so that words are done one by one.
	mark := []byte(wordMark)
	base := int32(0) // where the tokens so far end: what is left out does not count
	for from := 0; from < len(piece); {
		to := from
		for bytes.HasPrefix(piece[to:], mark) {
			to += len(mark)
		}
		if n := bytes.Index(piece[to:], mark); n >= 0 {
			to += n
		} else {
			to = len(piece)
		}
		start := len(dst)
		var err error
		if dst, err = p.word(dst, piece[from:to]); err != nil {
			return dst, err
		}
		for i := start; i < len(dst); i++ {
			dst[i].from += base
			dst[i].to += base
		}
		if len(dst) > start {
			base = dst[len(dst)-1].to
		}
		from = to
	}
	return dst, nil
}

// word appends the tokens of a piece in which merges may be anywhere.
func (p *pairing) word(dst []token, piece []byte) ([]token, error) {
	if p.m.options.ignoreMerges {
		if id, ok := p.m.find(piece); ok {
			return append(dst, token{id, span{0, int32(len(piece))}}), nil
		}
	}
	if tokens, ok := p.cache.get(piece); ok {
		return append(dst, tokens...), nil
	}
	start := len(dst)
	if err := p.symbols(piece); err != nil {
		return dst, err
	}
	p.merge()
	for i := int32(0); i >= 0 && len(p.nodes) > 0; i = p.nodes[i].next {
		n := &p.nodes[i]
		dst = append(dst, token{n.id, span{n.from, n.to}})
	}
	p.cache.put(piece, dst[start:])
	return dst, nil
}

// symbols sets up the nodes of a piece: one for each character, or what stands for it.
func (p *pairing) symbols(piece []byte) error {
	p.nodes, p.piece = p.nodes[:0], piece
	m := p.m
	if m.ranked {
		for _, b := range piece {
			p.push(m.bytes[b], 1)
		}
		return nil
	}
	// Unknown characters wait until a known one comes: the reference lets bytes pass them.
	waiting := int32(0)
	flush := func() {
		if waiting > 0 {
			p.push(m.unknown, waiting)
		}
		waiting = 0
	}
	for at := 0; at < len(piece); {
		r, n := utf8.DecodeRune(piece[at:])
		id, text := p.symbol(piece, r, at, n)
		at += n
		switch {
		case id >= 0:
			flush()
			p.push(id, int32(n))
		case m.options.byteFallback && p.pushBytes(text):
		case m.unknown >= 0:
			if !m.options.fuse {
				flush()
			}
			waiting += int32(n)
		case m.options.unknown != "":
			return noUnknown(m.options.unknown)
		}
	}
	flush()
	return nil
}

// symbol returns the id of a character where it stands, -1 for none, and how it is written.
func (p *pairing) symbol(piece []byte, r rune, at, n int) (id int32, text []byte) {
	o := &p.m.options
	first, last := at == 0 || o.prefix == "", at+n == len(piece) && o.suffix != ""
	text = piece[at : at+n]
	if first && !last {
		if int(r) < len(p.m.chars) {
			return p.m.chars[r], text
		}
	} else {
		p.text = p.text[:0]
		if !first {
			p.text = append(p.text, o.prefix...)
		}
		p.text = append(p.text, text...)
		if last {
			p.text = append(p.text, o.suffix...)
		}
		text = p.text
	}
	if id, ok := p.m.find(text); ok {
		return id, text
	}
	return -1, text
}

// pushBytes adds the tokens of bytes, if all of these are there.
func (p *pairing) pushBytes(text []byte) bool {
	for _, b := range text {
		if p.m.bytes[b] < 0 {
			return false
		}
	}
	for _, b := range text {
		p.push(p.m.bytes[b], 1)
	}
	return true
}

func (p *pairing) push(id, n int32) {
	at, from := int32(len(p.nodes)), int32(0)
	if at > 0 {
		p.nodes[at-1].next = at
		from = p.nodes[at-1].to
	}
	p.nodes = append(p.nodes, pairNode{id: id, from: from, to: from + n, prev: at - 1, next: -1, rank: unmerged})
}

// merge joins the pair of the lowest rank wherever it is, the leftmost first, until no pair
// has a rank. A queue of them makes that O(n log n).
func (p *pairing) merge() {
	p.queue = p.queue[:0]
	for i := range p.nodes {
		p.rate(int32(i))
	}
	for len(p.queue) > 0 {
		turn := p.queue.pop()
		if p.nodes[turn.at()].rank == turn.rank() {
			p.join(turn.at())
		}
	}
}

// rate looks up the merge of a node with the next one.
func (p *pairing) rate(at int32) {
	n := &p.nodes[at]
	n.rank = unmerged
	if n.next < 0 {
		return
	}
	next := &p.nodes[n.next]
	if p.m.ranked {
		id, ok := p.m.find(p.piece[n.from:next.to])
		if !ok {
			return
		}
		n.rank, n.joined = id, id
	} else {
		s := p.m.merges.slot(pairOf(n.id, next.id))
		if s.pair == noPair {
			return
		}
		n.rank, n.joined = s.rank, s.joined
	}
	p.queue.push(newTurn(n.rank, at))
}

func (p *pairing) join(at int32) {
	n := &p.nodes[at]
	next := &p.nodes[n.next]
	n.id, n.to = n.joined, next.to
	n.next, next.rank = next.next, unmerged
	if n.next >= 0 {
		p.nodes[n.next].prev = at
	}
	p.rate(at)
	if n.prev >= 0 {
		p.rate(n.prev)
	}
}
