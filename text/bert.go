package text

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// BERT is the encoder of BERT (Devlin et al., 2019), whose norms follow attention and MLP,
// under the names of transformers' BertModel, and with it RoBERTa (Liu et al., 2019), XLM-R
// (Conneau et al., 2020) and DistilBERT (Sanh et al., 2019).
type BERT struct {
	Encoder

	Activation nn.Activation // required
	Positions  int           // rows of the position embedding; required
	// Counted says that the first position is row PadID + 1, and that padding takes no
	// part in the count, as in RoBERTa and XLM-R.
	Counted bool
	// ZeroPad says that PadID's embedding counts as zeros, whatever its row holds, as
	// transformers has it for ChineseCLIP.
	ZeroPad    bool
	TokenTypes int // rows of the token type embedding; 0 for none, as in DistilBERT

	// Transform is the width of AltCLIP's transformation, a LayerNorm and a linear layer
	// behind the encoder; 0 for none.
	Transform int
}

// Family is "bert".
func (BERT) Family() string { return "bert" }

// Validate implements [Config].
func (c BERT) Validate() error {
	if err := c.check(PoolFirst, PoolMean, PoolMax, PoolTanh); err != nil {
		return err
	}
	if err := c.checkHeads(); err != nil {
		return err
	}
	if err := c.Activation.Valid(); err != nil {
		return invalid("Activation", "%w", err)
	}
	needs := c.ContextLength
	if c.Counted {
		needs += int(c.PadID) + 1
	}
	switch {
	case c.Positions < needs || c.Positions > 1<<20:
		return invalid("Positions", "is %d, want %d to %d", c.Positions, needs, 1<<20)
	case c.TokenTypes < 0 || c.TokenTypes > 1<<16:
		return invalid("TokenTypes", "is %d, want 0 to %d", c.TokenTypes, 1<<16)
	case c.Transform < 0 || c.Transform > 1<<20:
		return invalid("Transform", "is %d, want 0 to %d", c.Transform, 1<<20)
	case c.Transform > 0 && c.Head == HeadNone && c.Transform != c.EmbedDim:
		return invalid("EmbedDim", "is %d, want Transform %d where Head is none", c.EmbedDim, c.Transform)
	case c.Transform > 0:
		return nil
	}
	return c.checkHead()
}

type bert struct {
	cfg       BERT
	word      *nn.Param // (V, W)
	position  *nn.Param // (Positions, W)
	kind      *nn.Param // (TokenTypes, W); nil without
	norm      *nn.LayerNorm
	blocks    []*bertBlock
	preLN     *nn.LayerNorm // nil without Transform
	transform *nn.Linear
	readout   *readout
}

// New implements [Config].
func (c BERT) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	const embeddings = "transformer.embeddings."
	table := func(name string, rows int) *nn.Param {
		return nn.NewParam(embeddings+name+".weight", rows, c.Width).Normal(0.02)
	}
	t := &bert{
		cfg:      c,
		word:     table("word_embeddings", c.VocabSize),
		position: table("position_embeddings", c.Positions),
		norm:     nn.NewLayerNorm(embeddings+"LayerNorm", c.Width, c.NormEps),
	}
	if c.TokenTypes > 0 {
		t.kind = table("token_type_embeddings", c.TokenTypes)
	}
	for i := range c.Layers {
		t.blocks = append(t.blocks, newBERTBlock(fmt.Sprintf("transformer.encoder.layer.%d.", i), c))
	}
	width := c.Width
	if c.Transform > 0 {
		t.preLN, t.transform = nn.NewLayerNorm("pre_LN", c.Width, c.NormEps), newLinear("transformation", c.Width, c.Transform)
		width = c.Transform
	}
	t.readout = c.newReadout(width)
	return t, nil
}

func (t *bert) Config() Config { return t.cfg }

func (t *bert) Params() []*nn.Param {
	ps := []*nn.Param{t.word, t.position}
	if t.kind != nil {
		ps = append(ps, t.kind)
	}
	ps = append(ps, t.norm.Params()...)
	for _, b := range t.blocks {
		ps = append(ps, paramsOf(b.query, b.key, b.value, b.attnOut, b.attnNorm, b.fc, b.out, b.norm)...)
	}
	if t.preLN != nil {
		ps = append(ps, paramsOf(t.preLN, t.transform)...)
	}
	return append(ps, t.readout.Params()...)
}

func (t *bert) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "text: forward")
	keys := t.cfg.keys(in)
	x := t.norm.Forward(t.embed(in)) // (B, L, W)
	for _, b := range t.blocks {
		x = b.forward(x, nn.Attending{Heads: t.cfg.Heads, Keys: keys})
	}
	if t.preLN != nil {
		x = t.transform.Forward(t.preLN.Forward(x)) // (B, L, Transform)
	}
	return t.readout.forward(x, keys), nil // (B, D)
}

// embed sums words, positions and token types, (B, L, W).
func (t *bert) embed(in Input) *G.Node {
	g := in.Tokens.Graph()
	x := nn.Embedding(in.Tokens, t.word.Node(g))
	if t.cfg.ZeroPad {
		x = nn.OnlyKeys(x, nn.KeysExcept(in.Tokens, t.cfg.PadID))
	}
	if t.kind != nil {
		x = nn.AddKinds(x, in.Types, t.kind.Node(g))
	}
	if t.cfg.Counted {
		return nn.AddCountedPositions(x, in.Tokens, t.position.Node(g), t.cfg.PadID)
	}
	return nn.AddPositions(x, t.position.Node(g))
}

func (t *bert) Depth(param string) int {
	return nn.Depth(param, "transformer.encoder.layer.", t.cfg.Layers, "transformer.embeddings.")
}

type bertBlock struct {
	query, key, value *nn.Linear
	attnOut           *nn.Linear // attention.output.dense
	attnNorm          *nn.LayerNorm
	fc                *nn.Linear // intermediate.dense
	out               *nn.Linear // output.dense
	norm              *nn.LayerNorm
	act               nn.Activation
}

func newBERTBlock(name string, c BERT) *bertBlock {
	return &bertBlock{
		query:    newLinear(name+"attention.self.query", c.Width, c.Width),
		key:      newLinear(name+"attention.self.key", c.Width, c.Width),
		value:    newLinear(name+"attention.self.value", c.Width, c.Width),
		attnOut:  newLinear(name+"attention.output.dense", c.Width, c.Width),
		attnNorm: nn.NewLayerNorm(name+"attention.output.LayerNorm", c.Width, c.NormEps),
		fc:       newLinear(name+"intermediate.dense", c.Width, c.MLPWidth),
		out:      newLinear(name+"output.dense", c.MLPWidth, c.Width),
		norm:     nn.NewLayerNorm(name+"output.LayerNorm", c.Width, c.NormEps),
		act:      c.Activation,
	}
}

// forward maps (B, L, W) to (B, L, W).
func (b *bertBlock) forward(x *G.Node, attending nn.Attending) *G.Node {
	y := nn.JoinColumns(b.query.Forward(x), b.key.Forward(x), b.value.Forward(x)) // (B, L, 3W)
	y = nn.Attend(y, attending)                                                   // (B, L, W)
	x = b.attnNorm.Forward(nn.Add(b.attnOut.Forward(y), x))
	y = nn.Activate(b.act, b.fc.Forward(x)) // (B, L, M)
	return b.norm.Forward(nn.Add(b.out.Forward(y), x))
}
