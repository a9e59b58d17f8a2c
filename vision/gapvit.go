package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// GapViT is timm's Vision Transformer with global average pooling: no class token,
// LayerScale, q, k and v without bias, followed by open_clip's linear projection.
type GapViT struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream; required
	Layers    int    // blocks; required
	Heads     int    // of attention, a divisor of Width; required
	EmbedDim  int    // size of the features; required

	MLPRatio float64 `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes

	// LayerScale is the initial value of the LayerScale parameters in training.
	// Required.
	LayerScale float64 `identity:"-"`
}

// timmEps is the epsilon of LayerNorms that timm's Vision Transformers have unless they
// say otherwise.
const timmEps = 1e-6

// Family is "gap_vit".
func (GapViT) Family() string { return "gap_vit" }

// Dims implements [Config].
func (c GapViT) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c GapViT) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c GapViT) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c GapViT) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 0
}

// Validate implements [Config].
func (c GapViT) Validate() error {
	if err := checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, timmEps, nn.GELU); err != nil {
		return err
	}
	if c.LayerScale == 0 {
		return invalid("LayerScale", "is 0, want what scales begin with")
	}
	return checkLayerScale(c.LayerScale)
}

func (c GapViT) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: nn.GELU, NormEps: timmEps, Names: nn.TimmNames(), LayerScale: c.LayerScale, NoQKVBias: true,
	}
}

// MultiplyAdds implements [nn.Coster].
func (c GapViT) MultiplyAdds() float64 {
	blocks := c.blocks()
	return patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(c.Dims().Tokens) + float64(c.Width)*float64(c.EmbedDim)
}

type gapViT struct {
	cfg    GapViT
	embed  *embed
	blocks *nn.Transformer
	norm   *nn.LayerNorm
	proj   *nn.Linear
}

// New implements [Config].
func (c GapViT) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &gapViT{
		cfg:    c,
		embed:  newEmbed(c.Width, c.PatchSize, area(c.Grid())).withBias().withoutClass(),
		blocks: nn.NewTransformer("visual.trunk", c.blocks()),
		norm:   nn.NewLayerNorm("visual.trunk.norm", c.Width, timmEps),
		proj:   newHeadProj(c.Width, c.EmbedDim),
	}, nil
}

// newHeadProj returns what open_clip puts behind a trunk where timm_proj is linear.
func newHeadProj(width, dim int) *nn.Linear {
	l := nn.NewLinear("visual.head.proj", width, dim)
	l.Weight.Normal(1 / math.Sqrt(float64(width)))
	l.Bias = nil
	return l
}

func (v *gapViT) Config() Config { return v.cfg }

func (v *gapViT) Patches() int { return area(v.cfg.Grid()) }

func (v *gapViT) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	x := v.blocks.Forward(v.embed.forward(in), nn.NoMask, nil, nil) // (B, P, W)
	return v.proj.Forward(nn.Mean(v.norm.Forward(x), 0)), nil       // (B, D)
}

// ForwardPatches implements [PatchTower].
func (v *gapViT) ForwardPatches(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: patches")
	in.check(v.cfg.ImageSize)
	x := v.blocks.ForwardWith(v.embed.forward(in), v.blocks.LastAlone(), nil)
	return v.proj.Forward(v.norm.Forward(x)), nil // (B, P, D)
}

func (v *gapViT) Params() []*nn.Param {
	return append(v.embed.params(), paramsOf(v.blocks, v.norm, v.proj)...)
}

func (v *gapViT) Depth(param string) int { return trunkDepth(param, v.cfg.Layers) }
