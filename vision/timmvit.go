package vision

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// TimmViT is CLIP's Vision Transformer (Radford et al., 2021) under timm's names, as
// in MobileCLIP2-L-14: a class token, norm_pre before the first block, and a
// projection with bias. The fields marked required have no default: checkpoints of
// one shape differ in them.
type TimmViT struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream; required
	Layers    int    // blocks; required
	Heads     int    // of attention, a divisor of Width; required
	EmbedDim  int    // size of the features; required

	MLPRatio   float64       `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes
	Activation nn.Activation // required
	NormEps    float64       // LayerNorm's epsilon; required
}

// Family is "timm_vit".
func (TimmViT) Family() string { return "timm_vit" }

// Dims implements [Config].
func (c TimmViT) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, 1 + area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c TimmViT) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c TimmViT) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c TimmViT) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 1
}

// Validate implements [Config].
func (c TimmViT) Validate() error {
	return checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, c.NormEps, c.Activation)
}

func (c TimmViT) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: c.Activation, NormEps: c.NormEps, Names: nn.TimmNames(),
	}
}

// MultiplyAdds implements [nn.Coster].
func (c TimmViT) MultiplyAdds() float64 {
	blocks := c.blocks()
	return patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(c.Dims().Tokens) + float64(c.Width)*float64(c.EmbedDim)
}

type timmViT struct {
	cfg     TimmViT
	embed   *embed
	normPre *nn.LayerNorm
	blocks  *nn.Transformer
	norm    *nn.LayerNorm
	head    *nn.Linear
}

// New implements [Config].
func (c TimmViT) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &timmViT{
		cfg:     c,
		embed:   newEmbed(c.Width, c.PatchSize, area(c.Grid())),
		normPre: nn.NewLayerNorm("visual.trunk.norm_pre", c.Width, c.NormEps),
		blocks:  nn.NewTransformer("visual.trunk", c.blocks()),
		norm:    nn.NewLayerNorm("visual.trunk.norm", c.Width, c.NormEps),
		head:    newTrunkLinear("head", c.Width, c.EmbedDim),
	}, nil
}

func (v *timmViT) Config() Config { return v.cfg }

func (v *timmViT) Patches() int { return area(v.cfg.Grid()) }

func (v *timmViT) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	x := v.normPre.Forward(v.embed.forward(in))         // (B, 1+P, W)
	x = v.blocks.Forward(x, nn.NoMask, nil, classToken) // (B, W)
	return v.head.Forward(v.norm.Forward(x)), nil       // (B, D)
}

// ForwardPatches implements [PatchTower].
func (v *timmViT) ForwardPatches(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: patches")
	in.check(v.cfg.ImageSize)
	x := v.blocks.ForwardWith(v.normPre.Forward(v.embed.forward(in)), v.blocks.LastAlone(), nil)
	return v.head.Forward(v.norm.Forward(nn.TokensFrom(x, 1))), nil // (B, P, D)
}

func (v *timmViT) Params() []*nn.Param {
	return append(v.embed.params(), paramsOf(v.normPre, v.blocks, v.norm, v.head)...)
}

func (v *timmViT) Depth(param string) int { return trunkDepth(param, v.cfg.Layers) }
