package nn

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// joint is the gradients of several inputs in one pass over what they are made of. The first of
// them is the output of an op; the others, small ones of parameters, are what it leaves
// beside. Where one of them is not wanted, each pullback runs alone, to the same bits.
type joint struct {
	inputs []int
	reads  []int // inputs; the output is not read
	fn     func(d [][]float32, x Inputs, dy []float32, next step)
	rows   bool // the first comes in parts of whole rows
}

// add adds the gradients to the graph, in the order of inputs.
func (j *joint) add(o *opNode, inputs G.Nodes, grad *G.Node, value func(*G.Node) *G.Node) G.Nodes {
	nodes, see := o.reading(j.reads, inputs, nil, grad, value)
	d := make([][]float32, len(j.inputs))
	for k, i := range j.inputs[1:] {
		d[k+1] = make([]float32, size(inputs[i].Shape()))
	}
	run := func(dx []float32, v Inputs, next step) {
		d[0] = dx
		x, _ := see(v)
		j.fn(d, x, v.F32(len(v)-1), next)
	}
	name := func(k int) string { return fmt.Sprintf("%s.grad%d", o.Name, j.inputs[k]) }
	first := Op{Name: name(0), Shape: inputs[j.inputs[0]].Shape(), Forward: func(dx []float32, v Inputs) { run(dx, v, nil) }}
	if j.rows {
		first.parts, first.partsAreRows = run, true
	}
	grads := G.Nodes{Apply(first, nodes...)}
	for k := 1; k < len(d); k++ {
		grads = append(grads, Apply(Op{
			Name:     name(k),
			Shape:    inputs[j.inputs[k]].Shape(),
			constant: func(Inputs) []float32 { return d[k] },
			after:    true,
		}, grads[0]))
	}
	return grads
}

// wanted tells whether all of the gradients are.
func (j *joint) wanted(want []bool) bool {
	if j == nil {
		return false
	}
	for _, i := range j.inputs {
		if !want[i] {
			return false
		}
	}
	return true
}
