package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// mobileOne is MobileOne's block (Vasu et al., 2023): a sum of convolutions, perhaps
// squeeze-and-excitation, and GELU.
type mobileOne struct {
	conv *nn.BranchedConv
	gate *nn.SqueezeExcite // nil for none
}

// newMobileOne has the branches that a block of its kind has in timm: the convolution,
// one of 1×1 if it is scaled, and BatchNorm alone if the shape stays.
func newMobileOne(name string, in, out, size, stride, groups int, scaled bool) *mobileOne {
	c := &nn.BranchedConv{Plus: []nn.Branch{nn.NewBranch(name+".conv_kxk.0", in, out, size, groups)}, Groups: groups, Stride: stride}
	if scaled {
		c.Plus = append(c.Plus, nn.NewBranch(name+".conv_scale", in, out, 1, groups))
	}
	if in == out && stride == 1 {
		c.Plus = append(c.Plus, nn.Branch{Norm: nn.NewBatchNorm(name+".identity", out)})
	}
	return &mobileOne{conv: c}
}

// newLargeKernel halves the image by kernels of 7×7 and 3×3 (Ding et al., 2022,
// RepLKNet).
func newLargeKernel(name string, in, out int) *mobileOne {
	return &mobileOne{conv: &nn.BranchedConv{
		Plus:   []nn.Branch{nn.NewBranch(name+".large_conv", in, out, 7, in), nn.NewBranch(name+".small_conv", in, out, 3, in)},
		Groups: in, Stride: 2,
	}}
}

func newSqueezeExcite(name string, width, hidden int) *nn.SqueezeExcite {
	s := &nn.SqueezeExcite{FC1: nn.NewPointwise(name+".fc1", width, hidden), FC2: nn.NewPointwise(name+".fc2", hidden, width), Act: nn.ReLU}
	s.FC1.Weight.Normal(math.Sqrt(2 / float64(width)))
	s.FC2.Weight.Normal(math.Sqrt(1 / float64(hidden)))
	return s
}

// forward maps (B, H, W, C) to (B, H', W', N).
func (m *mobileOne) forward(x *G.Node) *G.Node {
	x = m.conv.Forward(x)
	if m.gate != nil {
		x = m.gate.Forward(x)
	}
	return nn.Activate(nn.GELU, x)
}

func (m *mobileOne) params() []*nn.Param {
	if m.gate == nil {
		return m.conv.Params()
	}
	return append(m.conv.Params(), m.gate.Params()...)
}

// convMLP is FastViT's MLP: a depthwise convolution of 7×7 with BatchNorm comes before it.
type convMLP struct {
	conv     *nn.BranchedConv
	fc1, fc2 *nn.Linear
}

func newConvMLP(name string, width, hidden int) *convMLP {
	m := &convMLP{
		conv: &nn.BranchedConv{Plus: []nn.Branch{nn.NewBranch(name+".conv", width, width, 7, width)}, Groups: width, Stride: 1},
		fc1:  nn.NewPointwise(name+".fc1", width, hidden),
		fc2:  nn.NewPointwise(name+".fc2", hidden, width),
	}
	m.fc1.Weight.Normal(1 / math.Sqrt(float64(width)))
	m.fc2.Weight.Normal(1 / math.Sqrt(float64(hidden)))
	return m
}

func (m *convMLP) forward(x *G.Node) *G.Node {
	return m.fc2.Forward(nn.Activate(nn.GELU, m.fc1.Forward(m.conv.Forward(x))))
}

func (m *convMLP) params() []*nn.Param { return paramsOf(m.conv, m.fc1, m.fc2) }

// fastViTScale is what layer scales begin with.
const fastViTScale = 1e-5

// repMixer mixes each pixel's surroundings by a convolution (Vasu et al., 2023, FastViT,
// section 3.1), x + scale·(mobileOne(x) − norm(x)), and runs the MLP.
type repMixer struct {
	mix   *nn.BranchedConv
	mlp   *convMLP
	scale *nn.LayerScale
}

func newRepMixer(name string, width, hidden int) *repMixer {
	mix := newMobileOne(name+".token_mixer.mixer", width, width, 3, 1, width, true).conv
	mix.Minus = []nn.Branch{{Norm: nn.NewBatchNorm(name+".token_mixer.norm.identity", width)}}
	mix.Scale = nn.NewPointwiseLayerScale(name+".token_mixer.layer_scale", width, fastViTScale)
	mix.Residual = true
	return &repMixer{mix, newConvMLP(name+".mlp", width, hidden), nn.NewPointwiseLayerScale(name+".layer_scale", width, fastViTScale)}
}

func (b *repMixer) forward(x *G.Node) *G.Node {
	x = b.mix.Forward(x)
	return nn.Add(x, b.scale.Forward(b.mlp.forward(x)))
}

func (b *repMixer) params() []*nn.Param {
	return append(append(b.mix.Params(), b.mlp.params()...), b.scale.Params()...)
}

// attentionMix mixes all pixels by attention, and runs the MLP.
type attentionMix struct {
	norm interface {
		Forward(*G.Node) *G.Node
		Params() []*nn.Param
	}
	qkv, proj      *nn.Linear
	mlp            *convMLP
	scale1, scale2 *nn.LayerScale
	heads          int
}

func newAttentionMix(name string, width, hidden int, layerNorm bool) *attentionMix {
	b := &attentionMix{
		norm:   nn.NewBatchNorm(name+".norm", width),
		qkv:    nn.NewLinear(name+".token_mixer.qkv", width, 3*width),
		proj:   nn.NewLinear(name+".token_mixer.proj", width, width),
		mlp:    newConvMLP(name+".mlp", width, hidden),
		scale1: nn.NewPointwiseLayerScale(name+".layer_scale_1", width, fastViTScale),
		scale2: nn.NewPointwiseLayerScale(name+".layer_scale_2", width, fastViTScale),
		heads:  width / fastViTHead,
	}
	if layerNorm {
		b.norm = nn.NewLayerNorm(name+".norm", width, 1e-5)
	}
	b.qkv.Bias = nil
	b.qkv.Weight.Normal(1 / math.Sqrt(float64(width)))
	b.proj.Weight.Normal(1 / math.Sqrt(float64(width)))
	return b
}

func (b *attentionMix) forward(x *G.Node) *G.Node {
	h, w := x.Shape()[1], x.Shape()[2]
	y := nn.Attention(b.qkv.Forward(nn.Tokens(b.norm.Forward(x))), b.heads, nn.NoMask, nil) // (B, H·W, C)
	x = nn.Add(x, b.scale1.Forward(nn.Pixels(b.proj.Forward(y), h, w)))
	return nn.Add(x, b.scale2.Forward(b.mlp.forward(x)))
}

func (b *attentionMix) params() []*nn.Param {
	ps := paramsOf(b.norm, b.qkv, b.proj, b.scale1)
	return append(append(ps, b.mlp.params()...), b.scale2.Params()...)
}
