package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// PlainViT is the Vision Transformer as published (Dosovitskiy et al., 2021): patches with
// bias, a class token, no LayerNorm before the blocks, one behind them. It is the image
// tower of BLIP (Li et al., 2022), and transformers' ViTModel. Its parameters have timm's
// names, as BLIP's own have. The fields marked required have no default: checkpoints of one
// shape differ in them.
type PlainViT struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream; required
	Layers    int    // blocks; required
	Heads     int    // of attention, a divisor of Width; required
	EmbedDim  int    // size of the features; required

	MLPRatio   float64       `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes
	Activation nn.Activation // required
	NormEps    float64       // LayerNorm's epsilon; required

	NormTwice bool // the last LayerNorm is applied to the class token once more, as in transformers' BlipModel
	Pooler    bool // the class token goes through a layer with tanh before the projection
	ProjBias  bool // the projection has a bias
	NoQKVBias bool // queries, keys and values have no bias
}

// Family is "plain_vit".
func (PlainViT) Family() string { return "plain_vit" }

// Dims implements [Config].
func (c PlainViT) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, 1 + area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c PlainViT) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c PlainViT) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c PlainViT) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 1
}

// Validate implements [Config].
func (c PlainViT) Validate() error {
	return checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, c.NormEps, c.Activation)
}

func (c PlainViT) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: c.Activation, NormEps: c.NormEps, Names: nn.TimmNames(), NoQKVBias: c.NoQKVBias,
	}
}

// MultiplyAdds implements [nn.Coster].
func (c PlainViT) MultiplyAdds() float64 {
	blocks, w := c.blocks(), float64(c.Width)
	n := patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(c.Dims().Tokens) + w*float64(c.EmbedDim)
	if c.Pooler {
		n += w * w
	}
	return n
}

type plainViT struct {
	cfg    PlainViT
	embed  *embed
	blocks *nn.Transformer
	norm   *nn.LayerNorm
	pooler *nn.Linear // nil for none
	proj   *nn.Linear
}

// New implements [Config].
func (c PlainViT) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	v := &plainViT{
		cfg:    c,
		embed:  newEmbed(c.Width, c.PatchSize, area(c.Grid())).withBias(),
		blocks: nn.NewTransformer("visual.trunk", c.blocks()),
		norm:   nn.NewLayerNorm("visual.trunk.norm", c.Width, c.NormEps),
		proj:   nn.NewLinear("visual.head.proj", c.Width, c.EmbedDim),
	}
	v.proj.Weight.Normal(1 / math.Sqrt(float64(c.Width)))
	if !c.ProjBias {
		v.proj.Bias = nil
	}
	if c.Pooler {
		v.pooler = newTrunkLinear("pooler.dense", c.Width, c.Width)
	}
	return v, nil
}

func (v *plainViT) Config() Config { return v.cfg }

func (v *plainViT) Patches() int { return area(v.cfg.Grid()) }

func (v *plainViT) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	x := v.blocks.Forward(v.embed.forward(in), nn.NoMask, nil, classToken) // (B, W)
	return v.finish(x), nil                                                // (B, D)
}

// ForwardPatches implements [PatchTower].
func (v *plainViT) ForwardPatches(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: patches")
	in.check(v.cfg.ImageSize)
	x := v.blocks.ForwardWith(v.embed.forward(in), v.blocks.LastAlone(), nil)
	return v.finish(nn.TokensFrom(x, 1)), nil // (B, P, D)
}

// finish is what follows the blocks, (…, W) to (…, D).
func (v *plainViT) finish(x *G.Node) *G.Node {
	x = v.norm.Forward(x)
	if v.cfg.NormTwice {
		x = v.norm.Forward(x)
	}
	if v.pooler != nil {
		x = nn.Tanh(v.pooler.Forward(x))
	}
	return v.proj.Forward(x)
}

func (v *plainViT) Params() []*nn.Param {
	ps := append(v.embed.params(), paramsOf(v.blocks, v.norm)...)
	if v.pooler != nil {
		ps = append(ps, v.pooler.Params()...)
	}
	return append(ps, v.proj.Params()...)
}

func (v *plainViT) Depth(param string) int { return trunkDepth(param, v.cfg.Layers) }
