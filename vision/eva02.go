package vision

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// EVA02 is the Vision Transformer of EVA-CLIP's EVA-02 models (Fang et al., 2023; Sun et
// al., 2023) under timm's names: a rotary position embedding (RoPE) in addition to the
// learned one, separate q, k and v projections, a SwiGLU MLP, and sub-LayerNorms inside
// attention and MLP.
type EVA02 struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream; required
	Layers    int    // blocks; required
	Heads     int    // of attention, each a multiple of 4 wide; required
	EmbedDim  int    // size of the features; required

	MLPRatio float64 `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes

	// RotaryGrid is the side, in patches, of the grid that the rotary embedding was
	// pretrained on; positions of another grid are scaled to its range. Required.
	RotaryGrid int
}

// Family is "eva02".
func (EVA02) Family() string { return "eva02" }

// Dims implements [Config].
func (c EVA02) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, 1 + area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c EVA02) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c EVA02) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c EVA02) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 1
}

// Validate implements [Config].
func (c EVA02) Validate() error {
	if err := checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, evaEps, nn.GELU); err != nil {
		return err
	}
	return checkRotary(c.Width, c.Heads, c.RotaryGrid)
}

// MultiplyAdds implements [nn.Coster].
func (c EVA02) MultiplyAdds() float64 {
	tokens, hidden := c.Dims().Tokens, nn.MLPWidth(c.Width, c.MLPRatio)
	blocks := nn.TransformerConfig{Width: c.Width, Layers: c.Layers, MLPWidth: hidden}
	gates := float64(c.Layers*tokens) * float64(c.Width) * float64(hidden)
	return patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(tokens) + gates + float64(c.Width)*float64(c.EmbedDim)
}

type eva02 struct {
	cfg    EVA02
	embed  *embed
	rotary *nn.RotaryEmbedding
	blocks []*eva02Block
	norm   *nn.LayerNorm
	head   *nn.Linear
}

// New implements [Config].
func (c EVA02) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	e := &eva02{
		cfg:   c,
		embed: newEmbed(c.Width, c.PatchSize, area(c.Grid())).withBias(),
		rotary: nn.NewRotaryEmbedding(nn.RotaryGrid{
			Grid: c.Grid(), Head: c.Width / c.Heads, Prefix: 1, Reference: c.RotaryGrid, RowsFirst: true,
		}),
		norm: nn.NewLayerNorm("visual.trunk.norm", c.Width, evaEps),
		head: newTrunkLinear("head", c.Width, c.EmbedDim),
	}
	for i := range c.Layers {
		e.blocks = append(e.blocks, newEVA02Block(i, c))
	}
	return e, nil
}

func (e *eva02) Config() Config { return e.cfg }

func (e *eva02) Patches() int { return area(e.cfg.Grid()) }

func (e *eva02) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(e.cfg.ImageSize)
	attend := func(qkv *G.Node) *G.Node {
		return nn.Attention(e.rotary.Forward(qkv, in.Keep), e.cfg.Heads, nn.NoMask, nil)
	}
	x := e.embed.forward(in) // (B, 1+P, W)
	last := len(e.blocks) - 1
	for _, b := range e.blocks[:last] {
		x = b.forward(x, attend, allTokens)
	}
	x = e.blocks[last].forward(x, attend, classToken) // (B, W)
	return e.head.Forward(e.norm.Forward(x)), nil     // (B, D)
}

func (e *eva02) Params() []*nn.Param {
	ps := e.embed.params()
	for _, b := range e.blocks {
		ps = append(ps, paramsOf(b.norm1, b.q, b.k, b.v, b.attnNorm, b.proj, b.norm2, b.gate, b.fc1, b.mlpNorm, b.fc2)...)
	}
	return append(ps, paramsOf(e.norm, e.head)...)
}

func (e *eva02) Depth(param string) int { return trunkDepth(param, e.cfg.Layers) }

type eva02Block struct {
	norm1    *nn.LayerNorm
	q, k, v  *nn.Linear // k without bias
	attnNorm *nn.LayerNorm
	proj     *nn.Linear
	norm2    *nn.LayerNorm
	gate     *nn.Linear // mlp.fc1_g
	fc1      *nn.Linear // mlp.fc1_x
	mlpNorm  *nn.LayerNorm
	fc2      *nn.Linear
}

func newEVA02Block(i int, c EVA02) *eva02Block {
	name, hidden := fmt.Sprintf("blocks.%d.", i), nn.MLPWidth(c.Width, c.MLPRatio)
	norm := func(part string, width int) *nn.LayerNorm {
		return nn.NewLayerNorm("visual.trunk."+name+part, width, evaEps)
	}
	b := &eva02Block{
		norm1:    norm("norm1", c.Width),
		q:        newTrunkLinear(name+"attn.q_proj", c.Width, c.Width),
		k:        newTrunkLinear(name+"attn.k_proj", c.Width, c.Width),
		v:        newTrunkLinear(name+"attn.v_proj", c.Width, c.Width),
		attnNorm: norm("attn.norm", c.Width),
		proj:     newResidualLinear(name+"attn.proj", c.Width, c.Width, c.Layers),
		norm2:    norm("norm2", c.Width),
		gate:     newTrunkLinear(name+"mlp.fc1_g", c.Width, hidden),
		fc1:      newTrunkLinear(name+"mlp.fc1_x", c.Width, hidden),
		mlpNorm:  norm("mlp.norm", hidden),
		fc2:      newResidualLinear(name+"mlp.fc2", hidden, c.Width, c.Layers),
	}
	b.k.Bias = nil
	return b
}

// forward maps (B, L, W) to the tokens that are picked of it.
func (b *eva02Block) forward(x *G.Node, attend, pick func(*G.Node) *G.Node) *G.Node {
	y := b.norm1.Forward(x)
	y = attend(nn.JoinColumns(b.q.Forward(y), b.k.Forward(y), b.v.Forward(y))) // (B, L, W)
	x = nn.Add(pick(x), b.proj.Forward(b.attnNorm.Forward(pick(y))))
	y = b.norm2.Forward(x)
	y = nn.SwiGLU(b.gate.Forward(y), b.fc1.Forward(y)) // (…, M)
	return nn.Add(x, b.fc2.Forward(b.mlpNorm.Forward(y)))
}
