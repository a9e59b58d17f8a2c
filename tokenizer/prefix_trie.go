package tokenizer

import (
	"cmp"
	"slices"
)

// A prefixTrie finds all keys that a text begins with, a byte at a time. It is a double
// array (Aoe, IEEE Trans. Software Eng. 15(9), 1989): byte c leads from node n to node
// nodes[n].base ^ c, if n is that node's parent.
type prefixTrie struct{ nodes []trieNode }

type trieNode struct {
	base   uint32
	parent int32
	value  int32 // -1 where no key ends
}

// step returns the node that c leads to from n, or -1. It begins at node 0.
func (t *prefixTrie) step(n int32, c byte) int32 {
	next := t.nodes[n].base ^ uint32(c)
	if t.nodes[next].parent != n {
		return -1
	}
	return int32(next)
}

// find returns the value of a key, or -1.
func (t *prefixTrie) find(key string) int32 {
	n := int32(0)
	for i := range len(key) {
		if n = t.step(n, key[i]); n < 0 {
			return -1
		}
	}
	return t.nodes[n].value
}

// findBytes is find.
func (t *prefixTrie) findBytes(key []byte) int32 {
	n := int32(0)
	for _, c := range key {
		if n = t.step(n, c); n < 0 {
			return -1
		}
	}
	return t.nodes[n].value
}

// longest returns the length of the longest key that b begins with, and its value: 0 and
// -1 where there is none.
func (t *prefixTrie) longest(b []byte) (length int, value int32) {
	n := int32(0)
	value = -1
	for i, c := range b {
		if n = t.step(n, c); n < 0 {
			break
		}
		if v := t.nodes[n].value; v >= 0 {
			length, value = i+1, v
		}
	}
	return length, value
}

const (
	freeNode  = -1
	rootNode  = -2
	trieBlock = 256 // base ^ byte stays in the block of base
	trieTries = 32
)

// trieBuilder places nodes. Those that are free are a ring, whose links are in base and
// value. A place for several children is looked for from where the last search ended.
type trieBuilder struct {
	nodes []trieNode
	free  int32 // one of the ring, or -1
}

type trieKey struct {
	head uint64 // the first bytes, for quick comparison
	id   int32
}

// newPrefixTrie returns the trie of keys, which gives each its index; of equal ones the
// last counts. Empty keys are left out.
func newPrefixTrie(keys []string) *prefixTrie {
	sorted := sortedKeys(keys)
	b := trieBuilder{free: freeNode}
	b.grow()
	b.take(0, rootNode)
	type branch struct {
		node   int32
		depth  int
		lo, hi int // the keys that go through the node
	}
	todo := []branch{{0, 0, 0, len(sorted)}}
	var labels []byte
	var ends []int
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for s.lo < s.hi && len(keys[sorted[s.lo].id]) == s.depth {
			b.nodes[s.node].value = sorted[s.lo].id
			s.lo++
		}
		labels, ends = labels[:0], ends[:0]
		for i := s.lo; i < s.hi; i++ {
			if c := keys[sorted[i].id][s.depth]; len(labels) == 0 || labels[len(labels)-1] != c {
				labels, ends = append(labels, c), append(ends, i)
			}
		}
		if len(labels) == 0 {
			continue
		}
		base := b.place(labels)
		b.nodes[s.node].base = base
		for i := len(labels) - 1; i >= 0; i-- {
			child := int32(base ^ uint32(labels[i]))
			b.take(child, s.node)
			todo = append(todo, branch{child, s.depth + 1, ends[i], s.hi})
			s.hi = ends[i]
		}
	}
	b.close()
	return &prefixTrie{slices.Clip(b.nodes)}
}

func sortedKeys(keys []string) []trieKey {
	sorted := make([]trieKey, 0, len(keys))
	for i, key := range keys {
		if key == "" {
			continue
		}
		var head uint64
		for j := range min(8, len(key)) {
			head |= uint64(key[j]) << (56 - 8*j)
		}
		sorted = append(sorted, trieKey{head, int32(i)})
	}
	slices.SortFunc(sorted, func(a, b trieKey) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return cmp.Or(cmp.Compare(keys[a.id], keys[b.id]), cmp.Compare(a.id, b.id))
	})
	return sorted
}

// place returns a base whose children by labels are free.
func (b *trieBuilder) place(labels []byte) uint32 {
	for range trieTries {
		if b.free < 0 {
			break
		}
		base := uint32(b.free) ^ uint32(labels[0])
		if !slices.ContainsFunc(labels, func(c byte) bool { return b.nodes[base^uint32(c)].parent != freeNode }) {
			return base
		}
		b.free = int32(b.nodes[b.free].base)
	}
	b.grow()
	return uint32(b.free) ^ uint32(labels[0])
}

// grow adds a block of free nodes, which are looked at next.
func (b *trieBuilder) grow() {
	first := int32(len(b.nodes))
	last := first + trieBlock - 1
	for i := first; i <= last; i++ {
		b.nodes = append(b.nodes, trieNode{uint32(i + 1), freeNode, i - 1})
	}
	after := b.free
	if after < 0 {
		after = first
	}
	before := b.nodes[after].value
	if b.free < 0 {
		before = last
	}
	b.nodes[first].value, b.nodes[last].base = before, uint32(after)
	b.nodes[before].base, b.nodes[after].value = uint32(first), last
	b.free = first
}

// take makes a free node one of the trie's.
func (b *trieBuilder) take(n, parent int32) {
	next, prev := int32(b.nodes[n].base), b.nodes[n].value
	b.nodes[prev].base, b.nodes[next].value = uint32(next), prev
	if b.free == n {
		b.free = next
	}
	if next == n {
		b.free = freeNode
	}
	b.nodes[n] = trieNode{0, parent, -1}
}

// close leaves no links behind. A node without children has base 0, where node 0 is the
// only one that might take it for its parent.
func (b *trieBuilder) close() {
	for i := range b.nodes {
		if b.nodes[i].parent == freeNode {
			b.nodes[i] = trieNode{0, freeNode, -1}
		}
	}
}
