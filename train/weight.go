package train

import (
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/nn"
)

// part is what a weight belongs to: a tower, or the loss.
type part int

const (
	image part = iota
	text
	head // logit_scale and logit_bias
)

// weight is a parameter that is trained, with its latest gradient, as gorgonia's
// solvers take it.
type weight struct {
	part  part
	rate  float64 // of learning, as a part of the schedule's
	param *nn.Param
	value *tensor.Dense
	grad  G.Value
	own   *tensor.Dense // memory for a gradient that no pass holds
	owner int           // the rank that updates it
	depth int           // layers between it and the features
	tree  forest        // of its gradient: see reduce.go
	sum   []float32     // of the whole tree, while it is made
}

func (w *weight) Value() G.Value         { return w.value }
func (w *weight) Grad() (G.Value, error) { return w.grad, nil }

func newWeight(p *nn.Param) *weight {
	w := &weight{param: p, value: dense(p.Data, p.Shape), part: text}
	switch {
	case strings.HasPrefix(p.Name, "visual."):
		w.part = image
	case strings.HasPrefix(p.Name, "logit_"):
		w.part = head
	}
	return w
}

// accumulate adds the gradient of a micro-batch; the first begins the sum.
func (w *weight) accumulate(grad []float32, first bool) {
	if w.own == nil {
		w.own = dense(make([]float32, w.param.Size()), w.param.Shape)
	}
	sum := w.own.Float32s()
	if w.grad = w.own; first {
		copy(sum, grad)
	} else {
		kernel.Add(sum, sum, grad)
	}
}

// take makes the value of a node the gradient: zeros of none, where the loss does not
// read the weight.
func (w *weight) take(n *G.Node) {
	if n == nil {
		w.accumulate(make([]float32, w.param.Size()), true)
		return
	}
	data := nn.Floats(n)
	if d, ok := n.Value().(*tensor.Dense); ok && len(data) > 0 && &data[0] == &d.Float32s()[0] {
		w.grad = d
		return
	}
	w.accumulate(data, true) // of a stock op: a scalar, or a view in another order
}

// weights are all that is trained, in the model's order.
type weights []*weight

// take gives each weight its gradient.
func (ws weights) take(grads []*G.Node) {
	for i, w := range ws {
		w.take(grads[i])
	}
}

// leaves are the weights' nodes in a graph.
func (ws weights) leaves(g *G.ExprGraph) []*G.Node {
	var nodes []*G.Node
	for _, w := range ws {
		nodes = append(nodes, w.param.Node(g))
	}
	return nodes
}

// of lists the weights of the given parts, in their order.
func (ws weights) of(parts ...part) weights {
	return slices.DeleteFunc(slices.Clone(ws), func(w *weight) bool { return !slices.Contains(parts, w.part) })
}

// owned are the weights that a rank updates.
func (ws weights) owned(rank int) weights {
	return slices.DeleteFunc(slices.Clone(ws), func(w *weight) bool { return w.owner != rank })
}

// find returns the weight of a parameter's name, or nil.
func (ws weights) find(name string) *weight {
	for _, w := range ws {
		if w.param.Name == name {
			return w
		}
	}
	return nil
}

func dense(data []float32, shape []int) *tensor.Dense {
	if len(shape) == 0 {
		shape = []int{1}
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}
