package text

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// T5 is the encoder of T5 and mT5 (Raffel et al., 2020; Xue et al., 2021) under the names
// of transformers: no positions but a bias of the scores by distance, which all layers
// share, RMS norms in front of attention and MLP, and no biases.
type T5 struct {
	Encoder

	HeadWidth   int // d_kv: Heads·HeadWidth need not be Width; required
	Buckets     int // rows of the table of distances, a multiple of 4; required
	MaxDistance int // from which on distances share a row; required
	// Gated says that the MLP is gated by GELU's tanh form, as from T5 1.1 on and in mT5.
	// Otherwise it has ReLU.
	Gated bool
}

// Family is "t5".
func (T5) Family() string { return "t5" }

// Validate implements [Config].
func (c T5) Validate() error {
	if err := c.check(PoolFirst, PoolMean, PoolMax); err != nil {
		return err
	}
	if err := checkSizes(size{"HeadWidth", c.HeadWidth, 1 << 16}, size{"Buckets", c.Buckets, 1 << 16}, size{"MaxDistance", c.MaxDistance, 1 << 20}); err != nil {
		return err
	}
	switch {
	case c.Heads > (1<<20)/c.HeadWidth:
		return invalid("Heads", "are %d of HeadWidth %d, want a width of at most %d", c.Heads, c.HeadWidth, 1<<20)
	case c.Buckets%4 != 0:
		return invalid("Buckets", "is %d, want a multiple of 4", c.Buckets)
	case c.MaxDistance <= c.Buckets/4:
		return invalid("MaxDistance", "is %d, want more than a quarter of Buckets %d", c.MaxDistance, c.Buckets)
	}
	return c.checkHead()
}

type t5 struct {
	cfg       T5
	embed     *nn.Param // (V, W)
	distances *nn.Param // (Buckets, Heads)
	blocks    []*t5Block
	norm      *nn.RMSNorm
	readout   *readout
}

// New implements [Config].
func (c T5) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &t5{
		cfg:       c,
		embed:     nn.NewParam("transformer.embed_tokens.weight", c.VocabSize, c.Width).Normal(1),
		distances: nn.NewParam("transformer.block.0.layer.0.SelfAttention.relative_attention_bias.weight", c.Buckets, c.Heads).Normal(0.1),
		norm:      nn.NewRMSNorm("transformer.final_layer_norm", c.Width, c.NormEps),
		readout:   c.newReadout(c.Width),
	}
	for i := range c.Layers {
		t.blocks = append(t.blocks, newT5Block(fmt.Sprintf("transformer.block.%d.layer.", i), c))
	}
	return t, nil
}

func (t *t5) Config() Config { return t.cfg }

func (t *t5) Params() []*nn.Param {
	ps := []*nn.Param{t.embed}
	for i, b := range t.blocks {
		ps = append(ps, paramsOf(b.query, b.key, b.value, b.out)...)
		if i == 0 {
			ps = append(ps, t.distances)
		}
		ps = append(ps, b.attnNorm.Params()...)
		for _, l := range b.in {
			ps = append(ps, l.Params()...)
		}
		ps = append(ps, paramsOf(b.wo, b.norm)...)
	}
	return append(ps, paramsOf(t.norm, t.readout)...)
}

func (t *t5) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "text: forward")
	g := in.Tokens.Graph()
	x := nn.Embedding(in.Tokens, t.embed.Node(g)) // (B, L, W)
	attending := nn.Attending{
		Heads: t.cfg.Heads, Unscaled: true, Keys: t.cfg.keys(in),
		Bias: nn.DistanceBuckets(t.distances.Node(g), x.Shape()[1], t.cfg.MaxDistance), // (H, L, L)
	}
	for _, b := range t.blocks {
		x = b.forward(x, attending)
	}
	return t.readout.forward(t.norm.Forward(x), attending.Keys), nil // (B, D)
}

// MultiplyAdds implements [nn.Coster].
func (c T5) MultiplyAdds() float64 {
	n := c.Encoder.MultiplyAdds()
	w, inner, l, layers := float64(c.Width), float64(c.Heads*c.HeadWidth), float64(c.ContextLength), float64(c.Layers)
	n += layers * l * (inner - w) * (4*w + 2*l) // attention is as wide as its heads
	if c.Gated {
		n += layers * l * w * float64(c.MLPWidth)
	}
	return n
}

func (t *t5) Depth(param string) int {
	return nn.Depth(param, "transformer.block.", t.cfg.Layers, "transformer.embed_tokens.")
}

type t5Block struct {
	attnNorm          *nn.RMSNorm
	query, key, value *nn.Linear
	out               *nn.Linear
	norm              *nn.RMSNorm
	in                []*nn.Linear // wi, or the gate wi_0 and what it gates, wi_1
	wo                *nn.Linear
}

func newT5Block(name string, c T5) *t5Block {
	inner := c.Heads * c.HeadWidth
	b := &t5Block{
		attnNorm: nn.NewRMSNorm(name+"0.layer_norm", c.Width, c.NormEps),
		query:    newMatrix(name+"0.SelfAttention.q", c.Width, inner),
		key:      newMatrix(name+"0.SelfAttention.k", c.Width, inner),
		value:    newMatrix(name+"0.SelfAttention.v", c.Width, inner),
		out:      newMatrix(name+"0.SelfAttention.o", inner, c.Width),
		norm:     nn.NewRMSNorm(name+"1.layer_norm", c.Width, c.NormEps),
		wo:       newMatrix(name+"1.DenseReluDense.wo", c.MLPWidth, c.Width),
	}
	// Scores are not divided by √d, so queries are that much smaller.
	b.query.Weight.Normal(1 / math.Sqrt(float64(c.Width)*float64(c.HeadWidth)))
	for _, part := range map[bool][]string{false: {"wi"}, true: {"wi_0", "wi_1"}}[c.Gated] {
		b.in = append(b.in, newMatrix(name+"1.DenseReluDense."+part, c.Width, c.MLPWidth))
	}
	return b
}

// forward maps (B, L, W) to (B, L, W).
func (b *t5Block) forward(x *G.Node, attending nn.Attending) *G.Node {
	y := b.attnNorm.Forward(x)
	y = nn.JoinColumns(b.query.Forward(y), b.key.Forward(y), b.value.Forward(y)) // (B, L, 3·H·HeadWidth)
	x = nn.Add(x, b.out.Forward(nn.Attend(y, attending)))
	y = b.norm.Forward(x)
	if len(b.in) == 2 {
		y = nn.Mul(nn.Activate(nn.GELUTanh, b.in[0].Forward(y)), b.in[1].Forward(y)) // (B, L, M)
	} else {
		y = nn.ReLU(b.in[0].Forward(y))
	}
	return nn.Add(x, b.wo.Forward(y))
}
