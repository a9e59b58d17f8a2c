package vision

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// EVA is the Vision Transformer of EVA-CLIP's EVA-01 models (Fang et al., 2022; Sun et
// al., 2023) and of EVA02-CLIP-E, under timm's names: queries and values have a bias and
// keys have none.
type EVA struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream; required
	Layers    int    // blocks; required
	Heads     int    // of attention, a divisor of Width; required
	EmbedDim  int    // size of the features; required

	MLPRatio float64 `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes

	// PostNorm puts the LayerNorms of a block after attention and MLP instead of
	// before them, as in EVA02-CLIP-E (the "enormous" models).
	PostNorm bool
}

// evaEps is the epsilon of all LayerNorms of EVA-01 and EVA-02.
const evaEps = 1e-6

// Family is "eva".
func (EVA) Family() string { return "eva" }

// Dims implements [Config].
func (c EVA) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, 1 + area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c EVA) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c EVA) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c EVA) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 1
}

// Validate implements [Config].
func (c EVA) Validate() error {
	return checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, evaEps, nn.GELU)
}

// MultiplyAdds implements [nn.Coster].
func (c EVA) MultiplyAdds() float64 {
	blocks := nn.TransformerConfig{Width: c.Width, Layers: c.Layers, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio)}
	return patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(c.Dims().Tokens) + float64(c.Width)*float64(c.EmbedDim)
}

type eva struct {
	cfg    EVA
	embed  *embed
	blocks []*evaBlock
	norm   *nn.LayerNorm
	head   *nn.Linear
}

// New implements [Config].
func (c EVA) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	e := &eva{
		cfg:   c,
		embed: newEmbed(c.Width, c.PatchSize, area(c.Grid())).withBias(),
		norm:  nn.NewLayerNorm("visual.trunk.norm", c.Width, evaEps),
		head:  newTrunkLinear("head", c.Width, c.EmbedDim),
	}
	for i := range c.Layers {
		e.blocks = append(e.blocks, newEVABlock(i, c))
	}
	return e, nil
}

func (e *eva) Config() Config { return e.cfg }

func (e *eva) Patches() int { return area(e.cfg.Grid()) }

func (e *eva) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(e.cfg.ImageSize)
	block := (*evaBlock).preNorm
	if e.cfg.PostNorm {
		block = (*evaBlock).postNorm
	}
	x := e.embed.forward(in) // (B, 1+P, W)
	last := len(e.blocks) - 1
	for _, b := range e.blocks[:last] {
		x = block(b, x, allTokens)
	}
	x = block(e.blocks[last], x, classToken)      // (B, W)
	return e.head.Forward(e.norm.Forward(x)), nil // (B, D)
}

func (e *eva) Params() []*nn.Param {
	ps := e.embed.params()
	for _, b := range e.blocks {
		ps = append(append(ps, b.qBias, b.vBias), paramsOf(b.norm1, b.qkv, b.proj, b.norm2, b.fc1, b.fc2)...)
	}
	return append(ps, paramsOf(e.norm, e.head)...)
}

func (e *eva) Depth(param string) int { return trunkDepth(param, e.cfg.Layers) }

type evaBlock struct {
	norm1        *nn.LayerNorm
	qkv          *nn.Linear // without bias
	qBias, vBias *nn.Param  // (W)
	proj         *nn.Linear
	norm2        *nn.LayerNorm
	fc1, fc2     *nn.Linear
	heads        int
}

func newEVABlock(i int, c EVA) *evaBlock {
	name, hidden := fmt.Sprintf("blocks.%d.", i), nn.MLPWidth(c.Width, c.MLPRatio)
	b := &evaBlock{
		norm1: nn.NewLayerNorm("visual.trunk."+name+"norm1", c.Width, evaEps),
		qkv:   newTrunkLinear(name+"attn.qkv", c.Width, 3*c.Width),
		qBias: nn.NewParam("visual.trunk."+name+"attn.q_bias", c.Width),
		vBias: nn.NewParam("visual.trunk."+name+"attn.v_bias", c.Width),
		proj:  newResidualLinear(name+"attn.proj", c.Width, c.Width, c.Layers),
		norm2: nn.NewLayerNorm("visual.trunk."+name+"norm2", c.Width, evaEps),
		fc1:   newTrunkLinear(name+"mlp.fc1", c.Width, hidden),
		fc2:   newResidualLinear(name+"mlp.fc2", hidden, c.Width, c.Layers),
		heads: c.Heads,
	}
	b.qkv.Bias = nil
	return b
}

// preNorm maps (B, L, W) to the tokens that are picked of it.
func (b *evaBlock) preNorm(x *G.Node, pick func(*G.Node) *G.Node) *G.Node {
	x = nn.Add(pick(x), b.attend(b.norm1.Forward(x), pick))
	return nn.Add(x, b.mlp(b.norm2.Forward(x)))
}

// postNorm is timm's EvaBlockPostNorm.
func (b *evaBlock) postNorm(x *G.Node, pick func(*G.Node) *G.Node) *G.Node {
	x = nn.Add(pick(x), b.norm1.Forward(b.attend(x, pick)))
	return nn.Add(x, b.norm2.Forward(b.mlp(x)))
}

func (b *evaBlock) attend(x *G.Node, pick func(*G.Node) *G.Node) *G.Node {
	g := x.Graph()
	qkv := b.qkv.ForwardWith(x, nn.QVBias(b.qBias.Node(g), b.vBias.Node(g))) // (B, L, 3W)
	return b.proj.Forward(pick(nn.Attention(qkv, b.heads, nn.NoMask, nil)))
}

func (b *evaBlock) mlp(x *G.Node) *G.Node {
	return b.fc2.Forward(nn.Activate(nn.GELU, b.fc1.Forward(x)))
}
