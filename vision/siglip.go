package vision

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// SigLIP is the Vision Transformer of SigLIP (Zhai et al., 2023) and of SigLIP 2
// with fixed resolution (Tschannen et al., 2025; not NaFlex), under timm's names:
// no class token, and attention pooling (MAP head) by a learned query over all
// tokens in place of a projection. The fields marked required have no default:
// checkpoints of one shape differ in them.
type SigLIP struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream, and size of the features; required
	Layers    int    // blocks; required
	Heads     int    // of attention, a divisor of Width; required

	MLPRatio   float64       `identity:"-"` // hidden width of the MLPs over Width; zero means 4; an identity has it from the shapes
	Activation nn.Activation // required: GELU in timm for most sizes, GELUTanh in transformers
	NormEps    float64       // LayerNorm's epsilon; required
}

// Family is "siglip".
func (SigLIP) Family() string { return "siglip" }

// Dims implements [Config].
func (c SigLIP) Dims() Dims { return Dims{c.ImageSize, c.Width, c.patches()} }

// Grid returns the number of patches down and across.
func (c SigLIP) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c SigLIP) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c SigLIP) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 0
}

func (c SigLIP) patches() int { return area(c.Grid()) }

// Validate implements [Config].
func (c SigLIP) Validate() error {
	return checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.Width, c.MLPRatio, c.NormEps, c.Activation)
}

func (c SigLIP) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: c.Activation, NormEps: c.NormEps, Names: nn.TimmNames(),
	}
}

func (c SigLIP) pool() latentPoolConfig {
	return latentPoolConfig{c.Width, c.Heads, nn.MLPWidth(c.Width, c.MLPRatio), c.Activation, c.NormEps}
}

// MultiplyAdds implements [nn.Coster].
func (c SigLIP) MultiplyAdds() float64 {
	blocks := c.blocks()
	return patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(c.patches()) + c.pool().multiplyAdds(c.patches())
}

type siglip struct {
	cfg    SigLIP
	embed  *embed
	blocks *nn.Transformer
	norm   *nn.LayerNorm
	pool   *latentPool
}

// New implements [Config].
func (c SigLIP) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &siglip{
		cfg:    c,
		embed:  newEmbed(c.Width, c.PatchSize, c.patches()).withBias().withoutClass(),
		blocks: nn.NewTransformer("visual.trunk", c.blocks()),
		norm:   nn.NewLayerNorm("visual.trunk.norm", c.Width, c.NormEps),
		pool:   newLatentPool(c.pool()),
	}, nil
}

func (s *siglip) Config() Config { return s.cfg }

func (s *siglip) Patches() int { return s.cfg.patches() }

func (s *siglip) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	return s.pool.forward(s.tokens(in), nil), nil // (B, W)
}

// ForwardPatches implements [PatchTower].
func (s *siglip) ForwardPatches(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: patches")
	return s.pool.alone(s.tokens(in)), nil // (B, P, W)
}

func (s *siglip) tokens(in Input) *G.Node {
	in.check(s.cfg.ImageSize)
	x := s.embed.forward(in) // (B, P, W)
	return s.norm.Forward(s.blocks.Forward(x, nn.NoMask, nil, nil))
}

func (s *siglip) Params() []*nn.Param {
	return append(s.embed.params(), paramsOf(s.blocks, s.norm, s.pool)...)
}

func (s *siglip) Depth(param string) int { return trunkDepth(param, s.cfg.Layers) }
