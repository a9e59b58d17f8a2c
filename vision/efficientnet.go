package vision

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// EfficientNet is the image tower of ALIGN (Jia et al., 2021) as transformers has it: Tan
// and Le's network (2019) without the convolution behind its last stage. The mean of the
// last stage's pixels is the feature. Its parameters have transformers' names behind
// "visual.".
type EfficientNet struct {
	ImageSize [2]int // height and width in pixels; required
	StemWidth int    // channels of the first convolution; required
	// Stages end with the first one that has no blocks. Required.
	Stages       [8]EfficientNetStage
	SqueezeRatio float64 `identity:"-"` // hidden width of squeeze-and-excitation over a block's input width; zero means 0.25; an identity has it from the shapes
	NormEps      float64 // BatchNorm's epsilon; required
}

// EfficientNetStage is a row of blocks of one width. All fields but the last are required.
type EfficientNetStage struct {
	Blocks int // in the stage
	Width  int // channels of a block's output
	Kernel int // side of the depthwise convolutions, odd
	Stride int // of the first block, 1 or 2
	Expand int // hidden width over a block's input width

	// EvenPadding pads the first block's input equally on all sides where Stride is 2.
	// Otherwise there is one pixel less above and to the left, as in TensorFlow for sizes
	// that are even.
	EvenPadding bool
}

// Family is "efficientnet".
func (EfficientNet) Family() string { return "efficientnet" }

// depth is the number of stages.
func (c EfficientNet) depth() int {
	for i, s := range c.Stages {
		if s.Blocks == 0 {
			return i
		}
	}
	return len(c.Stages)
}

// Dims implements [Config].
func (c EfficientNet) Dims() Dims {
	n := c.depth()
	if n == 0 { // Validate was not asked yet
		return Dims{ImageSize: c.ImageSize}
	}
	return Dims{c.ImageSize, c.Stages[n-1].Width, max(1, area(grid(c.ImageSize, 8)))}
}

// Resized implements [Resizer]: there are no positions, so any size will do.
func (c EfficientNet) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer]: there are none.
func (c EfficientNet) Positions() (param string, grid [2]int, prefix int) {
	return "", [2]int{}, 0
}

// Validate implements [Config].
func (c EfficientNet) Validate() error {
	fields := []number{{"ImageSize[0]", c.ImageSize[0], 8, maxDim}, {"ImageSize[1]", c.ImageSize[1], 8, maxDim}, {"StemWidth", c.StemWidth, 1, maxDim}}
	for i, s := range c.Stages[:max(1, c.depth())] {
		name := fmt.Sprintf("Stages[%d].", i)
		fields = append(fields, number{name + "Blocks", s.Blocks, 1, 1000}, number{name + "Width", s.Width, 1, maxDim}, number{name + "Kernel", s.Kernel, 1, 63},
			number{name + "Stride", s.Stride, 1, 2}, number{name + "Expand", s.Expand, 1, 64})
	}
	if err := checkNumbers(fields...); err != nil {
		return err
	}
	for i, s := range c.Stages {
		name := fmt.Sprintf("Stages[%d]", i)
		switch {
		case i >= c.depth() && s != EfficientNetStage{}:
			return invalid(name, "is %+v behind a stage without blocks", s)
		case i < c.depth() && s.Kernel%2 == 0:
			return invalid(name+".Kernel", "is %d, want an odd number", s.Kernel)
		}
	}
	if !(c.SqueezeRatio >= 0 && c.SqueezeRatio <= 64) {
		return invalid("SqueezeRatio", "is %g, want 0 (for 0.25) to 64", c.SqueezeRatio)
	}
	if !(c.NormEps > 0 && c.NormEps < 1) {
		return invalid("NormEps", "is %g, want a small positive number", c.NormEps)
	}
	return nil
}

// squeezed is the hidden width of squeeze-and-excitation.
func (c EfficientNet) squeezed(width int) int {
	if c.SqueezeRatio == 0 {
		c.SqueezeRatio = 0.25
	}
	return max(1, int(float64(width)*c.SqueezeRatio))
}

// MultiplyAdds implements [nn.Coster].
func (c EfficientNet) MultiplyAdds() float64 {
	size, in := grid(c.ImageSize, 2), c.StemWidth
	n := float64(area(size)) * float64(27*in)
	for _, s := range c.Stages[:c.depth()] {
		for j := range s.Blocks {
			wide := in * s.Expand
			if s.Expand > 1 {
				n += float64(area(size)) * float64(in*wide)
			}
			switch {
			case j > 0 || s.Stride == 1:
			case s.EvenPadding:
				size = halved(size)
			default:
				size = grid(size, 2)
			}
			n += float64(area(size))*float64(wide*(s.Kernel*s.Kernel+s.Width)) + float64(2*wide*c.squeezed(in))
			in = s.Width
		}
	}
	return n
}

type efficientNet struct {
	cfg    EfficientNet
	stem   *nn.BranchedConv
	blocks []*mbConvSE
}

// New implements [Config].
func (c EfficientNet) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	v := &efficientNet{
		cfg:  c,
		stem: c.conv("visual.embeddings.convolution", "visual.embeddings.batchnorm", 3, c.StemWidth, 3, 1, 2),
	}
	in := c.StemWidth
	for _, s := range c.Stages[:c.depth()] {
		for j := range s.Blocks {
			v.blocks = append(v.blocks, newMBConvSE(c, s, len(v.blocks), in, j == 0))
			in = s.Width
		}
	}
	return v, nil
}

// conv is a convolution with BatchNorm, unpadded where it has a stride.
func (c EfficientNet) conv(name, norm string, in, out, size, groups, stride int) *nn.BranchedConv {
	b := nn.Branch{
		Weight: nn.NewParam(name+".weight", out, in/groups, size, size).Uniform(math.Sqrt(3 / float64(in/groups*size*size))),
		Norm:   nn.NewBatchNorm(norm, out),
	}
	b.Norm.Eps = c.NormEps
	return &nn.BranchedConv{Plus: []nn.Branch{b}, Groups: groups, Stride: stride, Unpadded: stride > 1}
}

func (v *efficientNet) Config() Config { return v.cfg }

func (v *efficientNet) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	if in.Keep != nil {
		nn.Fail("EfficientNet", "patch dropout is not supported: convolutions need the whole image")
	}
	x := nn.ZeroPad(nn.ChannelsLast(in.Pixels), 0, 1)
	x = nn.SiLU(v.stem.Forward(x)) // (B, H/2, W/2, C)
	for _, b := range v.blocks {
		x = b.forward(x)
	}
	return nn.SpatialMean(x), nil // (B, D)
}

func (v *efficientNet) Params() []*nn.Param {
	ps := v.stem.Params()
	for _, b := range v.blocks {
		ps = append(ps, b.params()...)
	}
	return ps
}

func (v *efficientNet) Depth(param string) int {
	return nn.Depth(param, "visual.encoder.blocks.", len(v.blocks), "visual.embeddings.")
}

// mbConvSE is MobileNetV2's inverted bottleneck with squeeze-and-excitation: 1×1 to a
// larger width, depthwise, the gate, 1×1.
type mbConvSE struct {
	expand    *nn.BranchedConv // nil where the width stays
	pad       [2]int           // before the depthwise convolution, and behind it
	depthwise *nn.BranchedConv
	gate      *nn.SqueezeExcite
	project   *nn.BranchedConv
	residual  bool
}

func newMBConvSE(c EfficientNet, s EfficientNetStage, i, in int, first bool) *mbConvSE {
	name, wide, stride := fmt.Sprintf("visual.encoder.blocks.%d.", i), in*s.Expand, 1
	if first {
		stride = s.Stride
	}
	b := &mbConvSE{
		depthwise: c.conv(name+"depthwise_conv.depthwise_conv", name+"depthwise_conv.depthwise_norm", wide, wide, s.Kernel, wide, stride),
		gate: &nn.SqueezeExcite{
			FC1: nn.NewPointwise(name+"squeeze_excite.reduce", wide, c.squeezed(in)),
			FC2: nn.NewPointwise(name+"squeeze_excite.expand", c.squeezed(in), wide),
			Act: nn.SiLU,
		},
		project:  c.conv(name+"projection.project_conv", name+"projection.project_bn", wide, s.Width, 1, 1, 1),
		residual: !first,
	}
	b.gate.FC1.Weight.Normal(1 / math.Sqrt(float64(wide)))
	b.gate.FC2.Weight.Normal(1 / math.Sqrt(float64(c.squeezed(in))))
	if s.Expand > 1 {
		b.expand = c.conv(name+"expansion.expand_conv", name+"expansion.expand_bn", in, wide, 1, 1, 1)
	}
	if stride == 2 {
		b.pad = [2]int{s.Kernel/2 - 1, s.Kernel / 2}
		if s.EvenPadding || s.Kernel == 1 {
			b.pad[0] = s.Kernel / 2
		}
	}
	return b
}

// forward maps (B, H, W, C) to (B, H', W', N).
func (b *mbConvSE) forward(x *G.Node) *G.Node {
	y := x
	if b.expand != nil {
		y = nn.SiLU(b.expand.Forward(y))
	}
	if b.pad != [2]int{} {
		y = nn.ZeroPad(y, b.pad[0], b.pad[1])
	}
	y = b.gate.Forward(nn.SiLU(b.depthwise.Forward(y)))
	y = b.project.Forward(y)
	if b.residual {
		return nn.Add(x, y)
	}
	return y
}

func (b *mbConvSE) params() []*nn.Param {
	var ps []*nn.Param
	if b.expand != nil {
		ps = b.expand.Params()
	}
	return append(ps, paramsOf(b.depthwise, b.gate, b.project)...)
}
