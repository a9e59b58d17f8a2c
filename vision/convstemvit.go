package vision

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// ConvStemViT is the Vision Transformer of MobileCLIP-B (Vasu et al., 2024) under timm's
// names: the patch embedding is a stem of three non-overlapping convolutions, and the
// position embedding is added before the class token is prepended.
type ConvStemViT struct {
	ImageSize [2]int // height and width in pixels; required
	Width     int    // of the residual stream, a multiple of 4; required
	Layers    int    // blocks; required
	Heads     int    // of attention, a divisor of Width; required
	EmbedDim  int    // size of the features; required

	MLPRatio float64 `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes
}

// stemPatch is the side of a patch, the product of those of the stem's convolutions.
const stemPatch = 16

// stemSizes are the sides of the stem's convolutions, and their strides.
func stemSizes() [3]int { return [3]int{4, 2, 2} }

// Family is "conv_stem_vit".
func (ConvStemViT) Family() string { return "conv_stem_vit" }

// Dims implements [Config].
func (c ConvStemViT) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, 1 + area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c ConvStemViT) Grid() [2]int { return grid(c.ImageSize, stemPatch) }

// Resized implements [Resizer].
func (c ConvStemViT) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c ConvStemViT) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 0
}

// Validate implements [Config].
func (c ConvStemViT) Validate() error {
	if err := checkTransformer(c.ImageSize, stemPatch, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, timmEps, nn.GELU); err != nil {
		return err
	}
	if c.Width%4 != 0 {
		return invalid("Width", "is %d, want a multiple of 4: the stem's first layers are a quarter as wide", c.Width)
	}
	return nil
}

func (c ConvStemViT) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: nn.GELU, NormEps: timmEps, Names: nn.TimmNames(),
	}
}

// MultiplyAdds implements [nn.Coster].
func (c ConvStemViT) MultiplyAdds() float64 {
	patches, w, blocks := float64(area(c.Grid())), float64(c.Width), c.blocks()
	stem := patches * (16*(3*16)*w/4 + 4*(w/4*4)*w/4 + (w/4*4)*w)
	return stem + blocks.MultiplyAdds(c.Dims().Tokens) + w*float64(c.EmbedDim)
}

type convStemViT struct {
	cfg      ConvStemViT
	stem     [3]*nn.Param // convolutions
	stemNorm [2]*nn.BatchNorm
	stemBias *nn.Param // (W), of the last convolution
	posEmbed *nn.Param // (1, P, W)
	class    *nn.Param // (1, 1, W)
	blocks   *nn.Transformer
	norm     *nn.LayerNorm
	head     *nn.Linear
}

// New implements [Config].
func (c ConvStemViT) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	const backbone = "visual.trunk.patch_embed.backbone."
	v := &convStemViT{
		cfg:      c,
		stemBias: nn.NewParam(backbone+"2.conv.bias", c.Width),
		posEmbed: nn.NewParam("visual.trunk.pos_embed", 1, area(c.Grid()), c.Width).Normal(1 / math.Sqrt(float64(c.Width))),
		class:    nn.NewParam("visual.trunk.cls_token", 1, 1, c.Width).Normal(1 / math.Sqrt(float64(c.Width))),
		blocks:   nn.NewTransformer("visual.trunk", c.blocks()),
		norm:     nn.NewLayerNorm("visual.trunk.norm", c.Width, timmEps),
		head:     newTrunkLinear("head", c.Width, c.EmbedDim),
	}
	in := 3
	for i, out := range [3]int{c.Width / 4, c.Width / 4, c.Width} {
		size := stemSizes()[i]
		v.stem[i] = nn.NewParam(fmt.Sprintf("%s%d.conv.weight", backbone, i), out, in, size, size).Uniform(1 / math.Sqrt(float64(in*size*size)))
		if i < len(v.stemNorm) {
			v.stemNorm[i] = nn.NewBatchNorm(fmt.Sprintf("%s%d.bn", backbone, i), out)
		}
		in = out
	}
	return v, nil
}

func (v *convStemViT) Config() Config { return v.cfg }

func (v *convStemViT) Patches() int { return area(v.cfg.Grid()) }

func (v *convStemViT) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	g, sizes := in.Pixels.Graph(), stemSizes()
	x := nn.ChannelsLast(in.Pixels) // (B, H, W, 3)
	for i, norm := range v.stemNorm {
		x = nn.Activate(nn.GELU, norm.Forward(nn.Conv2D(x, v.stem[i].Node(g), sizes[i], 0)))
	}
	x = nn.Tokens(nn.Conv2D(x, v.stem[2].Node(g), sizes[2], 0)) // (B, P, W)
	x = nn.AddPositions(nn.AddBias(x, v.stemBias.Node(g)), v.posEmbed.Node(g))
	if in.Keep != nil {
		x = nn.Keep(x, in.Keep, 0) // (B, K, W)
	}
	x = nn.Prepend(v.class.Node(g), x)                  // (B, 1+P, W)
	x = v.blocks.Forward(x, nn.NoMask, nil, classToken) // (B, W)
	return v.head.Forward(v.norm.Forward(x)), nil       // (B, D)
}

func (v *convStemViT) Params() []*nn.Param {
	ps := append([]*nn.Param{v.class, v.posEmbed}, v.stem[:]...)
	ps = append(append(ps, v.stemBias), paramsOf(v.stemNorm[0], v.stemNorm[1])...)
	return append(ps, paramsOf(v.blocks, v.norm, v.head)...)
}

func (v *convStemViT) Depth(param string) int { return trunkDepth(param, v.cfg.Layers) }
