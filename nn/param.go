package nn

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
)

// Param is one named tensor of weights. Its memory is shared by every graph
// that uses it, so a solver's step is seen by all of them.
//
// A Param must not be written to while a graph that uses it runs.
type Param struct {
	Name  string    // open_clip's name, for example visual.transformer.resblocks.0.ln_1.weight
	Shape []int     // row-major; nil for a scalar
	Data  []float32 // len is the product of Shape; nil until Init or a checkpoint gives it memory, and where halves are kept

	Buffer bool // statistics, saved but never trained

	init func(data []float32, rng *rand.Rand)

	matrix     bool  // of a linear layer, which takes an adapter
	patches    bool  // of patches
	projection bool  // to the features
	cut        bool  // read in parts
	adapter    *LoRA // nil without

	mapped  bool // Data is never written to
	release func()
	read    atomic.Bool // by a product, as they lie
	packing sync.Once
	packed  *kernel.Packed

	integers  bool // products of mapped Data are of integers
	quantized *kernel.Quantized
	halves    *kernel.Packed // in the place of Data
	taps      []float32      // of a depthwise convolution
}

// NewParam returns a parameter without memory. [Param.Init] sets it to zeros,
// unless Fill, Normal or Uniform choose otherwise.
func NewParam(name string, shape ...int) *Param {
	return &Param{Name: name, Shape: shape, init: func([]float32, *rand.Rand) {}}
}

// NewProjection returns the matrix, (in, out), that a tower's output is multiplied with, without
// memory.
func NewProjection(name string, in, out int) *Param {
	p := NewParam(name, in, out)
	p.projection = true
	return p
}

// Multiplies reports whether p is what activations are multiplied with: the weight of a
// [Linear] or of [PatchEmbed], or a projection.
func (p *Param) Multiplies() bool { return p.matrix || p.patches || p.projection }

// Fill makes [Param.Init] set every element to v. It returns p.
func (p *Param) Fill(v float32) *Param {
	return p.fill(func(*rand.Rand) float32 { return v })
}

// Normal makes [Param.Init] draw every element from N(0, std²). It returns p.
func (p *Param) Normal(std float64) *Param {
	return p.fill(func(rng *rand.Rand) float32 { return float32(std * rng.NormFloat64()) })
}

// Uniform makes [Param.Init] draw every element from [-limit, limit). It
// returns p.
func (p *Param) Uniform(limit float64) *Param {
	return p.fill(func(rng *rand.Rand) float32 { return float32(limit * (2*rng.Float64() - 1)) })
}

func (p *Param) fill(draw func(*rand.Rand) float32) *Param {
	p.init = func(data []float32, rng *rand.Rand) {
		for i := range data {
			data[i] = draw(rng)
		}
	}
	return p
}

// Init gives p memory and its initial values. The stream of random numbers
// depends on the seed and the parameter's name only, never on the order of calls.
func (p *Param) Init(seed uint64) {
	h := fnv.New64a()
	h.Write([]byte(p.Name))
	p.Data = kernel.Buffer(p.Size())
	if p.init != nil {
		p.init(p.Data, rand.New(rand.NewPCG(seed, h.Sum64())))
	}
}

// Map gives p read-only values, such as a view of a memory-mapped file. The first matrix
// product reads them where they lie, as a process that embeds one image does; later ones
// read a packed copy, which the second makes. release, where not nil, is called after
// either, so that the view may leave memory until it is read again.
// Data must have p's number of elements.
func (p *Param) Map(data []float32, release func()) {
	p.Data, p.mapped, p.release = data, true, release
}

// convert has mapped Data, an op(B) of k×n with rows ld apart, put into another form once,
// and then lets the view leave memory.
func (p *Param) convert(l kernel.Layout, n, k int, make func(ld int)) {
	p.packing.Do(func() {
		make(rowLen(l, n, k))
		p.Release()
	})
}

// rowLen is how far apart the rows of a B lie of which op(B) is k×n.
func rowLen(l kernel.Layout, n, k int) int {
	if l == kernel.NN {
		return n
	}
	return k
}

// Release lets mapped values leave memory until they are read again, which whoever has read
// them all and does not know of a next time calls. Others stay.
func (p *Param) Release() {
	if p != nil && p.release != nil {
		p.release()
	}
}

// Quantize makes products of a linear layer with p's mapped values products of integers: a
// weight is one of 127 steps of its output's scale and an input one of 255 steps of its
// row's, and sums are exact (dynamic quantization; Dettmers et al., 2022, LLM.int8()). The
// integers are made on first use and take a quarter of the memory. A weight whose rounding
// would change it by more than [QuantizationLimit], as where one number of an output stands far out, stays
// as it is, and so does a parameter that is neither a linear layer's weight nor one of
// [NewPatchWeight]; the result says whether p will be integers.
func (p *Param) Quantize() bool {
	if p == nil || !p.matrix && !p.patches || p.cut || !p.mapped {
		return false
	}
	out := p.Shape[0]
	p.integers = kernel.QuantizationError(out, p.Size()/out, p.Data) <= QuantizationLimit
	return p.integers
}

// QuantizationLimit is how much rounding may change a weight of [Param.Quantize]: the length
// of the differences over the length of the weight, of which the largest number of each
// output does not count. A matrix of normal random numbers is changed by 0.02.
const QuantizationLimit = 0.04

// Quantized tells whether products with p are of integers.
func (p *Param) Quantized() bool { return p != nil && p.integers && p.mapped }

// set replaces the values; mapped ones, which may be a view of a file, by other
// memory.
func (p *Param) set(data []float32) {
	if !p.mapped {
		copy(p.Data, data)
		return
	}
	p.read.Store(false)
	p.Data, p.release, p.packing, p.packed, p.quantized, p.taps = data, nil, sync.Once{}, nil, nil, nil
}

// Size is the number of elements.
func (p *Param) Size() int { return size(p.Shape) }

// Node returns the parameter's leaf in g, the same one at every call. A scalar
// parameter becomes a vector of one element.
//
// The node's tensor header is the graph's own (gorgonia's machines write to it);
// the memory behind it is p.Data. Without Data the graph can be built, to see its shapes
// or its [Machine.Workspace], and not run.
func (p *Param) Node(g *G.ExprGraph) *G.Node {
	switch {
	case p == nil:
		Fail("parameter", "it is nil")
	case g == nil:
		Fail("parameter", "%s: the graph is nil", p.Name)
	case p.Data != nil && len(p.Data) != p.Size():
		Fail("parameter", "%s has %d numbers, want those of shape %v", p.Name, len(p.Data), p.Shape)
	}
	shape := tensor.Shape(p.Shape)
	if len(shape) == 0 {
		shape = tensor.Shape{1}
	}
	// Leaves of one name and type merge in gorgonia: the address keeps apart the
	// parameters of two models in one graph.
	name := fmt.Sprintf("%s@%p", p.Name, p)
	if p.Data == nil {
		return G.NewTensor(g, tensor.Float32, len(shape), G.WithName(leafName(g, name)), G.WithShape(shape...))
	}
	return leaf(g, name, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(p.Data)))
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
