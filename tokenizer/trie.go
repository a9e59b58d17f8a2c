package tokenizer

import (
	"bytes"
	"cmp"
	"slices"
)

// A trie finds which of its words a text begins with. The children of a node lie side by
// side, in the order of their bytes.
type trie struct {
	labels []byte
	first  []int32 // number of the first child; the last is where the next node's begin
	values []int32 // of the word that ends here, or none
	roots  [256]int32
}

// none is the value of nodes where no word ends.
const none = -1

// A word of a trie. Values are not negative.
type trieWord struct {
	text  []byte
	value int32
}

// newTrie makes a trie of words, none empty; of equal ones the last counts.
func newTrie(words []trieWord) *trie {
	slices.SortStableFunc(words, func(a, b trieWord) int { return bytes.Compare(a.text, b.text) })
	t := new(trie)
	for i := range t.roots {
		t.roots[i] = none
	}
	// Level by level: a node stands for the words that begin with its path.
	type group struct{ from, to int32 }
	level := []group{{0, int32(len(words))}}
	for depth := 0; len(level) > 0; depth++ {
		var below []group
		for _, g := range level {
			if depth > 0 {
				t.first = append(t.first, int32(len(t.labels)))
			}
			for i := g.from; i < g.to; {
				if len(words[i].text) == depth {
					i++
					continue
				}
				label, from := words[i].text[depth], i
				value := int32(none)
				for i < g.to && words[i].text[depth] == label {
					if len(words[i].text) == depth+1 {
						value = words[i].value
					}
					i++
				}
				if depth == 0 {
					t.roots[label] = int32(len(t.labels))
				}
				t.labels = append(t.labels, label)
				t.values = append(t.values, value)
				below = append(below, group{from, i})
			}
		}
		level = below
	}
	t.first = append(t.first, int32(len(t.labels)))
	return t
}

// child returns the child of a node by its byte, or none.
func (t *trie) child(node int32, b byte) int32 {
	from, to := t.first[node], t.first[node+1]
	for to-from > 8 {
		middle := (from + to) / 2
		if cmp.Compare(t.labels[middle], b) <= 0 {
			from = middle
		} else {
			to = middle
		}
	}
	for ; from < to; from++ {
		if t.labels[from] == b {
			return from
		}
	}
	return none
}

// longest returns the value and the length of the longest word that text begins with; the
// length is 0 where there is none.
func (t *trie) longest(text []byte) (value int32, n int) {
	value = none
	if len(text) == 0 {
		return value, 0
	}
	node := t.roots[text[0]]
	for i := 1; node != none; i++ {
		if v := t.values[node]; v != none {
			value, n = v, i
		}
		if i == len(text) {
			break
		}
		node = t.child(node, text[i])
	}
	return value, n
}
