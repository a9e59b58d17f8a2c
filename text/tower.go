// Package text is the language side of CLIP: the transformer that turns token
// ids into features, and the tokenizer that turns captions into ids.
package text

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Param is a named tensor of weights, shared by all graphs of a tower.
type Param = nn.Param

// Tower is CLIP's text transformer (Radford et al., 2021). Building graphs from
// several goroutines is safe; running a graph while its parameters are written
// to is not.
type Tower struct {
	cfg        Config
	tokenEmbed *Param // (V, W)
	posEmbed   *Param // (L, W)
	blocks     *nn.Transformer
	lnFinal    *nn.LayerNorm
	proj       *Param     // (W, D); nil with ProjBias
	projLinear *nn.Linear // (D, W) and bias; nil without ProjBias
}

// New returns a tower with random weights drawn from seed.
func New(cfg Config, seed uint64) (*Tower, error) {
	t, err := Blank(cfg)
	if err != nil {
		return nil, err
	}
	for _, p := range t.Params() {
		p.Init(seed)
	}
	return t, nil
}

// Blank returns a tower whose parameters have no memory yet, for a checkpoint to
// fill.
func Blank(cfg Config) (*Tower, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	act, _ := nn.ParseActivation(cfg.Activation) // Validate checked it
	t := &Tower{
		cfg:        cfg,
		tokenEmbed: nn.NewParam("token_embedding.weight", cfg.VocabSize, cfg.Width).Normal(0.02),
		posEmbed:   nn.NewParam("positional_embedding", cfg.ContextLength, cfg.Width).Normal(0.01),
		blocks: nn.NewTransformer("transformer", nn.TransformerConfig{
			Width: cfg.Width, Layers: cfg.Layers, Heads: cfg.Heads,
			MLPWidth: nn.MLPWidth(cfg.Width, cfg.MLPRatio), Activation: act, NormEps: cfg.NormEps,
		}),
		lnFinal: nn.NewLayerNorm("ln_final", cfg.Width, cfg.NormEps),
	}
	std := 1 / math.Sqrt(float64(cfg.Width))
	if cfg.ProjBias {
		t.projLinear = nn.NewLinear("text_projection", cfg.Width, cfg.EmbedDim)
		t.projLinear.Weight.Normal(std)
	} else {
		t.proj = nn.NewParam("text_projection", cfg.Width, cfg.EmbedDim).Normal(std)
	}
	return t, nil
}

// Config returns the tower's configuration.
func (t *Tower) Config() Config { return t.cfg }

// Params lists the tower's parameters under open_clip's names, in a fixed order.
func (t *Tower) Params() []*Param {
	ps := append([]*Param{t.posEmbed, t.tokenEmbed}, t.blocks.Params()...)
	ps = append(ps, t.lnFinal.Params()...)
	if t.projLinear != nil {
		return append(ps, t.projLinear.Params()...)
	}
	return append(ps, t.proj)
}

// Linears lists the tower's linear layers, the blocks' in front.
func (t *Tower) Linears() []*nn.Linear {
	if t.projLinear != nil {
		return append(t.blocks.Linears(), t.projLinear)
	}
	return t.blocks.Linears()
}

// Forward adds the tower to the graph of tokens, (B, L) int32 with L at most the
// context length, and of last, (B) int32, which [Config.Last] computes. It
// returns unnormalised features, (B, D). An id outside the vocabulary is an
// error when the graph runs.
//
// Where [Config.Trims] holds, a shorter L that still covers every last position
// gives the same features, bit for bit, for less work.
func (t *Tower) Forward(tokens, last *G.Node) (features *G.Node, err error) {
	defer nn.Catch(&err, "text: forward")
	g := tokens.Graph()
	x := nn.Embedding(tokens, t.tokenEmbed.Node(g)) // (B, L, W)
	x = nn.AddPositions(x, t.posEmbed.Node(g))
	x = t.pool(x, last) // (B, W)
	if t.projLinear != nil {
		return t.projLinear.Forward(x), nil // (B, D)
	}
	return nn.MatMul(x, t.proj.Node(g)), nil // (B, D)
}

func (t *Tower) mask() nn.Mask {
	switch t.cfg.Mask {
	case "causal":
		return nn.Causal
	case "padding":
		return nn.Padding
	}
	return nn.NoMask
}

// pool runs the blocks, reduces the tokens to one vector and applies ln_final.
func (t *Tower) pool(x, last *G.Node) *G.Node {
	if t.cfg.Pool == "mean" {
		x = t.blocks.Forward(x, t.mask(), last, nil)
		return nn.MeanThrough(t.lnFinal.Forward(x), last)
	}
	x = t.blocks.Forward(x, t.mask(), last, func(x *G.Node) *G.Node { return nn.TokenAt(x, last) }) // (B, W)
	return t.lnFinal.Forward(x)
}
