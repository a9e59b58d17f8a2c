package nn

import (
	"slices"
	"sync"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// Branch is a convolution without bias, followed by BatchNorm.
type Branch struct {
	Weight *Param // (N, C/groups, k, k), k odd; nil for BatchNorm alone
	Norm   *BatchNorm
}

// NewBranch returns one of in channels to out, in so many groups of channels, named
// name.conv and name.bn.
func NewBranch(name string, in, out, size, groups int) Branch {
	weight := NewParam(name+".conv.weight", out, in/groups, size, size).Uniform(isqrt(in / groups * size * size))
	return Branch{weight, NewBatchNorm(name+".bn", out)}
}

// BranchedConv is the sum of several branches that read one input (Ding et al., 2021,
// RepVGG; Vasu et al., 2023, MobileOne), each padded by half of its kernel's size:
//
//	y = scale·(Σ plus − Σ minus) + x
//
// BatchNorm's statistics are constants here, so the sum is one convolution with a bias
// (RepVGG, section 3.3), and that is what is computed. The branches stay the parameters
// and have the gradients. Where no parameter is ever written to, the convolution is kept.
type BranchedConv struct {
	Plus, Minus []Branch    // Plus begins with the largest kernel
	Scale       *LayerScale // nil for none
	Residual    bool        // x is added
	Groups      int         // 1, or as many as x has channels
	Stride      int         // 1 where x is added or a branch has no kernel
	Unpadded    bool        // there is no padding, and all kernels are of one size

	kernel, bias kept
}

// Params lists the branches' parameters and that of Scale.
func (c *BranchedConv) Params() []*Param {
	var ps []*Param
	for _, b := range slices.Concat(c.Plus, c.Minus) {
		if b.Weight != nil {
			ps = append(ps, b.Weight)
		}
		ps = append(ps, b.Norm.Params()...)
	}
	return append(ps, c.Scale.Params()...)
}

// Forward maps (B, H, W, C) to (B, H', W', N).
func (c *BranchedConv) Forward(x *G.Node) *G.Node {
	g := x.Graph()
	f := &fold{shape: c.Plus[0].Weight.Shape, residual: c.Residual}
	for i, b := range slices.Concat(c.Plus, c.Minus) {
		n := &foldBranch{
			gamma: b.Norm.Weight.Node(g), beta: b.Norm.Bias.Node(g), mean: b.Norm.Mean.Node(g), variance: b.Norm.Var.Node(g),
			eps: b.Norm.Eps, sign: 1,
		}
		if b.Weight != nil {
			n.weight = b.Weight.Node(g)
		}
		if i >= len(c.Plus) {
			n.sign = -1
		}
		f.branches = append(f.branches, n)
	}
	if c.Scale != nil {
		f.scale = c.Scale.Gamma.Node(g)
	}
	if !slices.ContainsFunc(c.Params(), func(p *Param) bool { return !p.mapped }) {
		f.keptKernel, f.keptBias = &c.kernel, &c.bias
	}
	pad := f.shape[2] / 2
	if c.Unpadded {
		pad = 0
	}
	return f.convolve(x, c.Groups, c.Stride, pad)
}

func (f *fold) convolve(x *G.Node, groups, stride, pad int) *G.Node {
	weight, bias := f.kernel(), f.bias()
	switch {
	case groups > 1:
		return depthwiseConv(x, weight, bias, stride, pad, f.keptKernel.fixed()) // (B, H', W', N)
	case f.shape[2] == 1 && stride == 1:
		return project("convolution", kernel.NT, f.keptKernel.fixed(), x, weight, bias) // (B, H, W, N)
	}
	return AddBias(conv2D(x, weight, stride, pad, f.keptKernel.fixed()), bias) // (B, H', W', N)
}

// kept holds values that are computed once, as a parameter.
type kept struct {
	once  sync.Once
	param Param
}

// node is that of an op whose inputs never change: it is computed at the first run. A nil
// kept keeps nothing.
func (k *kept) node(op Op, inputs []*G.Node) *G.Node {
	if k != nil {
		op.constant = func(x Inputs) []float32 {
			k.once.Do(func() {
				data := make([]float32, size(op.Shape))
				op.Forward(data, x)
				k.param.Map(data, nil)
			})
			return k.param.Data
		}
	}
	return Apply(op, inputs...)
}

// fixed is the parameter whose values are kept; nil of a nil kept.
func (k *kept) fixed() *Param {
	if k == nil {
		return nil
	}
	return &k.param
}
