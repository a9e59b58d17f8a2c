package vision

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// PooledViT is the Vision Transformer (Dosovitskiy et al., 2021) of transformers' ViTModel
// under timm's names, as VisionTextDualEncoderModel uses it: the class token goes through a
// pooler, a linear layer and tanh, and a projection without bias.
type PooledViT struct {
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

// Family is "pooled_vit".
func (PooledViT) Family() string { return "pooled_vit" }

// Dims implements [Config].
func (c PooledViT) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, 1 + area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c PooledViT) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c PooledViT) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c PooledViT) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 1
}

// Validate implements [Config].
func (c PooledViT) Validate() error {
	return checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, c.NormEps, c.Activation)
}

func (c PooledViT) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: c.Activation, NormEps: c.NormEps, Names: nn.TimmNames(),
	}
}

// MultiplyAdds implements [nn.Coster].
func (c PooledViT) MultiplyAdds() float64 {
	blocks, w := c.blocks(), float64(c.Width)
	return patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(c.Dims().Tokens) + w*w + w*float64(c.EmbedDim)
}

type pooledViT struct {
	cfg    PooledViT
	embed  *embed
	blocks *nn.Transformer
	norm   *nn.LayerNorm
	pooler *nn.Linear
	proj   *nn.Linear
}

// New implements [Config].
func (c PooledViT) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &pooledViT{
		cfg:    c,
		embed:  newEmbed(c.Width, c.PatchSize, area(c.Grid())).withBias(),
		blocks: nn.NewTransformer("visual.trunk", c.blocks()),
		norm:   nn.NewLayerNorm("visual.trunk.norm", c.Width, c.NormEps),
		pooler: newTrunkLinear("pooler.dense", c.Width, c.Width),
		proj:   newHeadProj(c.Width, c.EmbedDim),
	}, nil
}

func (v *pooledViT) Config() Config { return v.cfg }

func (v *pooledViT) Patches() int { return area(v.cfg.Grid()) }

func (v *pooledViT) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	x := v.blocks.Forward(v.embed.forward(in), nn.NoMask, nil, classToken) // (B, W)
	x = nn.Tanh(v.pooler.Forward(v.norm.Forward(x)))
	return v.proj.Forward(x), nil // (B, D)
}

func (v *pooledViT) Params() []*nn.Param {
	return append(v.embed.params(), paramsOf(v.blocks, v.norm, v.pooler, v.proj)...)
}

func (v *pooledViT) Depth(param string) int { return trunkDepth(param, v.cfg.Layers) }
