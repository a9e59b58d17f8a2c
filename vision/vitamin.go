package vision

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// ViTamin is the tower of Chen et al. (2024) under timm's names: two stages of inverted
// bottlenecks (Sandler et al., 2018, MobileNetV2, with LayerNorm), then a Vision
// Transformer with gated MLPs on patches of 16 pixels, whose mean is the feature.
type ViTamin struct {
	ImageSize  [2]int // height and width in pixels; required
	ConvWidths [2]int // channels of the two stages of convolutions; required
	Width      int    // of the residual stream; required
	Layers     int    // blocks of the transformer; required
	Heads      int    // of attention, a divisor of Width; required
	EmbedDim   int    // size of the features; required

	MLPRatio float64 `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes

	NoPositions bool // there is no position embedding, as in the largest model
}

// Family is "vitamin".
func (ViTamin) Family() string { return "vitamin" }

// Dims implements [Config].
func (c ViTamin) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c ViTamin) Grid() [2]int { return halved(halved(halved(halved(c.ImageSize)))) }

// Resized implements [Resizer].
func (c ViTamin) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c ViTamin) Positions() (param string, grid [2]int, prefix int) {
	if c.NoPositions {
		return "", [2]int{}, 0
	}
	return "visual.trunk.pos_embed", c.Grid(), 0
}

// Validate implements [Config].
func (c ViTamin) Validate() error {
	if err := checkTransformer(c.ImageSize, vitaminStride, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, timmEps, nn.GELU); err != nil {
		return err
	}
	return checkNumbers(number{"ConvWidths[0]", c.ConvWidths[0], 1, maxDim}, number{"ConvWidths[1]", c.ConvWidths[1], 1, maxDim})
}

// vitaminStride is how many pixels, each way, a token of the last stage stands for.
const vitaminStride = 16

// vitaminDepths are the blocks of the two stages of convolutions.
func vitaminDepths() [2]int { return [2]int{2, 4} }

// MultiplyAdds implements [nn.Coster].
func (c ViTamin) MultiplyAdds() float64 {
	size := halved(c.ImageSize)
	in, w := float64(c.ConvWidths[0]), float64(c.Width)
	n := float64(area(size)) * 9 * (3*in + in*in)
	for i, out := range c.ConvWidths {
		for j := range vitaminDepths()[i] {
			wide := 4 * float64(out)
			n += float64(area(size)) * in * wide
			if j == 0 {
				size = halved(size)
				if in != float64(out) {
					n += float64(area(size)) * in * float64(out)
				}
			}
			in = float64(out)
			n += float64(area(size)) * (9*wide + wide*in)
		}
	}
	tokens, hidden := float64(area(c.Grid())), nn.MLPWidth(c.Width, c.MLPRatio)
	blocks := nn.TransformerConfig{Width: c.Width, Layers: c.Layers, MLPWidth: hidden}
	gates := float64(c.Layers) * tokens * w * float64(hidden)
	return n + tokens*9*in*w + blocks.MultiplyAdds(area(c.Grid())) + gates + w*float64(c.EmbedDim)
}

type viTamin struct {
	cfg      ViTamin
	stem     [2]*conv
	stemNorm *nn.LayerNorm
	convs    []*mbConv
	poolNorm *nn.LayerNorm
	pool     *conv
	posEmbed *nn.Param // (1, P, W); nil for none
	blocks   []*geGLUBlock
	norm     *nn.LayerNorm
	head     *nn.Linear
}

// New implements [Config].
func (c ViTamin) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	const backbone = "visual.trunk.patch_embed.backbone."
	first := c.ConvWidths[0]
	v := &viTamin{
		cfg: c,
		stem: [2]*conv{
			newConv(backbone+"stem.conv1", 3, first, 3, 2, 1),
			newConv(backbone+"stem.conv2", first, first, 3, 1, 1),
		},
		stemNorm: nn.NewLayerNorm(backbone+"stem.norm1", first, timmEps),
		poolNorm: nn.NewLayerNorm(backbone+"pool.norm", c.ConvWidths[1], timmEps),
		pool:     newConv(backbone+"pool.proj", c.ConvWidths[1], c.Width, 3, 2, 1),
		norm:     nn.NewLayerNorm("visual.trunk.fc_norm", c.Width, timmEps),
		head:     newHeadProj(c.Width, c.EmbedDim),
	}
	in := first
	for i, out := range c.ConvWidths {
		for j := range vitaminDepths()[i] {
			stride := 1
			if j == 0 {
				stride = 2
			}
			v.convs = append(v.convs, newMBConv(fmt.Sprintf("%sstages.%d.%d.", backbone, i, j), in, out, stride))
			in = out
		}
	}
	if !c.NoPositions {
		v.posEmbed = nn.NewParam("visual.trunk.pos_embed", 1, area(c.Grid()), c.Width).Normal(1 / math.Sqrt(float64(c.Width)))
	}
	for i := range c.Layers {
		v.blocks = append(v.blocks, newGeGLUBlock(i, c))
	}
	return v, nil
}

func (v *viTamin) Config() Config { return v.cfg }

func (v *viTamin) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	if in.Keep != nil {
		nn.Fail("ViTamin", "patch dropout is not supported: convolutions need the whole image")
	}
	x := v.stem[0].forward(nn.ChannelsLast(in.Pixels)) // (B, H/2, W/2, C)
	x = v.stem[1].forward(nn.Activate(nn.GELU, v.stemNorm.Forward(x)))
	for _, b := range v.convs {
		x = b.forward(x)
	} // (B, H/8, W/8, 2·C)
	x = nn.Tokens(v.pool.forward(v.poolNorm.Forward(x))) // (B, P, W)
	if v.posEmbed != nil {
		x = nn.AddPositions(x, v.posEmbed.Node(x.Graph()))
	}
	for _, b := range v.blocks {
		x = b.forward(x)
	}
	return v.head.Forward(v.norm.Forward(nn.Mean(x, 0))), nil // (B, D)
}

func (v *viTamin) Params() []*nn.Param {
	ps := append(v.stem[0].params(), v.stemNorm.Params()...)
	ps = append(ps, v.stem[1].params()...)
	for _, b := range v.convs {
		ps = append(ps, b.params()...)
	}
	ps = append(append(ps, v.poolNorm.Params()...), v.pool.params()...)
	if v.posEmbed != nil {
		ps = append(ps, v.posEmbed)
	}
	for _, b := range v.blocks {
		ps = append(ps, paramsOf(b.norm1, b.qkv, b.proj, b.norm2, b.mlpNorm, b.gate, b.fc1, b.fc2)...)
	}
	return append(ps, paramsOf(v.norm, v.head)...)
}

func (v *viTamin) Depth(param string) int { return trunkDepth(param, v.cfg.Layers) }

// mbConv is MobileNetV2's inverted bottleneck: LayerNorm, 1×1 to four times the width,
// depthwise 3×3, 1×1. Where it halves the image, so does its shortcut, by averaging.
type mbConv struct {
	expand       *nn.Linear // of the shortcut; nil where the width stays
	norm         *nn.LayerNorm
	conv1, conv3 *nn.Linear
	conv2, bias2 *nn.Param // (4·N, 1, 3, 3) and (4·N)
	stride       int
}

func newMBConv(name string, in, out, stride int) *mbConv {
	pointwise := func(part string, in, out int) *nn.Linear {
		l := nn.NewPointwise(name+part, in, out)
		l.Weight.Normal(1 / math.Sqrt(float64(in)))
		return l
	}
	b := &mbConv{
		norm:   nn.NewLayerNorm(name+"pre_norm", in, timmEps),
		conv1:  pointwise("conv1_1x1", in, 4*out),
		conv2:  nn.NewParam(name+"conv2_kxk.weight", 4*out, 1, 3, 3).Uniform(1. / 3),
		bias2:  nn.NewParam(name+"conv2_kxk.bias", 4*out),
		conv3:  pointwise("conv3_1x1", 4*out, out),
		stride: stride,
	}
	if in != out {
		b.expand = pointwise("shortcut.expand", in, out)
	}
	return b
}

// forward maps (B, H, W, C) to (B, H', W', N).
func (b *mbConv) forward(x *G.Node) *G.Node {
	shortcut := x
	if b.stride > 1 {
		shortcut = nn.AvgPool2DWithin(x, 3, b.stride, 1)
	}
	if b.expand != nil {
		shortcut = b.expand.Forward(shortcut)
	}
	y := nn.Activate(nn.GELU, b.conv1.Forward(b.norm.Forward(x)))
	y = nn.Activate(nn.GELU, (&nn.DepthwiseConv{Weight: b.conv2, Bias: b.bias2, Stride: b.stride, Pad: 1}).Forward(y))
	return nn.Add(shortcut, b.conv3.Forward(y))
}

func (b *mbConv) params() []*nn.Param {
	var ps []*nn.Param
	if b.expand != nil {
		ps = b.expand.Params()
	}
	ps = append(append(ps, paramsOf(b.norm, b.conv1)...), b.conv2, b.bias2)
	return append(ps, b.conv3.Params()...)
}

// geGLUBlock is a pre-norm block whose MLP begins with a norm of its own and is gated by
// GELU (Shazeer, 2020, GEGLU).
type geGLUBlock struct {
	norm1     *nn.LayerNorm
	qkv, proj *nn.Linear
	norm2     *nn.LayerNorm
	mlpNorm   *nn.LayerNorm
	gate      *nn.Linear // mlp.w0
	fc1, fc2  *nn.Linear // mlp.w1 and mlp.w2
	heads     int
}

func newGeGLUBlock(i int, c ViTamin) *geGLUBlock {
	name, hidden := fmt.Sprintf("blocks.%d.", i), nn.MLPWidth(c.Width, c.MLPRatio)
	norm := func(part string) *nn.LayerNorm { return nn.NewLayerNorm("visual.trunk."+name+part, c.Width, timmEps) }
	return &geGLUBlock{
		norm1:   norm("norm1"),
		qkv:     newTrunkLinear(name+"attn.qkv", c.Width, 3*c.Width),
		proj:    newResidualLinear(name+"attn.proj", c.Width, c.Width, c.Layers),
		norm2:   norm("norm2"),
		mlpNorm: norm("mlp.norm"),
		gate:    newTrunkLinear(name+"mlp.w0", c.Width, hidden),
		fc1:     newTrunkLinear(name+"mlp.w1", c.Width, hidden),
		fc2:     newResidualLinear(name+"mlp.w2", hidden, c.Width, c.Layers),
		heads:   c.Heads,
	}
}

// forward maps (B, L, W) to (B, L, W).
func (b *geGLUBlock) forward(x *G.Node) *G.Node {
	y := nn.Attention(b.qkv.Forward(b.norm1.Forward(x)), b.heads, nn.NoMask, nil)
	x = nn.Add(x, b.proj.Forward(y))
	y = b.mlpNorm.Forward(b.norm2.Forward(x))
	return nn.Add(x, b.fc2.Forward(nn.Mul(nn.Activate(nn.GELU, b.gate.Forward(y)), b.fc1.Forward(y))))
}
