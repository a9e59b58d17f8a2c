package vision

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// PECore is the Vision Transformer of Perception Encoder's CLIP models (Bolya et al.,
// 2025) under timm's names: learned and rotary position embeddings together,
// attention pooling by a learned query over all tokens, and a projection with bias.
type PECore struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream, a multiple of 8; required
	Layers    int    // blocks; required
	Heads     int    // of attention, each a multiple of 4 wide; required
	EmbedDim  int    // size of the features; required

	MLPRatio float64 `identity:"-"` // hidden width of the blocks' MLP over Width; zero means 4; an identity has it from the shapes

	// RotaryGrid is the side, in patches, of the grid that the rotary embedding was
	// pretrained on; positions of another grid are scaled to its range. Required.
	RotaryGrid int
	// NoClassToken leaves out the class token. Rotary positions then start at 0, and at
	// 1 with it.
	NoClassToken bool
}

// What is the same in all sizes: the epsilon of LayerNorms, and of the pooling the
// number of heads and the hidden width of the MLP over Width.
const (
	peEps       = 1e-5
	pePoolHeads = 8
	pePoolRatio = 4
)

// Family is "pe_core".
func (PECore) Family() string { return "pe_core" }

// Dims implements [Config].
func (c PECore) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, c.prefix() + area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c PECore) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c PECore) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c PECore) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), c.prefix()
}

// prefix is how many tokens precede the patches.
func (c PECore) prefix() int {
	if c.NoClassToken {
		return 0
	}
	return 1
}

// Validate implements [Config].
func (c PECore) Validate() error {
	if err := checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, peEps, nn.GELU); err != nil {
		return err
	}
	if c.Width%pePoolHeads != 0 {
		return invalid("Width", "is %d, which does not split into %d heads of pooling", c.Width, pePoolHeads)
	}
	return checkRotary(c.Width, c.Heads, c.RotaryGrid)
}

// checkRotary reports what of rotary positions does not fit.
func checkRotary(width, heads, grid int) error {
	if width/heads%4 != 0 {
		return invalid("Heads", "is %d, of %d channels each, want a multiple of 4", heads, width/heads)
	}
	return checkNumbers(number{"RotaryGrid", grid, 1, maxDim})
}

func (c PECore) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: nn.GELU, NormEps: peEps, Names: nn.TimmNames(),
	}
}

func (c PECore) pool() latentPoolConfig {
	return latentPoolConfig{c.Width, pePoolHeads, nn.MLPWidth(c.Width, pePoolRatio), nn.GELU, peEps}
}

// MultiplyAdds implements [nn.Coster].
func (c PECore) MultiplyAdds() float64 {
	tokens, blocks := c.Dims().Tokens, c.blocks()
	return patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(tokens) +
		c.pool().multiplyAdds(tokens) + float64(c.Width)*float64(c.EmbedDim)
}

type peCore struct {
	cfg     PECore
	embed   *embed
	normPre *nn.LayerNorm
	rotary  *nn.RotaryEmbedding
	blocks  *nn.Transformer
	norm    *nn.LayerNorm
	pool    *latentPool
	head    *nn.Linear
}

// New implements [Config].
func (c PECore) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	p := &peCore{
		cfg:     c,
		embed:   newEmbed(c.Width, c.PatchSize, area(c.Grid())),
		normPre: nn.NewLayerNorm("visual.trunk.norm_pre", c.Width, peEps),
		rotary: nn.NewRotaryEmbedding(nn.RotaryGrid{
			Grid: c.Grid(), Head: c.Width / c.Heads, Prefix: c.prefix(), Reference: c.RotaryGrid, Offset: c.prefix(),
		}),
		blocks: nn.NewTransformer("visual.trunk", c.blocks()),
		norm:   nn.NewLayerNorm("visual.trunk.norm", c.Width, peEps),
		pool:   newLatentPool(c.pool()),
		head:   newTrunkLinear("head", c.Width, c.EmbedDim),
	}
	if c.NoClassToken {
		p.embed.withoutClass()
	}
	return p, nil
}

func (p *peCore) Config() Config { return p.cfg }

func (p *peCore) Patches() int { return area(p.cfg.Grid()) }

func (p *peCore) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(p.cfg.ImageSize)
	attend := func(_ int, qkv *G.Node) *G.Node {
		return nn.Attention(p.rotary.Forward(qkv, in.Keep), p.cfg.Heads, nn.NoMask, nil)
	}
	x := p.normPre.Forward(p.embed.forward(in)) // (B, 1+P, W)
	x = p.norm.Forward(p.blocks.ForwardWith(x, attend, nil))
	return p.head.Forward(p.pool.forward(x, nil)), nil // (B, D)
}

func (p *peCore) Params() []*nn.Param {
	return append(p.embed.params(), paramsOf(p.normPre, p.blocks, p.norm, p.pool, p.head)...)
}

func (p *peCore) Depth(param string) int { return trunkDepth(param, p.cfg.Layers) }
