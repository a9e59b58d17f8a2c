package tokenizer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// A charsmap is SentencePiece's precompiled_charsmap: strings and what replaces them. The
// strings are a trie, a double array as darts-clone lays it out; its values are where in
// replacements the new string begins, which a zero byte ends.
type charsmap struct {
	units        []uint32
	replacements []byte
	classes      *[0x10000]charsmapClass // of the characters of 16 bits
}

// charsmapClass is a character's class in grapheme clusters, with mapped where a
// string begins with the character.
type charsmapClass uint8

const mapped charsmapClass = 0x80

// newPrecompiled returns the normalizer of a charsmap, as the tokenizers library reads it.
func newPrecompiled(data []byte) (normalizer, error) {
	c, err := parseCharsmap(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: precompiled_charsmap: %w", err)
	}
	var classes [0x10000]charsmapClass
	for r := range classes {
		classes[r] = c.class(rune(r))
	}
	c.classes = &classes
	return c, nil
}

// maxReplacement keeps a short text from becoming a long one; Unicode's longest
// decomposition has 33 bytes.
const maxReplacement = 1024

func parseCharsmap(data []byte) (*charsmap, error) {
	if len(data) < 4 {
		return nil, fmt.Errorf("%d bytes, want at least 4", len(data))
	}
	size, data := binary.LittleEndian.Uint32(data), data[4:]
	if uint64(size) > uint64(len(data)) {
		return nil, fmt.Errorf("its trie has %d bytes, but %d follow", size, len(data))
	}
	c := &charsmap{units: make([]uint32, size/4), replacements: data[size/4*4:]}
	if !utf8.Valid(c.replacements) {
		return nil, fmt.Errorf("its replacements are not UTF-8")
	}
	for i, r := range bytes.Split(c.replacements, []byte{0}) {
		if len(r) > maxReplacement {
			return nil, fmt.Errorf("replacement %d has %d bytes, want at most %d", i, len(r), maxReplacement)
		}
	}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return c, nil
}

// prefixes calls found with each string of the map that b begins with, shortest first,
// until it returns false. Links that lead out of the map end the search.
func (c *charsmap) prefixes(b []byte, found func(length int, replacement []byte) bool) {
	at := uint32(0)
	for i := -1; i < len(b); i++ {
		if i >= 0 {
			at ^= uint32(b[i])
		}
		if uint64(at) >= uint64(len(c.units)) || i >= 0 && (b[i] == 0 || c.units[at]&(1<<31|0xff) != uint32(b[i])) {
			return
		}
		unit := c.units[at]
		at ^= unit >> 10 << (unit & (1 << 9) >> 6)
		if i < 0 || unit>>8&1 == 0 {
			continue
		}
		if uint64(at) >= uint64(len(c.units)) {
			return
		}
		value := c.units[at] & (1<<31 - 1)
		if uint64(value) > uint64(len(c.replacements)) {
			return
		}
		replacement := c.replacements[value:]
		if end := bytes.IndexByte(replacement, 0); end >= 0 {
			replacement = replacement[:end]
		}
		if !found(i+1, replacement) {
			return
		}
	}
}

// shortest is what replaces the shortest string that b begins with.
func (c *charsmap) shortest(b []byte) (replacement []byte, ok bool) {
	c.prefixes(b, func(_ int, r []byte) bool {
		replacement, ok = r, true
		return false
	})
	return replacement, ok
}

// longest is the longest string that b begins with; its length is 0 where there is none.
func (c *charsmap) longest(b []byte) (length int, replacement []byte) {
	c.prefixes(b, func(n int, r []byte) bool {
		length, replacement = n, r
		return true
	})
	return length, replacement
}

func (c *charsmap) class(r rune) charsmapClass {
	if c.classes != nil && int(r) < len(c.classes) {
		return c.classes[r]
	}
	class := charsmapClass(graphemeClassOf(r))
	if r >= 0xd800 && r < 0xe000 {
		return class
	}
	var buffer [utf8.UTFMax]byte
	if _, ok := c.shortest(utf8.AppendRune(buffer[:0], r)); ok {
		class |= mapped
	}
	return class
}

// plain is the number of bytes at the start of b that stay as they are. A cluster ends
// there.
func (c *charsmap) plain(b []byte) int {
	for i, last := 0, 0; ; {
		if i == len(b) {
			return i
		}
		r, n := rune(b[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(b[i:])
		}
		if c.class(r) != charsmapClass(graphemeAny) {
			return last
		}
		last, i = i, i+n
	}
}

// normalize does what the tokenizers library does, and no SentencePiece: a grapheme
// cluster of less than 6 bytes that begins with a string of the map is replaced as a whole
// by what stands for the shortest one, whatever else is in the cluster; all others go
// character by character.
func (c *charsmap) normalize(t *text) error {
	plain := c.plain(t.b)
	if plain == len(t.b) {
		return nil
	}
	var e edits
	changed := false
	for b := t.b[plain:]; len(b) > 0; {
		n := graphemeSize(b)
		cluster := b[:n]
		b = b[n:]
		if n < 6 {
			if r, ok := c.shortest(cluster); ok {
				e.replace(cluster, r)
				changed = true
				continue
			}
		}
		for len(cluster) > 0 {
			n := runeSize(cluster)
			if r, ok := c.shortest(cluster[:n]); ok {
				e.replace(cluster[:n], r)
				changed = true
			} else {
				e.keep(cluster[:n])
			}
			cluster = cluster[n:]
		}
	}
	if changed {
		t.edit()
		t.keep(plain)
		e.apply(t)
		t.done()
	}
	return nil
}

// edits are the tokenizers library's transformations: each character of the new text with
// how it changes the number of characters. What they say about where characters come from
// is not always true, but what users of offsets get.
type edits []edit

type edit struct {
	r      rune
	change int32 // 0 replaces one, 1 is inserted, -n replaces one and removes the next n
}

func (e *edits) keep(char []byte) {
	r, _ := utf8.DecodeRune(char)
	*e = append(*e, edit{r: r})
}

func (e *edits) replace(old, replacement []byte) {
	first := len(*e)
	for _, r := range string(replacement) {
		*e = append(*e, edit{r: r})
	}
	more := len(*e) - first - utf8.RuneCount(old)
	for i := range more {
		(*e)[len(*e)-1-i].change = 1
	}
	if more < 0 && len(*e) > 0 {
		(*e)[len(*e)-1].change += int32(more)
	}
}

func (e edits) apply(t *text) {
	for _, x := range e {
		if x.change > 0 {
			t.add(x.r)
			continue
		}
		t.put(x.r, runeSize(t.rest()))
		for range -x.change {
			t.drop(runeSize(t.rest()))
		}
	}
}
