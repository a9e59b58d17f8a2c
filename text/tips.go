package text

import (
	"fmt"
	"math"
	"sync"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// TIPS is the text tower of TIPS v2 as transformers has it: token embeddings times √Width
// with fixed sinusoidal positions, norms in front of attention and MLP, ReLU, and the mean
// of all tokens but padding, without a projection. Its parameters have open_clip's names
// where it has them. Pool is PoolMean and Head HeadNone.
type TIPS struct{ Encoder }

// Family is "tips".
func (TIPS) Family() string { return "tips" }

// Validate implements [Config].
func (c TIPS) Validate() error {
	if err := c.check(PoolMean); err != nil {
		return err
	}
	if err := c.checkHeads(); err != nil {
		return err
	}
	switch {
	case c.Width%2 != 0:
		return invalid("Width", "is %d, want an even number", c.Width)
	case c.Head != HeadNone:
		return invalid("Head", "is %s, want none", c.Head)
	}
	return c.checkHead()
}

type tips struct {
	cfg       TIPS
	embed     *nn.Param        // (V, W)
	positions func() []float32 // (ContextLength, W), made at the first use
	blocks    []*tipsBlock
	norm      *nn.LayerNorm
	readout   *readout
}

// New implements [Config].
func (c TIPS) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &tips{
		cfg:       c,
		embed:     nn.NewParam("token_embedding.weight", c.VocabSize, c.Width).Normal(1 / math.Sqrt(float64(c.Width))),
		positions: sync.OnceValue(func() []float32 { return nn.Sinusoids(c.ContextLength, c.Width, -1) }),
		norm:      nn.NewLayerNorm("ln_final", c.Width, c.NormEps),
		readout:   c.newReadout(c.Width),
	}
	for i := range c.Layers {
		t.blocks = append(t.blocks, newTIPSBlock(fmt.Sprintf("transformer.resblocks.%d.", i), c))
	}
	return t, nil
}

func (t *tips) Config() Config { return t.cfg }

func (t *tips) Params() []*nn.Param {
	ps := []*nn.Param{t.embed}
	for _, b := range t.blocks {
		ps = append(ps, paramsOf(b.attnNorm, b.qkv, b.out, b.norm, b.fc, b.proj)...)
	}
	return append(ps, t.norm.Params()...)
}

func (t *tips) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "text: forward")
	g := in.Tokens.Graph()
	keys := t.cfg.keys(in)
	table := nn.Leaf(g, fmt.Sprintf("positions@%p", t), t.positions(), t.cfg.ContextLength, t.cfg.Width)
	x := nn.Embedding(in.Tokens, t.embed.Node(g)) // (B, L, W)
	x = nn.AddPositions(nn.Scale(x, float32(math.Sqrt(float64(t.cfg.Width)))), table)
	for _, b := range t.blocks {
		x = b.forward(x, nn.Attending{Heads: t.cfg.Heads, Keys: keys})
	}
	return t.readout.forward(t.norm.Forward(x), keys), nil // (B, W)
}

func (t *tips) Depth(param string) int {
	return nn.Depth(param, "transformer.resblocks.", t.cfg.Layers, "token_embedding.")
}

type tipsBlock struct {
	attnNorm *nn.LayerNorm
	qkv, out *nn.Linear
	norm     *nn.LayerNorm
	fc, proj *nn.Linear
}

func newTIPSBlock(name string, c TIPS) *tipsBlock {
	return &tipsBlock{
		attnNorm: nn.NewLayerNorm(name+"ln_1", c.Width, c.NormEps),
		qkv:      newLinear(name+"attn.in_proj", c.Width, 3*c.Width),
		out:      newLinear(name+"attn.out_proj", c.Width, c.Width),
		norm:     nn.NewLayerNorm(name+"ln_2", c.Width, c.NormEps),
		fc:       newLinear(name+"mlp.c_fc", c.Width, c.MLPWidth),
		proj:     newLinear(name+"mlp.c_proj", c.MLPWidth, c.Width),
	}
}

// forward maps (B, L, W) to (B, L, W).
func (b *tipsBlock) forward(x *G.Node, attending nn.Attending) *G.Node {
	x = nn.Add(x, b.out.Forward(nn.Attend(b.qkv.Forward(b.attnNorm.Forward(x)), attending)))
	return nn.Add(x, b.proj.Forward(nn.ReLU(b.fc.Forward(b.norm.Forward(x)))))
}
