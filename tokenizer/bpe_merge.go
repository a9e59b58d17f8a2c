package tokenizer

import "math"

// A pair of symbols that follow one another, by their ids.
type pair struct{ left, right int32 }

// A merge makes one symbol of a pair.
type merge struct {
	pair
	joined int32
}

// A workspace holds what joining one word needs, to be used again.
type workspace struct {
	nodes []node
	queue turns
	fresh []turn
	out   []int32
}

// maxKept bounds the workspaces that are kept, in bytes of a word.
const maxKept = 1 << 12

func (b *BPE) workspace() *workspace {
	w, ok := b.scratch.Get().(*workspace)
	if !ok || cap(w.nodes) > maxKept {
		w = new(workspace)
	}
	return w
}

// A node is a symbol of a word, in a list.
type node struct {
	id         int32
	prev, next int32 // -1: none
	rank       int32 // of the merge with the next one, or unmerged
}

const unmerged = math.MaxInt32

// A turn says that a node is to be merged with the next: its rank above its
// position, so that the least comes first.
type turn uint64

func newTurn(rank, at int32) turn { return turn(rank)<<32 | turn(at) }

func (t turn) rank() int32 { return int32(t >> 32) }
func (t turn) at() int32   { return int32(t & math.MaxUint32) }

// join appends the ids of the symbols that the bytes of word are joined to:
// the pair of the lowest rank is joined wherever it is, from left to right,
// then the lowest of what there is now, until no pair has a rank. A heap of
// turns makes that O(n log n).
func (b *BPE) join(ids []int32, w *workspace, word string) []int32 {
	w.queue = w.queue[:0]
	b.split(w, word)
	for len(w.queue) > 0 {
		rank := w.queue[0].rank()
		// New pairs wait until all those of this rank are joined.
		w.fresh = w.fresh[:0]
		for len(w.queue) > 0 && w.queue[0].rank() == rank {
			at := w.queue.pop().at()
			if w.nodes[at].rank == rank {
				b.joinAt(w, at)
			}
		}
		for _, t := range w.fresh {
			w.queue.push(t)
		}
	}
	for i := int32(0); i >= 0; i = w.nodes[i].next {
		ids = append(ids, w.nodes[i].id)
	}
	return ids
}

// split sets up the nodes of word's bytes and their turns.
func (b *BPE) split(w *workspace, word string) {
	w.nodes = w.nodes[:0]
	last := int32(len(word) - 1)
	for i := range int32(len(word)) {
		n := node{id: b.leaves[0][word[i]], prev: i - 1, next: i + 1}
		if i == last {
			n.id, n.next = b.leaves[1][word[i]], -1
		}
		w.nodes = append(w.nodes, n)
	}
	for i := range w.nodes {
		if rank := b.rate(w, int32(i)); rank != unmerged {
			w.queue.push(newTurn(rank, int32(i)))
		}
	}
}

// rate sets and returns the rank of a node.
func (b *BPE) rate(w *workspace, at int32) int32 {
	n := &w.nodes[at]
	n.rank = unmerged
	if n.next >= 0 {
		if rank, ok := b.ranks[pair{n.id, w.nodes[n.next].id}]; ok {
			n.rank = rank
		}
	}
	return n.rank
}

// joinAt joins a node with the next one and rates the new pairs.
func (b *BPE) joinAt(w *workspace, at int32) {
	n := &w.nodes[at]
	next := &w.nodes[n.next]
	n.id = b.merges[n.rank].joined
	n.next = next.next
	next.rank = unmerged
	if n.next >= 0 {
		w.nodes[n.next].prev = at
	}
	for _, at := range [2]int32{at, n.prev} {
		if at < 0 {
			continue
		}
		if rank := b.rate(w, at); rank != unmerged {
			w.fresh = append(w.fresh, newTurn(rank, at))
		}
	}
}

// turns keep the least one at the front: a binary heap.
type turns []turn

func (all *turns) push(t turn) {
	q := append(*all, t)
	i := len(q) - 1
	for i > 0 && q[(i-1)/2] > t {
		q[i] = q[(i-1)/2]
		i = (i - 1) / 2
	}
	q[i] = t
	*all = q
}

func (all *turns) pop() turn {
	q := *all
	first, t := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if child+1 < len(q) && q[child+1] < q[child] {
			child++
		}
		if q[child] >= t {
			break
		}
		q[i] = q[child]
		i = child
	}
	if len(q) > 0 {
		q[i] = t
	}
	*all = q
	return first
}
