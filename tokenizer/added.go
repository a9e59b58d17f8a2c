package tokenizer

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// An addedToken is a token that is found in a text before a model sees it.
type addedToken struct {
	id         int32
	content    string
	matched    string // what is looked for: the content, normalized where that is asked for
	normalized bool   // it is looked for in the normalized text
	special    bool   // texts are decoded without it
	word       bool   // it must not touch letters
	left       bool   // white space before it belongs to it
	right      bool   // and behind it
}

// maxAdded bounds the length of added tokens.
const maxAdded = 1 << 10

// addedTokens are the added tokens of a tokenizer.
type addedTokens struct {
	list       []addedToken
	byID       map[int32]int // of list
	byContent  map[string]int
	special    map[string]bool
	raw, final *finder // of those in the text as it is, and normalized
	top        int
}

// newAddedTokens gives tokens their ids: the model's if it has the token, else the next
// free one, whatever their file says. That is what the reference does.
func newAddedTokens(tokens []addedToken, m model, n normalizer) (*addedTokens, error) {
	a := &addedTokens{byID: map[int32]int{}, byContent: map[string]int{}, special: map[string]bool{}}
	next := int32(m.size())
	for _, t := range tokens {
		if t.content == "" {
			continue
		}
		if len(t.content) > maxAdded {
			return nil, fmt.Errorf("added token %.20q has %d bytes, want at most %d", t.content, len(t.content), maxAdded)
		}
		id, ok := m.id(t.content)
		before, again := a.byContent[t.content]
		switch {
		case again:
			id = a.list[before].id
		case !ok:
			id = next
			next++
		}
		t.id = id
		t.matched = t.content
		if t.normalized && n != nil {
			x := new(text)
			x.set([]byte(t.content), nil, 0)
			if err := n.normalize(x); err != nil {
				return nil, err
			}
			t.matched = string(x.b)
		}
		if t.matched == "" || len(t.matched) > 4*maxAdded {
			return nil, fmt.Errorf("added token %.20q has %d bytes when it is normalized", t.content, len(t.matched))
		}
		a.set(t)
	}
	var err error
	if a.raw, err = a.finder(false); err == nil {
		a.final, err = a.finder(true)
	}
	return a, err
}

// set adds a token or puts it in the place of the one with its id.
func (a *addedTokens) set(t addedToken) {
	at, ok := a.byID[t.id]
	if !ok {
		at = len(a.list)
		a.list = append(a.list, addedToken{})
	}
	a.list[at] = t
	a.byID[t.id], a.byContent[t.content] = at, at
	if t.special {
		a.special[t.content] = true
	}
	a.top = max(a.top, int(t.id)+1)
}

// A finder finds added tokens in a text.
type finder struct {
	trie   *prefixTrie
	starts byteSet
	tokens []addedToken
}

func (a *addedTokens) finder(normalized bool) (*finder, error) {
	f := &finder{tokens: a.list}
	words, known := make([]string, len(a.list)), map[string]string{}
	for i, t := range a.list {
		if t.normalized != normalized {
			continue
		}
		if other, ok := known[t.matched]; ok {
			return nil, fmt.Errorf("added tokens %q and %q are the same text", other, t.content)
		}
		words[i], known[t.matched] = t.matched, t.content
		f.starts.add(t.matched[0])
	}
	if len(known) == 0 {
		return nil, nil
	}
	f.trie = newPrefixTrie(words)
	return f, nil
}

// find appends the pieces of b, which begins at base in the text's bytes: added tokens,
// leftmost and longest, and what lies between them. With plain set, special tokens are
// taken for text.
func (f *finder) find(list []piece, b []byte, base int, plain bool) []piece {
	rest := 0
	push := func(from, to int, id int32) {
		if from < to {
			list = append(list, piece{span: span{int32(base + from), int32(base + to)}, id: id})
		}
	}
	for at := 0; f != nil && at < len(b); {
		if !f.starts.has(b[at]) {
			at++
			continue
		}
		n, value := f.trie.longest(b[at:])
		if n == 0 {
			at++
			continue
		}
		t := &f.tokens[value]
		from, to := at, at+n
		at = to
		if plain && t.special || t.word && (endsWithWord(b[:from]) || startsWithWord(b[to:])) {
			continue
		}
		if t.left {
			from = max(len(bytes.TrimRightFunc(b[:from], isSpace)), rest)
		}
		if t.right {
			to = len(b) - len(bytes.TrimLeftFunc(b[to:], isSpace))
		}
		push(rest, from, open)
		push(from, to, t.id)
		rest = to
	}
	push(rest, len(b), open)
	return list
}

func endsWithWord(b []byte) bool {
	r, n := utf8.DecodeLastRune(b)
	return n > 0 && isWord(r)
}

func startsWithWord(b []byte) bool {
	r, n := utf8.DecodeRune(b)
	return n > 0 && isWord(r)
}

// content returns what an added token is decoded to: what it was looked for.
func (a *addedTokens) content(id int32) (token string, ok bool) {
	at, ok := a.byID[id]
	if !ok {
		return "", false
	}
	return a.list[at].matched, true
}
