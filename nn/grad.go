package nn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/gonum/graph"
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// Grad adds the gradients of a scalar cost to its graph, one for each node of
// wrt, by reverse-mode differentiation. It does what gorgonia.Grad does, and
//
//   - computes no gradient that wrt does not need (that of the pixels, say);
//   - adds the gradients that meet at a node with an op of this package, in a
//     fixed order;
//   - differentiates with respect to any node, not only leaves.
//
// Stock nodes are differentiated by their own SymDiff.
func Grad(cost *G.Node, wrt ...*G.Node) (grads []*G.Node, err error) {
	return Recompute(nil).Grad(cost, wrt...)
}

// Grad is the function of that name in less memory.
func (r Recompute) Grad(cost *G.Node, wrt ...*G.Node) (grads []*G.Node, err error) {
	if cost == nil {
		return nil, errors.New("nn: gradient: cost is nil")
	}
	if !cost.IsScalar() {
		return nil, fmt.Errorf("nn: gradient: cost has shape %v, want a scalar", cost.Shape())
	}
	one := cost.Graph().AddNode(G.NewConstant(float32(1)))
	return r.VJP(G.Nodes{cost}, G.Nodes{one}, wrt...)
}

// VJP adds vector–Jacobian products: given dy, the gradients of some cost with
// respect to the nodes y, it returns the gradients of that cost with respect to
// the nodes of wrt. [Grad] is the special case y = cost, dy = 1.
func VJP(y, dy G.Nodes, wrt ...*G.Node) (grads []*G.Node, err error) {
	return Recompute(nil).VJP(y, dy, wrt...)
}

// VJP is the function of that name in less memory.
func (r Recompute) VJP(y, dy G.Nodes, wrt ...*G.Node) (grads []*G.Node, err error) {
	defer Catch(&err, "nn: gradient")
	if len(y) == 0 || len(y) != len(dy) {
		Fail("output", "%d nodes with %d gradients, want one each", len(y), len(dy))
	}
	sums := make(map[*G.Node]*G.Node)
	for i, n := range y {
		if !n.Shape().Eq(dy[i].Shape()) {
			Fail("output", "shape %v, but its gradient has %v", n.Shape(), dy[i].Shape())
		}
		sums[n] = plus(sums[n], dy[i])
	}
	g := y[0].Graph()
	order, err := G.Sort(g) // outputs first
	if err != nil {
		return nil, fmt.Errorf("nn: gradient: %w", err)
	}
	needed := influenced(g, order, wrt)
	again := r.again(g, order, needed)
	for _, n := range order {
		grad := sums[n]
		if grad == nil || n.Op() == nil {
			continue
		}
		in := children(g, n)
		parts, err := pullbacks(n, in, grad, needed, again.value)
		if err != nil {
			return nil, fmt.Errorf("nn: gradient of %v: %w", n, err)
		}
		for i, part := range parts {
			if part != nil && needed[in[i]] {
				sums[in[i]] = plus(sums[in[i]], part)
			}
		}
	}
	for _, n := range wrt {
		if sums[n] == nil {
			name, _, _ := strings.Cut(n.Name(), "@") // of a parameter's leaf, its own
			return nil, fmt.Errorf("nn: gradient: the cost does not depend on %s", name)
		}
		grads = append(grads, sums[n])
	}
	return grads, nil
}

// influenced returns wrt and all nodes computed from them.
func influenced(g *G.ExprGraph, order, wrt G.Nodes) map[*G.Node]bool {
	set := make(map[*G.Node]bool)
	for _, n := range wrt {
		set[n] = true
	}
	for i := len(order) - 1; i >= 0; i-- {
		for _, c := range children(g, order[i]) {
			if set[c] {
				set[order[i]] = true
			}
		}
	}
	return set
}

func pullbacks(n *G.Node, in G.Nodes, grad *G.Node, needed map[*G.Node]bool, value func(*G.Node) *G.Node) (G.Nodes, error) {
	o, ours := n.Op().(*opNode)
	if !ours {
		op, ok := n.Op().(G.SDOp)
		if !ok {
			return nil, fmt.Errorf("op %v is not differentiable", n.Op())
		}
		if !slices.Contains(op.DiffWRT(len(in)), true) {
			return make(G.Nodes, len(in)), nil // of the number of elements, say, in gorgonia's Mean
		}
		return op.SymDiff(in, n, grad)
	}
	want := o.DiffWRT(len(in))
	for i := range want {
		want[i] = want[i] && needed[in[i]]
	}
	return o.pullbacks(in, n, grad, want, value), nil
}

func plus(sum, part *G.Node) *G.Node {
	if sum == nil {
		return part
	}
	return Add(sum, part)
}

// Add returns a + b, elementwise.
func Add(a, b *G.Node) *G.Node {
	if !a.Shape().Eq(b.Shape()) {
		Fail("add", "shapes %v and %v differ", a.Shape(), b.Shape())
	}
	return Apply(Op{
		Name:     "add",
		Shape:    a.Shape(),
		Forward:  func(y []float32, x Inputs) { kernel.Add(y, x.F32(0), x.F32(1)) },
		Backward: []Pullback{Through(), Through()},
		inPlace:  []func(Inputs) step{adds(1, belowOf(a.Shape())), adds(0, belowOf(a.Shape()))},
	}, a, b)
}

// adds adds another input.
func adds(input, w int) func(Inputs) step {
	return func(x Inputs) step {
		v := x.F32(input)
		return func(dst []float32, at int) {
			kernel.Ask(v, at+w, 0, 1, len(dst))
			kernel.Add(dst, dst, v[at:][:len(dst)])
		}
	}
}

func collect(it graph.Nodes) G.Nodes {
	var out G.Nodes
	for it != nil && it.Next() {
		out = append(out, it.Node().(*G.Node))
	}
	return out
}
