package nn

import (
	"math"
	"slices"

	G "gorgonia.org/gorgonia"
)

// Recompute is [Grad] and [VJP] in less memory (gradient checkpointing; Chen et al., 2016,
// Training Deep Nets with Sublinear Memory Cost). Of what a stretch computes only nodes are
// kept through which all of it must pass, such as those between the blocks of a transformer.
// The gradient computes the rest once more, block by block, to the same bits. Nil keeps all.
type Recompute []Stretch

// Stretch is a part of a graph, such as a tower: all that is computed from one node, which
// may be its input, for another. Where nothing leads from one to the other it is empty.
type Stretch struct{ From, To *G.Node }

// repeats are nodes that a gradient computes once more, as others.
type repeats struct {
	g      *G.ExprGraph
	forget map[*G.Node]bool
	copies map[*G.Node]*G.Node
}

// again finds what is not to be kept. A node of a stock op of gorgonia is, and what it reads:
// it would be merged with its copy.
func (r Recompute) again(g *G.ExprGraph, order G.Nodes, needed map[*G.Node]bool) *repeats {
	a := &repeats{g, map[*G.Node]bool{}, map[*G.Node]*G.Node{}}
	for _, s := range r {
		for _, n := range s.inner(g, order, needed) {
			a.forget[n] = true
		}
	}
	for _, n := range order {
		if _, ours := n.Op().(*opNode); ours || n.Op() == nil {
			continue
		}
		delete(a.forget, n)
		for _, c := range children(g, n) {
			delete(a.forget, c)
		}
	}
	return a
}

// value returns the node that has the value of n when the gradient reads it. The graph runs
// in the order in which nodes are made, so a copy is computed when the first gradient
// that reads it is about to be.
func (a *repeats) value(n *G.Node) *G.Node {
	if !a.forget[n] {
		return n
	}
	if a.copies[n] == nil {
		o := n.Op().(*opNode)
		var in G.Nodes
		for _, c := range children(a.g, n) {
			in = append(in, a.value(c))
		}
		a.copies[n] = Apply(o.Op, in...)
	}
	return a.copies[n]
}

// inner lists the nodes of a stretch that are not kept: those that depend on From and on
// what has a gradient, but for some of the nodes through which all must pass.
func (s Stretch) inner(g *G.ExprGraph, order G.Nodes, needed map[*G.Node]bool) G.Nodes {
	after, before := map[*G.Node]bool{s.From: true}, map[*G.Node]bool{s.To: true}
	for _, n := range order {
		for _, c := range children(g, n) {
			before[c] = before[c] || before[n]
		}
	}
	var all G.Nodes
	for _, n := range slices.Backward(order) {
		after[n] = after[n] || slices.ContainsFunc(children(g, n), func(c *G.Node) bool { return after[c] })
		if after[n] && before[n] && needed[n] && n.Op() != nil {
			all = append(all, n)
		}
	}
	return slices.DeleteFunc(all, s.kept(g, all))
}

// kept chooses among the nodes through which all must pass. A run is what lies between two
// that are kept: the fewer are, the longer it is. So that both together are least, runs are
// tried that are as long as the longest that cannot be divided, as two of them, and so on.
func (s Stretch) kept(g *G.ExprGraph, all G.Nodes) func(*G.Node) bool {
	gates := gates(g, all)
	longest := run(all, gates, 0)
	var best map[*G.Node]bool
	least := math.MaxInt
	for limit := longest.most; ; limit += longest.most {
		r := run(all, gates, limit)
		if r.held+2*r.most < least { // a run's values, and about as many of their gradients
			least, best = r.held+2*r.most, r.kept
		}
		if r.most < limit || longest.most == 0 {
			break
		}
	}
	return func(n *G.Node) bool { return best[n] || n == s.To }
}

// gates are the nodes through which all must pass, of nodes in the order in which they run:
// those behind which none reads one before them.
func gates(g *G.ExprGraph, all G.Nodes) map[*G.Node]bool {
	place := make(map[*G.Node]int, len(all))
	for i, n := range all {
		place[n] = i
	}
	last := make([]int, len(all)) // place of a node's last reader
	for i, n := range all {
		for _, c := range children(g, n) {
			if j, ok := place[c]; ok {
				last[j] = max(last[j], i)
			}
		}
	}
	set, open := map[*G.Node]bool{}, 0
	for i, n := range all {
		if open <= i {
			set[n] = true
		}
		open = max(open, last[i])
	}
	return set
}

type runs struct {
	kept       map[*G.Node]bool
	held, most int // numbers in what is kept, and in the longest run
}

// run keeps gates so that what lies between them is no longer than the limit where it can be.
func run(all G.Nodes, gates map[*G.Node]bool, limit int) runs {
	r, length, open := runs{kept: map[*G.Node]bool{}}, 0, 0 // open: since the last gate
	var gate *G.Node
	keep := func() {
		if gate != nil {
			r.kept[gate] = true
			r.held += size(gate.Shape())
		}
		r.most = max(r.most, length)
		length = 0
	}
	for _, n := range all {
		open += size(n.Shape())
		if !gates[n] {
			continue
		}
		if length+open > limit {
			keep()
			length = 0
		}
		length, open, gate = length+open, 0, n
	}
	keep()
	return r
}
