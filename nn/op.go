package nn

import (
	"fmt"
	"hash"
	"hash/fnv"
	"runtime/debug"
	"slices"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/guard"
)

// Op describes a fused operation with one float32 output: what it computes and
// its gradient (vector–Jacobian product) for each input. [Apply] adds it to a
// graph.
//
// Forward and the pullbacks write every element of their first argument and
// never write to another. State that Forward leaves for a pullback may be kept
// in variables that both close over: the pullback runs after it.
type Op struct {
	Name     string
	Shape    tensor.Shape // of the output; empty for a scalar
	Forward  func(y []float32, x Inputs)
	Backward []Pullback // one for each input

	// parts, where not nil, is Forward that hands over each part of y when it is complete:
	// runs of elements within a row or, with partsAreRows, of whole rows. See fuse.
	parts        func(y []float32, x Inputs, next step)
	partsAreRows bool
	// inPlace has for each input, where not nil, what makes of it this op's output, where it
	// lies; with wholeRows only of whole rows.
	inPlace   []func(x Inputs) step
	wholeRows bool
	// constant, where not nil, is the output, in memory that is not the op's.
	constant func(x Inputs) []float32
	after    bool // it reads no input, but comes after it

	joint     *joint                          // of gradients
	relevance *relevance                      // of an attention
	choice    func(in Inputs, sample int) int // of a token: its position, by the inputs behind the first
}

// Inputs are the values of an operation's inputs.
type Inputs []G.Value

// F32 returns input i, row-major. It is read-only.
func (x Inputs) F32(i int) []float32 { return float32s(x[i]) }

// I32 returns the integers of input i. They are read-only.
func (x Inputs) I32(i int) []int32 { return x[i].Data().([]int32) }

// Pullback computes an input's gradient dx from the gradient dy of the output.
// The zero Pullback belongs to an input that cannot be differentiated.
type Pullback struct {
	fn      func(dx []float32, x Inputs, y, dy []float32)
	through bool
	reads   []int // inputs, where not nil

	// What the gradient has of an op's, of the same names. Neither reads the output.
	parts   func(dx []float32, x Inputs, dy []float32, next step)
	inPlace func(x Inputs) step // of dy
}

// Back is a pullback computed by fn.
func Back(fn func(dx []float32, x Inputs, y, dy []float32)) Pullback { return Pullback{fn: fn} }

// Reads says that the pullback reads dy and these inputs only, not the output:
// the others need not be kept for it.
func (p Pullback) Reads(inputs ...int) Pullback {
	p.reads = append([]int{}, inputs...)
	return p
}

// Through is the pullback of an input whose gradient is the output's, as in a sum.
func Through() Pullback { return Pullback{through: true} }

// Apply adds op to the graph of its inputs and returns the node of its output.
func Apply(op Op, inputs ...*G.Node) *G.Node {
	if len(op.Backward) == 0 {
		op.Backward = make([]Pullback, len(inputs))
	}
	n, err := G.ApplyOp(&opNode{Op: op, types: typesOf(inputs)}, inputs...)
	if err != nil {
		Fail(op.Name, "%v", err)
	}
	return n
}

// opNode is an Op in a graph, as gorgonia's machines want it. It owns the memory
// of its output, or borrows it from the arena of its [Machine].
type opNode struct {
	Op
	types []hm.Type // of the inputs
	out   buffer
	loan  *loan // set by NewMachine

	followers []follower // what is done with this op
	followed  bool       // this is one of them
	told      []func(value []float32)
}

var (
	_ G.SDOp = (*opNode)(nil)
	_ G.ADOp = (*opNode)(nil)
)

func typesOf(nodes []*G.Node) []hm.Type {
	types := make([]hm.Type, len(nodes))
	for i, n := range nodes {
		types[i] = n.Type()
	}
	return types
}

func (o *opNode) Arity() int { return len(o.types) }

func (o *opNode) Type() hm.Type {
	out := hm.Type(tensor.Float32)
	if d := o.Shape.Dims(); d > 0 {
		out = G.TensorType{Dims: d, Of: tensor.Float32}
	}
	return hm.NewFnType(append(append([]hm.Type{}, o.types...), out)...)
}

func (o *opNode) InferShape(...G.DimSizer) (tensor.Shape, error) { return o.Shape.Clone(), nil }
func (o *opNode) ReturnsPtr() bool                               { return true }
func (o *opNode) CallsExtern() bool                              { return false }
func (o *opNode) OverwritesInput() int                           { return -1 }
func (o *opNode) String() string                                 { return o.Name }

// WriteHash includes the op's address: gorgonia merges nodes whose hashes agree,
// and two ops of one name are never the same node.
func (o *opNode) WriteHash(h hash.Hash) { fmt.Fprintf(h, "goclip.%s@%p", o.Name, o) }

func (o *opNode) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// Do runs the forward function. A panic becomes an error that names the layer:
// gorgonia runs ops on a goroutine of its own, where it would end the process.
func (o *opNode) Do(in ...G.Value) (out G.Value, err error) {
	defer o.catch(&err, o.Name)
	var y []float32
	if o.constant != nil {
		y = o.constant(in)
	} else {
		y = o.output()
		o.forward(y, in)
	}
	o.loan.settle()
	for _, f := range o.told {
		f(y)
	}
	if len(o.Shape) == 0 {
		return G.NewF32(y[0]), nil
	}
	return o.out.tensor(y, o.Shape), nil
}

// catch, deferred, makes a panic into an error: of what a layer complains about the
// message, of all else the stack, too.
func (o *opNode) catch(err *error, what string) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = fmt.Errorf("nn: %s of shape %v: %w", what, o.Shape, r)
	default:
		*err = fmt.Errorf("nn: %s of shape %v: %w", what, o.Shape, &guard.Panic{Value: r, Stack: debug.Stack()})
	}
}

func (o *opNode) output() []float32 {
	if o.loan.borrows() {
		return o.loan.take(size(o.Shape))
	}
	return o.out.slice(size(o.Shape))
}

// DiffWRT and SymDiff serve gorgonia's own Grad; [Grad] leaves out the gradients
// that nobody asked for.
func (o *opNode) DiffWRT(int) []bool {
	b := make([]bool, len(o.Backward))
	for i, p := range o.Backward {
		b[i] = p.through || p.fn != nil
	}
	return b
}

func (o *opNode) SymDiff(inputs G.Nodes, output, grad *G.Node) (grads G.Nodes, err error) {
	defer Catch(&err, "nn: gradient")
	return o.pullbacks(inputs, output, grad, o.DiffWRT(len(inputs)), func(n *G.Node) *G.Node { return n }), nil
}

// pullbacks adds the gradients of the wanted inputs to the graph.
func (o *opNode) pullbacks(inputs G.Nodes, output, grad *G.Node, want []bool, value func(*G.Node) *G.Node) G.Nodes {
	grads := make(G.Nodes, len(inputs))
	together := o.joint.wanted(want)
	for i, ok := range want {
		switch {
		case !ok || grads[i] != nil:
		case together && i == o.joint.inputs[0]:
			for k, g := range o.joint.add(o, inputs, grad, value) {
				grads[o.joint.inputs[k]] = g
			}
		default:
			grads[i] = o.pullback(i, inputs, output, grad, value)
		}
	}
	return grads
}

// pullback adds the gradient of input i to the graph. What it reads of the op's
// inputs and output become its children, so their values outlive the forward pass, unless
// value names other nodes that have them.
func (o *opNode) pullback(i int, inputs G.Nodes, output, grad *G.Node, value func(*G.Node) *G.Node) *G.Node {
	p := o.Backward[i]
	if p.through {
		return grad
	}
	nodes, see := o.reading(p.reads, inputs, output, grad, value)
	op := Op{Name: fmt.Sprintf("%s.grad%d", o.Name, i), Shape: inputs[i].Shape()}
	op.Forward = func(dx []float32, v Inputs) {
		x, y := see(v)
		p.fn(dx, x, y, v.F32(len(v)-1))
	}
	if p.parts != nil {
		op.parts = func(dx []float32, v Inputs, next step) {
			x, _ := see(v)
			p.parts(dx, x, v.F32(len(v)-1), next)
		}
	}
	if p.inPlace != nil {
		op.inPlace = make([]func(Inputs) step, len(nodes))
		op.inPlace[len(nodes)-1] = func(v Inputs) step {
			x, _ := see(v)
			return p.inPlace(x)
		}
	}
	return Apply(op, nodes...)
}

// reading returns the nodes that a pullback reads, the last of which is the gradient of the
// output, and how it sees the op's inputs and output in their values.
func (o *opNode) reading(only []int, inputs G.Nodes, output, grad *G.Node, value func(*G.Node) *G.Node) (nodes G.Nodes, see func(v Inputs) (x Inputs, y []float32)) {
	n := len(inputs)
	if only == nil {
		for _, x := range append(slices.Clone(inputs), output) {
			nodes = append(nodes, value(x))
		}
		return append(nodes, grad), func(v Inputs) (Inputs, []float32) { return v[:n], v.F32(n) }
	}
	for _, j := range only {
		nodes = append(nodes, value(inputs[j]))
	}
	return append(nodes, grad), func(v Inputs) (Inputs, []float32) {
		x := make(Inputs, n)
		for k, j := range only {
			x[j] = v[k]
		}
		return x, nil
	}
}

// DoDiff serves gorgonia's LispMachine, which adds up the gradients of a node.
func (o *opNode) DoDiff(_ G.ExecutionContext, inputs G.Nodes, output *G.Node) (err error) {
	defer o.catch(&err, "gradient of "+o.Name)
	values := make(Inputs, len(inputs))
	for i, n := range inputs {
		values[i] = n.Value()
	}
	grad, err := output.Grad()
	if err != nil {
		return err
	}
	y, dy := float32s(output.Value()), float32s(grad)
	for i, p := range o.Backward {
		if !p.through && p.fn == nil {
			continue
		}
		g, err := inputs[i].Grad()
		if err != nil {
			return err
		}
		dx := dy
		if !p.through {
			dx = make([]float32, len(values.F32(i)))
			p.fn(dx, values, y, dy)
		}
		sum := float32s(g)
		for j, v := range dx {
			sum[j] += v
		}
	}
	return nil
}

// Floats returns the elements of a node's value in row-major order, often the
// value's own memory. The value must be there, and be of float32.
func Floats(n *G.Node) []float32 { return float32s(n.Value()) }

// float32s returns the elements of v in row-major order: its own memory where
// that is contiguous, else a copy.
func float32s(v G.Value) []float32 {
	switch v := v.(type) {
	case *G.F32:
		return []float32{float32(*v)}
	case *tensor.Dense:
		if !contiguous(v) {
			return gather(v)
		}
		return v.Float32s()[:size(v.Shape())]
	}
	panic(fmt.Sprintf("a value of type %T, want float32", v))
}

func contiguous(t *tensor.Dense) bool {
	step := 1
	shape, strides := t.Shape(), t.Strides()
	if len(strides) != len(shape) {
		return true // scalars
	}
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 && strides[i] != step {
			return false
		}
		step *= shape[i]
	}
	return true
}

func gather(t *tensor.Dense) []float32 {
	src, out := t.Float32s(), make([]float32, 0, size(t.Shape()))
	var walk func(dim, off int)
	walk = func(dim, off int) {
		if dim == t.Dims() {
			out = append(out, src[off])
			return
		}
		for i := range t.Shape()[dim] {
			walk(dim+1, off+i*t.Strides()[dim])
		}
	}
	walk(0, 0)
	return out
}
