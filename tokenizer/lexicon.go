package tokenizer

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
)

// A lexicon is a list of different tokens with different ids. Both ways are looked up
// without allocating. The tokens are one string, so that a quarter of a million of them
// are a few pieces of memory and no more.
type lexicon struct {
	text    string
	entries []entry // by id
	slots   []slot  // by hash; their number is a power of two
	shift   int
	seed    maphash.Seed
}

type entry struct {
	from, to uint32 // in text
	id       int32
}

// A slot holds a token where its hash says, or behind that. It repeats the token's entry, so
// that a search touches no more memory than it must.
type slot struct {
	hash     uint32
	from, to uint32 // 0 and 0: free
	id       int32
}

// A lexiconBuilder gathers the tokens of a lexicon.
type lexiconBuilder struct {
	text    []byte // one byte comes before the first token, so that no end is 0
	entries []entry
}

// newLexiconBuilder expects so many bytes of a file's vocabulary.
func newLexiconBuilder(bytes int) *lexiconBuilder {
	b := &lexiconBuilder{text: make([]byte, 1, bytes/2+16), entries: make([]entry, 0, bytes/20)}
	return b
}

// add notes a token. Whether it is there already shows at the end.
func (b *lexiconBuilder) add(token []byte, id int32) {
	from := uint32(len(b.text))
	b.text = append(b.text, token...)
	b.entries = append(b.entries, entry{from, uint32(len(b.text)), id})
}

// build makes the lexicon. A token or an id that is there twice is an error.
func (b *lexiconBuilder) build() (*lexicon, error) {
	l := &lexicon{text: string(b.text), entries: b.entries, seed: maphash.MakeSeed()}
	byID := func(a, b entry) int { return cmp.Compare(a.id, b.id) }
	if !slices.IsSortedFunc(l.entries, byID) {
		slices.SortStableFunc(l.entries, byID)
	}
	log := bits.Len(uint(len(l.entries)) + uint(len(l.entries))/2)
	l.slots, l.shift = make([]slot, 1<<log), 64-log
	for i, e := range l.entries {
		token := l.text[e.from:e.to]
		if i > 0 && l.entries[i-1].id == e.id {
			before := l.entries[i-1]
			return nil, fmt.Errorf("id %d has two tokens, %q and %q", e.id, l.text[before.from:before.to], token)
		}
		hash := maphash.String(l.seed, token)
		at := int(hash >> l.shift)
		for ; l.slots[at].to != 0; at = (at + 1) & (len(l.slots) - 1) {
			if other := l.slots[at]; other.hash == uint32(hash) && l.text[other.from:other.to] == token {
				return nil, fmt.Errorf("token %q has two ids, %d and %d", token, other.id, e.id)
			}
		}
		l.slots[at] = slot{uint32(hash), e.from, e.to, e.id}
	}
	return l, nil
}

// find returns the id of a token.
func (l *lexicon) find(token []byte) (id int32, ok bool) {
	hash := maphash.Bytes(l.seed, token)
	for at := int(hash >> l.shift); ; at = (at + 1) & (len(l.slots) - 1) {
		s := &l.slots[at]
		if s.to == 0 {
			return 0, false
		}
		if s.hash == uint32(hash) && l.text[s.from:s.to] == string(token) {
			return s.id, true
		}
	}
}

func (l *lexicon) id(token string) (id int32, ok bool) {
	return l.find([]byte(token))
}

func (l *lexicon) token(id int32) (token string, ok bool) {
	at := int(id)
	if at < 0 {
		return "", false
	}
	if at >= len(l.entries) || l.entries[at].id != id { // there are gaps
		at, ok = slices.BinarySearchFunc(l.entries, id, func(e entry, id int32) int { return cmp.Compare(e.id, id) })
		if !ok {
			return "", false
		}
	}
	e := l.entries[at]
	return l.text[e.from:e.to], true
}

func (l *lexicon) size() int { return len(l.entries) }

func (l *lexicon) top() int {
	if len(l.entries) == 0 {
		return 0
	}
	return int(l.entries[len(l.entries)-1].id) + 1
}
