package vision

import (
	"fmt"
	"math"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// ResNet is CLIP's ModifiedResNet (Radford et al., 2021, section 2.4): a stem
// of three convolutions, average pooling in place of strided convolutions
// (anti-aliasing), and attention pooling in place of global average pooling.
type ResNet struct {
	ImageSize [2]int // height and width in pixels; required
	Width     int    // channels after the stem, an even number; required
	Stages    [4]int // bottleneck blocks of each stage; required
	EmbedDim  int    // size of the features; required
	Heads     int    // of the attention pooling over 32·Width channels; zero means Width/2, heads of 64 channels
}

// Family is "resnet".
func (ResNet) Family() string { return "resnet" }

// Dims implements [Config].
func (c ResNet) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, c.tokens()} }

// Grid returns the height and width of the feature map that attention pooling
// sees: one position for 32×32 pixels.
func (c ResNet) Grid() [2]int { return [2]int{c.ImageSize[0] / 32, c.ImageSize[1] / 32} }

// Canonical has no Heads where they are the default: see internal/identity.
func (c ResNet) Canonical() any {
	if c.Heads == c.Width/2 {
		c.Heads = 0
	}
	return c
}

func (c ResNet) tokens() int { return 1 + c.Grid()[0]*c.Grid()[1] }

// Validate implements [Config].
func (c ResNet) Validate() error {
	if err := checkNumbers(
		number{"ImageSize[0]", c.ImageSize[0], 1, maxDim}, number{"ImageSize[1]", c.ImageSize[1], 1, maxDim},
		number{"Width", c.Width, 1, 1 << 15}, number{"Heads", c.Heads, 0, maxDim}, number{"EmbedDim", c.EmbedDim, 1, maxDim}); err != nil {
		return err
	}
	for i, n := range c.Stages {
		if n < 1 || n > 1000 {
			return invalid(fmt.Sprintf("Stages[%d]", i), "is %d, want 1 to 1000", n)
		}
	}
	for i, side := range c.ImageSize {
		// The stem rounds up and the position embedding down.
		if side < 32 || side%32 == 31 {
			return invalid(fmt.Sprintf("ImageSize[%d]", i), "is %d, want 32 or more, and not one less than a multiple of it", side)
		}
	}
	switch {
	case c.Width%2 != 0:
		return invalid("Width", "is %d, want an even number", c.Width)
	case c.Heads != 0 && 32*c.Width%c.Heads != 0:
		return invalid("Heads", "is %d, which does not divide 32·Width %d", c.Heads, 32*c.Width)
	}
	return nil
}

// MultiplyAdds implements [nn.Coster].
func (c ResNet) MultiplyAdds() float64 {
	size, w := halved(c.ImageSize), float64(c.Width)
	n := float64(area(size)) * 9 * (3*w/2 + w/2*w/2 + w/2*w)
	size = grid(size, 2)
	in := w
	for i, blocks := range c.Stages {
		inner := float64(c.Width << i)
		for j := range blocks {
			n += float64(area(size)) * (in*inner + 9*inner*inner)
			if i > 0 && j == 0 {
				size = grid(size, 2) // by the pool behind the 3×3 convolution
			}
			n += float64(area(size)) * 4 * inner * inner
			if j == 0 {
				n += float64(area(size)) * in * 4 * inner
			}
			in = 4 * inner
		}
	}
	tokens := float64(c.tokens())
	return n + 2*tokens*in*in + in*in + 2*tokens*in + in*float64(c.EmbedDim)
}

// resnet has the channels last inside.
type resnet struct {
	cfg    ResNet
	stem   [3]*convNorm
	stages [4][]*bottleneck
	pool   *attnPool
}

// New implements [Config].
func (c ResNet) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := &resnet{
		cfg: c,
		stem: [3]*convNorm{
			newConvNorm("visual.conv1", "visual.bn1", 3, c.Width/2, 3),
			newConvNorm("visual.conv2", "visual.bn2", c.Width/2, c.Width/2, 3),
			newConvNorm("visual.conv3", "visual.bn3", c.Width/2, c.Width, 3),
		},
		pool: newAttnPool(c),
	}
	r.stem[0].stride = 2
	in := c.Width
	for i := range r.stages {
		width := c.Width << i
		for j := range c.Stages[i] {
			stride := 1
			if i > 0 && j == 0 {
				stride = 2
			}
			name := fmt.Sprintf("visual.layer%d.%d", i+1, j)
			r.stages[i] = append(r.stages[i], newBottleneck(name, in, width, stride))
			in = 4 * width
		}
	}
	return r, nil
}

func (r *resnet) Config() Config { return r.cfg }

func (r *resnet) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(r.cfg.ImageSize)
	if in.Keep != nil {
		nn.Fail("ResNet", "patch dropout is not supported: convolutions need the whole image")
	}
	x := r.stemForward(nn.ChannelsLast(in.Pixels)) // (B, H/4, W/4, C)
	for _, blocks := range r.stages {
		for _, b := range blocks {
			x = b.forward(x)
		}
	} // (B, H/32, W/32, 32·C)
	return r.pool.forward(x), nil // (B, D)
}

func (r *resnet) stemForward(x *G.Node) *G.Node {
	for _, c := range r.stem {
		x = nn.ReLU(c.forward(x))
	}
	return nn.AvgPool2D(x, 2)
}

func (r *resnet) Params() []*nn.Param {
	var ps []*nn.Param
	for _, c := range r.stem {
		ps = append(ps, c.params()...)
	}
	for _, blocks := range r.stages {
		for _, b := range blocks {
			ps = append(ps, b.params()...)
		}
	}
	return append(ps, r.pool.params()...)
}

// Depth counts stages as layers.
func (r *resnet) Depth(param string) int {
	for i := range r.stages {
		if strings.HasPrefix(param, fmt.Sprintf("visual.layer%d.", i+1)) {
			return len(r.stages) - i
		}
	}
	return nn.Depth(param, "visual.layer", len(r.stages), "visual.conv", "visual.bn")
}

// convNorm is a convolution that keeps the size of its input, but for a stride,
// and the BatchNorm after it.
type convNorm struct {
	weight *nn.Param // (out, in, size, size)
	norm   *nn.BatchNorm
	stride int
}

func newConvNorm(conv, norm string, in, out, size int) *convNorm {
	limit := 1 / math.Sqrt(float64(in*size*size))
	return &convNorm{
		weight: nn.NewParam(conv+".weight", out, in, size, size).Uniform(limit),
		norm:   nn.NewBatchNorm(norm, out),
		stride: 1,
	}
}

func (c *convNorm) forward(x *G.Node) *G.Node {
	pad := c.weight.Shape[2] / 2
	return c.norm.Forward((&nn.Conv{Weight: c.weight, Stride: c.stride, Pad: pad}).Forward(x))
}

func (c *convNorm) params() []*nn.Param { return append([]*nn.Param{c.weight}, c.norm.Params()...) }

// bottleneck is a residual block whose output has four times its inner width.
// Its stride is an average pool, so that no pixel is skipped (Zhang, 2019).
type bottleneck struct {
	convs      [3]*convNorm
	downsample *convNorm // of the residual; nil where the shape stays
	stride     int
}

func newBottleneck(name string, in, width, stride int) *bottleneck {
	b := &bottleneck{
		convs: [3]*convNorm{
			newConvNorm(name+".conv1", name+".bn1", in, width, 1),
			newConvNorm(name+".conv2", name+".bn2", width, width, 3),
			newConvNorm(name+".conv3", name+".bn3", width, 4*width, 1),
		},
		stride: stride,
	}
	b.convs[2].norm.Weight.Fill(0) // CLIP's: a new block passes its residual on
	if stride > 1 || in != 4*width {
		b.downsample = newConvNorm(name+".downsample.0", name+".downsample.1", in, 4*width, 1)
	}
	return b
}

// forward maps (B, H, W, C) to (B, H/stride, W/stride, 4·width).
func (b *bottleneck) forward(x *G.Node) *G.Node {
	y := nn.ReLU(b.convs[0].forward(x))
	y = nn.ReLU(b.convs[1].forward(y))
	y = b.convs[2].forward(b.shrink(y)) // (B, H/stride, W/stride, 4·width)
	if b.downsample != nil {
		x = b.downsample.forward(b.shrink(x))
	}
	return nn.ReLU(nn.Add(y, x))
}

func (b *bottleneck) shrink(x *G.Node) *G.Node {
	if b.stride == 1 {
		return x
	}
	return nn.AvgPool2D(x, b.stride)
}

func (b *bottleneck) params() []*nn.Param {
	var ps []*nn.Param
	for _, c := range b.convs {
		ps = append(ps, c.params()...)
	}
	if b.downsample != nil {
		ps = append(ps, b.downsample.params()...)
	}
	return ps
}

// attnPool attends from the mean of all pixels to them and itself.
type attnPool struct {
	posEmbed      *nn.Param // (1+P, W)
	q, k, v, proj *nn.Linear
	heads         int
}

func newAttnPool(c ResNet) *attnPool {
	width := 32 * c.Width
	linear := func(name string, out int) *nn.Linear {
		l := nn.NewLinear("visual.attnpool."+name, width, out)
		l.Weight.Normal(1 / math.Sqrt(float64(width)))
		return l
	}
	p := &attnPool{
		posEmbed: nn.NewParam("visual.attnpool.positional_embedding", c.tokens(), width).Normal(1 / math.Sqrt(float64(width))),
		q:        linear("q_proj", width),
		k:        linear("k_proj", width),
		v:        linear("v_proj", width),
		proj:     linear("c_proj", c.EmbedDim),
		heads:    c.Heads,
	}
	if p.heads == 0 {
		p.heads = c.Width / 2 // heads of 64 channels
	}
	return p
}

// forward maps (B, H, W, C) to (B, D).
func (p *attnPool) forward(x *G.Node) *G.Node {
	x = nn.AddPositions(nn.PrependMean(x), p.posEmbed.Node(x.Graph())) // (B, 1+P, C)
	q := p.q.Forward(nn.Token(x, 0))                                   // (B, C)
	return p.proj.Forward(nn.AttentionPool(q, p.k.Forward(x), p.v.Forward(x), p.heads))
}

func (p *attnPool) params() []*nn.Param {
	ps := []*nn.Param{p.posEmbed}
	for _, l := range []*nn.Linear{p.k, p.q, p.v, p.proj} {
		ps = append(ps, l.Params()...)
	}
	return ps
}
