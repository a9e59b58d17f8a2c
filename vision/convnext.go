package vision

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/nn"
)

// ConvNeXt is the convolutional network of Liu et al. (2022) under timm's names: four
// stages of depthwise 7×7 convolutions, each followed by an MLP. The fields marked
// required have no default: checkpoints of one shape differ in them.
type ConvNeXt struct {
	ImageSize [2]int  // height and width in pixels, 32 or more; required
	Widths    [4]int  // channels of each stage; required
	Depths    [4]int  // blocks of each stage; required
	EmbedDim  int     // size of the features; required
	NormEps   float64 // LayerNorm's epsilon; required
	Head      Head    // the projection of the pooled channels
}

// Head is the projection that open_clip puts after a timm tower.
type Head uint8

const (
	HeadLinear Head = iota // one matrix, (D, C)
	HeadMLP                // an MLP of twice the features' size, whose second layer has no bias
)

func headNames() map[Head]string { return map[Head]string{HeadLinear: "linear", HeadMLP: "mlp"} }

// String returns open_clip's name for it.
func (h Head) String() string { return enum.String(h, headNames()) }

// MarshalText returns the name; an invalid Head is an error.
func (h Head) MarshalText() ([]byte, error) { return enum.Marshal(h, headNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (h *Head) UnmarshalText(text []byte) error { return enum.Unmarshal(h, text, headNames()) }

// Family is "convnext".
func (ConvNeXt) Family() string { return "convnext" }

// Dims implements [Config].
func (c ConvNeXt) Dims() Dims {
	return Dims{c.ImageSize, c.EmbedDim, max(1, area(grid(c.ImageSize, 16)))}
}

// Resized implements [Resizer]: there are no positions, so any size will do.
func (c ConvNeXt) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer]: there are none.
func (c ConvNeXt) Positions() (param string, grid [2]int, prefix int) { return "", [2]int{}, 0 }

// Validate implements [Config].
func (c ConvNeXt) Validate() error {
	fields := []number{{"ImageSize[0]", c.ImageSize[0], 32, maxDim}, {"ImageSize[1]", c.ImageSize[1], 32, maxDim}, {"EmbedDim", c.EmbedDim, 1, maxDim}}
	for i := range c.Widths {
		fields = append(fields, number{fmt.Sprintf("Widths[%d]", i), c.Widths[i], 1, maxDim}, number{fmt.Sprintf("Depths[%d]", i), c.Depths[i], 1, 1000})
	}
	if err := checkNumbers(fields...); err != nil {
		return err
	}
	if !(c.NormEps > 0 && c.NormEps < 1) {
		return invalid("NormEps", "is %g, want a small positive number", c.NormEps)
	}
	if err := enum.Valid(c.Head, headNames()); err != nil {
		return invalid("Head", "%w", err)
	}
	return nil
}

// MultiplyAdds implements [nn.Coster].
func (c ConvNeXt) MultiplyAdds() float64 {
	size := grid(c.ImageSize, 4)
	n := float64(area(size)) * float64(3*4*4*c.Widths[0])
	for i, w := range c.Widths {
		if i > 0 {
			size = grid(size, 2)
			n += float64(area(size)) * float64(4*c.Widths[i-1]*w)
		}
		n += float64(area(size)*c.Depths[i]) * float64(49*w+8*w*w)
	}
	last, dim := float64(c.Widths[3]), float64(c.EmbedDim)
	if c.Head == HeadMLP {
		return n + last*2*dim + 2*dim*dim
	}
	return n + last*dim
}

type convNeXt struct {
	cfg    ConvNeXt
	stem   *conv // 4×4, stride 4
	norm   *nn.LayerNorm
	stages [4]*convNeXtStage
	pooled *nn.LayerNorm
	head   *head
}

// New implements [Config].
func (c ConvNeXt) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	v := &convNeXt{
		cfg:    c,
		stem:   newConv("visual.trunk.stem.0", 3, c.Widths[0], 4, 4, 0),
		norm:   nn.NewLayerNorm("visual.trunk.stem.1", c.Widths[0], c.NormEps),
		pooled: nn.NewLayerNorm("visual.trunk.head.norm", c.Widths[3], c.NormEps),
		head:   newHead(c.Head, c.Widths[3], c.EmbedDim),
	}
	for i := range v.stages {
		v.stages[i] = newConvNeXtStage(c, i)
	}
	return v, nil
}

func (v *convNeXt) Config() Config { return v.cfg }

func (v *convNeXt) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	if in.Keep != nil {
		nn.Fail("ConvNeXt", "patch dropout is not supported: convolutions need the whole image")
	}
	x := v.norm.Forward(v.stem.forward(nn.ChannelsLast(in.Pixels))) // (B, H/4, W/4, C)
	for _, s := range v.stages {
		x = s.forward(x)
	} // (B, H/32, W/32, 8·C)
	x = v.pooled.Forward(nn.SpatialMean(x)) // (B, 8·C)
	return v.head.forward(x), nil           // (B, D)
}

func (v *convNeXt) Params() []*nn.Param {
	ps := append(v.stem.params(), v.norm.Params()...)
	for _, s := range v.stages {
		ps = append(ps, s.params()...)
	}
	return append(append(ps, v.pooled.Params()...), v.head.params()...)
}

// Depth counts stages as layers.
func (v *convNeXt) Depth(param string) int {
	return nn.Depth(param, "visual.trunk.stages.", len(v.stages), "visual.trunk.stem.")
}

// convNeXtStage halves the image, but for the first one, and runs its blocks.
type convNeXtStage struct {
	norm   *nn.LayerNorm // nil in the first stage
	down   *conv         // 2×2, stride 2; nil in the first stage
	blocks []*convNeXtBlock
}

func newConvNeXtStage(c ConvNeXt, i int) *convNeXtStage {
	name := fmt.Sprintf("visual.trunk.stages.%d.", i)
	s := &convNeXtStage{}
	if i > 0 {
		s.norm = nn.NewLayerNorm(name+"downsample.0", c.Widths[i-1], c.NormEps)
		s.down = newConv(name+"downsample.1", c.Widths[i-1], c.Widths[i], 2, 2, 0)
	}
	for j := range c.Depths[i] {
		s.blocks = append(s.blocks, newConvNeXtBlock(fmt.Sprintf("%sblocks.%d.", name, j), c.Widths[i], c.NormEps))
	}
	return s
}

func (s *convNeXtStage) forward(x *G.Node) *G.Node {
	if s.down != nil {
		x = s.down.forward(s.norm.Forward(x)) // (B, H/2, W/2, C)
	}
	for _, b := range s.blocks {
		x = b.forward(x)
	}
	return x
}

func (s *convNeXtStage) params() []*nn.Param {
	var ps []*nn.Param
	if s.down != nil {
		ps = append(s.norm.Params(), s.down.params()...)
	}
	for _, b := range s.blocks {
		ps = append(ps, b.params()...)
	}
	return ps
}

// convNeXtBlock is Liu et al.'s: depthwise 7×7, LayerNorm, MLP, scaled residual (figure
// 4).
type convNeXtBlock struct {
	depthwise *nn.Param // (C, 1, 7, 7)
	bias      *nn.Param // (C)
	norm      *nn.LayerNorm
	fc1, fc2  *nn.Linear
	gamma     *nn.LayerScale
}

func newConvNeXtBlock(name string, width int, eps float64) *convNeXtBlock {
	b := &convNeXtBlock{
		depthwise: nn.NewParam(name+"conv_dw.weight", width, 1, 7, 7).Uniform(1. / 7),
		bias:      nn.NewParam(name+"conv_dw.bias", width),
		norm:      nn.NewLayerNorm(name+"norm", width, eps),
		fc1:       nn.NewLinear(name+"mlp.fc1", width, 4*width),
		fc2:       nn.NewLinear(name+"mlp.fc2", 4*width, width),
		gamma:     nn.NewNamedLayerScale(name+"gamma", width, 1e-6),
	}
	b.fc1.Weight.Normal(1 / math.Sqrt(float64(width)))
	b.fc2.Weight.Normal(1 / math.Sqrt(float64(4*width)))
	return b
}

// forward maps (B, H, W, C) to (B, H, W, C).
func (b *convNeXtBlock) forward(x *G.Node) *G.Node {
	y := (&nn.DepthwiseConv{Weight: b.depthwise, Bias: b.bias, Stride: 1, Pad: 3}).Forward(x)
	y = b.fc2.Forward(nn.Activate(nn.GELU, b.fc1.Forward(b.norm.Forward(y))))
	return nn.Add(x, b.gamma.Forward(y))
}

func (b *convNeXtBlock) params() []*nn.Param {
	return append([]*nn.Param{b.depthwise, b.bias}, paramsOf(b.norm, b.fc1, b.fc2, b.gamma)...)
}
