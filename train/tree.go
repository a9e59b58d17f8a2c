package train

import "github.com/goclip/goclip/internal/kernel"

// The gradients of a batch's micro-batches are the leaves of a tree, along which they are added
// up: neighbours first, then pairs of neighbours, as far as there are leaves. The tree depends on
// their number alone, so that its sum has the same bits whoever has computed which of them.

// span is a run of leaves, from one to before another.
type span struct{ from, to int }

// siblings tells whether a node's children are a and b, of a tree of so many leaves.
func siblings(a, b span, leaves int) bool {
	n := a.to - a.from // of the left child, which is always full
	return n > 0 && n&(n-1) == 0 && a.from%(2*n) == 0 && b.from == a.to && b.to == min(a.from+2*n, leaves)
}

// nodes are the largest nodes of the tree that a run of leaves makes up.
func (s span) nodes(leaves int) (list []span) {
	for i := s.from; i < s.to; i++ {
		list = append(list, span{i, i + 1})
		for n := len(list); n > 1 && siblings(list[n-2], list[n-1], leaves); n-- {
			list[n-2].to = list[n-1].to
			list = list[:n-1]
		}
	}
	return list
}

// node is the sum of the leaves below it.
type node struct {
	span
	sum  []float32
	kept bool // the memory is the forest's own
}

// forest is the largest nodes that are known of a tree, from its left.
type forest struct {
	leaves int
	nodes  []node
	spare  [][]float32
}

// begin forgets all nodes.
func (f *forest) begin(leaves int) {
	for _, n := range f.nodes {
		f.drop(n)
	}
	f.leaves, f.nodes = leaves, f.nodes[:0]
}

func (f *forest) drop(n node) {
	if n.kept {
		f.spare = append(f.spare, n.sum)
	}
}

// add takes a node in, whose neighbour on the left is the last one. It writes to its sum only
// where the node is kept.
func (f *forest) add(right node) {
	for len(f.nodes) > 0 {
		left := f.nodes[len(f.nodes)-1]
		if !siblings(left.span, right.span, f.leaves) {
			break
		}
		f.nodes = f.nodes[:len(f.nodes)-1]
		into := left
		switch {
		case !left.kept && right.kept:
			into = right
		case !left.kept:
			into = node{left.span, f.memory(len(left.sum)), true}
		}
		kernel.Add(into.sum, left.sum, right.sum)
		if into.span != right.span {
			f.drop(right)
		}
		into.span = span{left.from, right.to}
		right = into
	}
	f.nodes = append(f.nodes, right)
}

// leaf takes in the next leaf, whose memory the caller will use again.
func (f *forest) leaf(i int, grad []float32) {
	f.add(node{span{i, i + 1}, grad, false})
	if last := &f.nodes[len(f.nodes)-1]; !last.kept {
		last.sum = f.memory(len(grad))
		copy(last.sum, grad)
		last.kept = true
	}
}

// last takes in the last leaf here, whose memory is its own until the forest begins again.
func (f *forest) last(i int, grad []float32) { f.add(node{span{i, i + 1}, grad, false}) }

// place is memory for the sum of the whole tree: where it lies already, if this is all of it.
func (f *forest) place(n int) []float32 {
	if len(f.nodes) == 1 && f.nodes[0].span == (span{0, f.leaves}) {
		return f.nodes[0].sum
	}
	for _, n := range f.nodes {
		if n.kept {
			return n.sum
		}
	}
	return f.memory(n)
}

// becomes has the tree be its sum, in the memory of place.
func (f *forest) becomes(sum []float32) {
	kept := len(f.nodes) != 1 || f.nodes[0].kept || &f.nodes[0].sum[0] != &sum[0]
	for _, n := range f.nodes {
		if n.kept && &n.sum[0] != &sum[0] {
			f.drop(n)
		}
	}
	f.nodes = append(f.nodes[:0], node{span{0, f.leaves}, sum, kept})
}

func (f *forest) memory(n int) []float32 {
	if last := len(f.spare) - 1; last >= 0 {
		m := f.spare[last]
		f.spare = f.spare[:last]
		return m
	}
	return make([]float32, n)
}
