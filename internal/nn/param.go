package nn

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Param is one named tensor of weights. Its memory is shared by every graph
// that uses it, so a solver's step is seen by all of them.
//
// A Param must not be written to while a graph that uses it runs.
type Param struct {
	Name  string    // open_clip's name, for example visual.transformer.resblocks.0.ln_1.weight
	Shape []int     // row-major; nil for a scalar
	Data  []float32 // len is the product of Shape
}

// NewParam returns a parameter of zeros.
func NewParam(name string, shape ...int) *Param {
	return &Param{Name: name, Shape: shape, Data: make([]float32, size(shape))}
}

// Fill sets every element to v and returns p.
func (p *Param) Fill(v float32) *Param {
	for i := range p.Data {
		p.Data[i] = v
	}
	return p
}

// Normal draws every element from N(0, std²) and returns p. The stream depends
// on the seed and the parameter's name only, never on the order of creation.
func (p *Param) Normal(seed uint64, std float64) *Param {
	rng := p.rand(seed)
	for i := range p.Data {
		p.Data[i] = float32(std * rng.NormFloat64())
	}
	return p
}

// Uniform draws every element from [-limit, limit) and returns p.
func (p *Param) Uniform(seed uint64, limit float64) *Param {
	rng := p.rand(seed)
	for i := range p.Data {
		p.Data[i] = float32(limit * (2*rng.Float64() - 1))
	}
	return p
}

func (p *Param) rand(seed uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(p.Name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Node returns the parameter's leaf in g, the same one at every call. A scalar
// parameter becomes a vector of one element.
//
// The node's tensor header is the graph's own (gorgonia's machines write to it);
// the memory behind it is p.Data.
func (p *Param) Node(g *G.ExprGraph) *G.Node {
	shape := tensor.Shape(p.Shape)
	if len(shape) == 0 {
		shape = tensor.Shape{1}
	}
	// Leaves of one name and type merge in gorgonia: the address keeps apart the
	// parameters of two models in one graph.
	return G.NewTensor(g, tensor.Float32, len(shape),
		G.WithName(fmt.Sprintf("%s@%p", p.Name, p)),
		G.WithShape(shape...),
		G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(p.Data))))
}

// Decayed reports whether weight decay applies to p: tensors of two or more
// dimensions, so no biases, norms, class embeddings or logit scales. This is
// the rule of CLIP's training code.
func (p *Param) Decayed() bool { return len(p.Shape) >= 2 }

// size is the number of elements of a shape; a scalar has one.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// isqrt is 1/√n, the scale of CLIP's initialisers.
func isqrt(n int) float64 { return 1 / math.Sqrt(float64(n)) }
