package nn

import (
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
)

// step finishes a run of elements, the first of which is number at of an op's output.
type step func(dst []float32, at int)

// follower is an op that is done while the output which it reads is made: in place, on one part after
// the other, as long as they are in the cache. It changes no bit, since it computes every
// element, or row, from what it would compute it from later.
type follower struct {
	op     *opNode
	input  int              // of the op: the output
	others []func() G.Value // its inputs, but for that one
}

// step is what the follower does, when its other inputs are there.
func (f *follower) step() step {
	x := make(Inputs, len(f.others))
	for i, value := range f.others {
		if i != f.input {
			x[i] = value()
		}
	}
	return f.op.inPlace[f.input](x)
}

// forward runs the op, and those that follow on the parts of its output.
func (o *opNode) forward(y []float32, x Inputs) {
	switch {
	case o.followed: // by now it is done
	case len(o.followers) == 0:
		o.Forward(y, x)
	default:
		steps := make([]step, len(o.followers))
		for i := range steps {
			steps[i] = o.followers[i].step()
		}
		o.parts(y, x, func(dst []float32, at int) {
			for _, s := range steps {
				s(dst, at)
			}
		})
	}
}

// fuse finds the ops that can follow others: each is the only reader of what it follows,
// both outputs are lent, and its other inputs are there by then. The order is that in which the
// graph runs.
func fuse(g *G.ExprGraph, order G.Nodes) {
	place := make(map[*G.Node]int, len(order))
	for i, n := range order {
		place[n] = i
	}
	for _, n := range order {
		o, ok := n.Op().(*opNode)
		if !ok || o.parts == nil || !o.loan.lent || o.followed {
			continue
		}
		for last := n; last != nil; {
			last = o.follow(g, last, func(other *G.Node) bool { return place[other] < place[n] })
		}
	}
}

// follow makes the only reader of the last op's output a follower of o, and returns it; nil
// where that cannot be.
func (o *opNode) follow(g *G.ExprGraph, last *G.Node, before func(*G.Node) bool) *G.Node {
	readers := slices.DeleteFunc(parents(g, last), func(r *G.Node) bool {
		o, ok := r.Op().(*opNode)
		return ok && o.after
	})
	if len(readers) != 1 {
		return nil
	}
	r, ok := readers[0].Op().(*opNode)
	if !ok || !r.loan.lent || size(r.Shape) != size(o.Shape) || r.wholeRows && !o.partsAreRows {
		return nil
	}
	f := follower{op: r, input: -1}
	for i, c := range children(g, readers[0]) {
		f.others = append(f.others, valueOf(c))
		switch {
		case c == last && f.input < 0:
			f.input = i
		case c == last || c.Op() != nil && !before(c) || f.others[i] == nil:
			return nil
		}
	}
	if f.input >= len(r.inPlace) || r.inPlace[f.input] == nil {
		return nil
	}
	r.followed, r.loan.from = true, last.Op().(*opNode).loan
	o.followers = append(o.followers, f)
	return readers[0]
}

// valueOf returns what gives a node's value while the graph runs; nil for an op that is not
// ours.
func valueOf(n *G.Node) func() G.Value {
	if n.Op() == nil {
		return n.Value
	}
	if o, ok := n.Op().(*opNode); ok && len(o.Shape) > 0 {
		return func() G.Value { return o.out.dense }
	}
	return nil
}

// blocksOf hands over the blocks of a product of n columns, row by row, or as many whole rows as
// one core does at a time; nil where next is.
func blocksOf(y []float32, n int, next step) kernel.Then {
	if next == nil {
		return nil
	}
	return func(row, rows, col, cols int) {
		each := 1
		if cols == n {
			each = max(1, 1<<14/n)
		}
		for i := row; i < row+rows; i += each {
			next(y[i*n+col:][:(min(each, row+rows-i)-1)*n+cols], i*n+col)
		}
	}
}

// belowOf is how far a number lies from the one below it. Blocks come row by row, in pieces too short for a
// core to see what it reads next, so a step asks for that piece.
func belowOf(s tensor.Shape) int { return s[max(0, len(s)-1):].TotalSize() }

// byColumn is a step of op on each element and that of an input of w columns.
func byColumn(w, input int, op func(dst, a, b []float32)) func(Inputs) step {
	return func(x Inputs) step {
		v := x.F32(input)
		return func(dst []float32, at int) {
			for len(dst) > 0 {
				col := at % w
				n := min(len(dst), w-col)
				op(dst[:n], dst[:n], v[col:][:n])
				dst, at = dst[n:], at+n
			}
		}
	}
}
