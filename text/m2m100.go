package text

import (
	"fmt"
	"math"
	"sync"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// M2M100 is the encoder of M2M-100 and NLLB (Fan et al., 2021; NLLB Team, 2022) under the
// names of transformers: fixed sinusoidal positions, norms in front of attention and MLP,
// ReLU.
type M2M100 struct {
	Encoder

	// ScaleEmbedding multiplies token embeddings by √Width.
	ScaleEmbedding bool
}

// Family is "m2m_100".
func (M2M100) Family() string { return "m2m_100" }

// Validate implements [Config].
func (c M2M100) Validate() error {
	if err := c.check(PoolFirst, PoolMean, PoolMax); err != nil {
		return err
	}
	if err := c.checkHeads(); err != nil {
		return err
	}
	switch {
	case c.Width%2 != 0:
		return invalid("Width", "is %d, want an even number", c.Width)
	case c.PadID > 1<<16:
		return invalid("PadID", "is %d, want at most %d, as positions are counted from there", c.PadID, 1<<16)
	}
	return c.checkHead()
}

type m2m100 struct {
	cfg       M2M100
	embed     *nn.Param        // (V, W)
	positions func() []float32 // (PadID+1+ContextLength, W), made at the first use
	blocks    []*m2mBlock
	norm      *nn.LayerNorm
	readout   *readout
}

// New implements [Config].
func (c M2M100) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &m2m100{
		cfg:       c,
		embed:     nn.NewParam("transformer.embed_tokens.weight", c.VocabSize, c.Width).Normal(1 / math.Sqrt(float64(c.Width))),
		positions: sync.OnceValue(func() []float32 { return nn.Sinusoids(c.positions(), c.Width, int(c.PadID)) }),
		norm:      nn.NewLayerNorm("transformer.layer_norm", c.Width, c.NormEps),
		readout:   c.newReadout(c.Width),
	}
	for i := range c.Layers {
		t.blocks = append(t.blocks, newM2MBlock(fmt.Sprintf("transformer.layers.%d.", i), c))
	}
	return t, nil
}

// positions is how many rows the table of positions has.
func (c M2M100) positions() int { return int(c.PadID) + 1 + c.ContextLength }

func (t *m2m100) Config() Config { return t.cfg }

func (t *m2m100) Params() []*nn.Param {
	ps := []*nn.Param{t.embed}
	for _, b := range t.blocks {
		ps = append(ps, paramsOf(b.key, b.value, b.query, b.out, b.attnNorm, b.fc1, b.fc2, b.norm)...)
	}
	return append(ps, paramsOf(t.norm, t.readout)...)
}

func (t *m2m100) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "text: forward")
	g := in.Tokens.Graph()
	keys := t.cfg.keys(in)
	x := nn.Embedding(in.Tokens, t.embed.Node(g)) // (B, L, W)
	if t.cfg.ScaleEmbedding {
		x = nn.Scale(x, float32(math.Sqrt(float64(t.cfg.Width))))
	}
	table := nn.Leaf(g, fmt.Sprintf("positions@%p", t), t.positions(), t.cfg.positions(), t.cfg.Width)
	x = nn.AddCountedPositions(x, in.Tokens, table, t.cfg.PadID)
	for _, b := range t.blocks {
		x = b.forward(x, nn.Attending{Heads: t.cfg.Heads, Keys: keys})
	}
	return t.readout.forward(t.norm.Forward(x), keys), nil // (B, D)
}

func (t *m2m100) Depth(param string) int {
	return nn.Depth(param, "transformer.layers.", t.cfg.Layers, "transformer.embed_tokens.")
}

type m2mBlock struct {
	attnNorm          *nn.LayerNorm // self_attn_layer_norm
	query, key, value *nn.Linear
	out               *nn.Linear
	norm              *nn.LayerNorm // final_layer_norm
	fc1, fc2          *nn.Linear
}

func newM2MBlock(name string, c M2M100) *m2mBlock {
	return &m2mBlock{
		attnNorm: nn.NewLayerNorm(name+"self_attn_layer_norm", c.Width, c.NormEps),
		query:    newLinear(name+"self_attn.q_proj", c.Width, c.Width),
		key:      newLinear(name+"self_attn.k_proj", c.Width, c.Width),
		value:    newLinear(name+"self_attn.v_proj", c.Width, c.Width),
		out:      newLinear(name+"self_attn.out_proj", c.Width, c.Width),
		norm:     nn.NewLayerNorm(name+"final_layer_norm", c.Width, c.NormEps),
		fc1:      newLinear(name+"fc1", c.Width, c.MLPWidth),
		fc2:      newLinear(name+"fc2", c.MLPWidth, c.Width),
	}
}

// forward maps (B, L, W) to (B, L, W).
func (b *m2mBlock) forward(x *G.Node, attending nn.Attending) *G.Node {
	y := b.attnNorm.Forward(x)
	y = nn.JoinColumns(b.query.Forward(y), b.key.Forward(y), b.value.Forward(y)) // (B, L, 3W)
	x = nn.Add(x, b.out.Forward(nn.Attend(y, attending)))
	y = nn.ReLU(b.fc1.Forward(b.norm.Forward(x))) // (B, L, M)
	return nn.Add(x, b.fc2.Forward(y))
}
