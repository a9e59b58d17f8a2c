package text

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// ModernBERT is the encoder of ModernBERT (Warner et al., 2024) under the names of
// transformers: rotary positions, norms in front of attention and MLP, MLPs gated by exact
// GELU, no biases, and attention to near tokens only in most layers.
type ModernBERT struct {
	Encoder

	GlobalEvery int     // each so-manieth layer, from the first on, attends to all tokens; required
	Window      int     // how far the others see; required
	GlobalBase  float64 // of the rotary frequencies in layers that see everything; required
	LocalBase   float64 // of those in the others; required
}

// Family is "modernbert".
func (ModernBERT) Family() string { return "modernbert" }

// Validate implements [Config].
func (c ModernBERT) Validate() error {
	if err := c.check(PoolFirst, PoolMean, PoolMax); err != nil {
		return err
	}
	if err := c.checkHeads(); err != nil {
		return err
	}
	if err := checkSizes(size{"GlobalEvery", c.GlobalEvery, 1000}, size{"Window", c.Window, 1 << 20}); err != nil {
		return err
	}
	switch {
	case c.Width/c.Heads%2 != 0:
		return invalid("Heads", "are %d wide, want an even number", c.Width/c.Heads)
	case !(c.GlobalBase > 1 && c.GlobalBase <= 1e12):
		return invalid("GlobalBase", "is %g, want more than 1", c.GlobalBase)
	case !(c.LocalBase > 1 && c.LocalBase <= 1e12):
		return invalid("LocalBase", "is %g, want more than 1", c.LocalBase)
	}
	return c.checkHead()
}

// MultiplyAdds implements [nn.Coster]. It counts the scores that windows leave out, too.
func (c ModernBERT) MultiplyAdds() float64 {
	gates := float64(c.Layers*c.ContextLength) * float64(c.Width) * float64(c.MLPWidth)
	return c.Encoder.MultiplyAdds() + gates
}

type modernBERT struct {
	cfg       ModernBERT
	embed     *nn.Param // (V, W)
	embedNorm *nn.LayerNorm
	blocks    []*modernBERTBlock
	norm      *nn.LayerNorm
	readout   *readout
}

// New implements [Config].
func (c ModernBERT) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &modernBERT{
		cfg:       c,
		embed:     nn.NewParam("transformer.embeddings.tok_embeddings.weight", c.VocabSize, c.Width).Normal(0.02),
		embedNorm: c.newNorm("embeddings.norm"),
		norm:      c.newNorm("final_norm"),
		readout:   c.newReadout(c.Width),
	}
	for i := range c.Layers {
		t.blocks = append(t.blocks, newModernBERTBlock(i, c))
	}
	return t, nil
}

// newNorm is a LayerNorm without bias.
func (c ModernBERT) newNorm(name string) *nn.LayerNorm {
	n := nn.NewLayerNorm("transformer."+name, c.Width, c.NormEps)
	n.Bias = nil
	return n
}

func (t *modernBERT) Config() Config { return t.cfg }

func (t *modernBERT) Params() []*nn.Param {
	ps := append([]*nn.Param{t.embed}, t.embedNorm.Params()...)
	for _, b := range t.blocks {
		if b.attnNorm != nil {
			ps = append(ps, b.attnNorm.Params()...)
		}
		ps = append(ps, paramsOf(b.qkv, b.out, b.norm, b.in, b.wo)...)
	}
	return append(ps, paramsOf(t.norm, t.readout)...)
}

func (t *modernBERT) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "text: forward")
	c, keys := t.cfg, t.cfg.keys(in)
	x := t.embedNorm.Forward(nn.Embedding(in.Tokens, t.embed.Node(in.Tokens.Graph()))) // (B, L, W)
	for i, b := range t.blocks {
		rotary := nn.RotaryLine{Head: c.Width / c.Heads, Base: c.LocalBase, Halves: true}
		attending := nn.Attending{Heads: c.Heads, Keys: keys, Window: c.Window}
		if i%c.GlobalEvery == 0 {
			rotary.Base, attending.Window = c.GlobalBase, 0
		}
		x = b.forward(x, rotary, attending)
	}
	return t.readout.forward(t.norm.Forward(x), keys), nil // (B, D)
}

func (t *modernBERT) Depth(param string) int {
	return nn.Depth(param, "transformer.layers.", t.cfg.Layers, "transformer.embeddings.")
}

type modernBERTBlock struct {
	attnNorm *nn.LayerNorm // nil in the first, behind the norm of the embeddings
	qkv      *nn.Linear    // attn.Wqkv
	out      *nn.Linear    // attn.Wo
	norm     *nn.LayerNorm
	in       *nn.Linear // mlp.Wi: the gate and what it gates
	wo       *nn.Linear // mlp.Wo
}

func newModernBERTBlock(i int, c ModernBERT) *modernBERTBlock {
	layer := fmt.Sprintf("layers.%d.", i)
	name := "transformer." + layer
	b := &modernBERTBlock{
		qkv:  newMatrix(name+"attn.Wqkv", c.Width, 3*c.Width),
		out:  newMatrix(name+"attn.Wo", c.Width, c.Width),
		norm: c.newNorm(layer + "mlp_norm"),
		in:   newMatrix(name+"mlp.Wi", c.Width, 2*c.MLPWidth),
		wo:   newMatrix(name+"mlp.Wo", c.MLPWidth, c.Width),
	}
	if i > 0 {
		b.attnNorm = c.newNorm(layer + "attn_norm")
	}
	return b
}

// forward maps (B, L, W) to (B, L, W).
func (b *modernBERTBlock) forward(x *G.Node, rotary nn.RotaryLine, attending nn.Attending) *G.Node {
	y := x
	if b.attnNorm != nil {
		y = b.attnNorm.Forward(x)
	}
	y = nn.Attend(rotary.Forward(b.qkv.Forward(y)), attending) // (B, L, W)
	x = nn.Add(x, b.out.Forward(y))
	y = b.in.Forward(b.norm.Forward(x)) // (B, L, 2M)
	m := y.Shape()[2] / 2
	y = nn.Mul(nn.Activate(nn.GELU, nn.Columns(y, 0, m)), nn.Columns(y, m, m)) // (B, L, M)
	return nn.Add(x, b.wo.Forward(y))
}
