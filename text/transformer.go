package text

import (
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/nn"
)

// Transformer is CLIP's text tower (Radford et al., 2021, section 2.4) with the
// settings that open_clip has for it. The text towers of SigLIP and CLIPA are of
// this family too. The fields marked required have no default: checkpoints of one
// shape differ in them.
type Transformer struct {
	ContextLength int // maximum number of tokens; required
	VocabSize     int // rows of the token embedding; required
	Width         int // of the residual stream; required
	Layers        int // blocks; required
	Heads         int // of attention, a divisor of Width; required
	EmbedDim      int // size of the features; required

	MLPRatio   float64       `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes
	Activation nn.Activation // required
	NormEps    float64       // LayerNorm's epsilon; required

	Mask       Mask  // which tokens a token attends to; required
	Pool       Pool  // how the output tokens are pooled; required
	EOSTokenID int32 // read by PoolEOS, PoolMean and MaskPadding

	// Proj is how the pooled vector is projected to the feature.
	Proj Proj
}

// Mask says which tokens a token attends to.
type Mask uint8

const (
	// MaskCausal: itself and the tokens before it.
	MaskCausal Mask = iota + 1
	// MaskNone: every position, padding included, as in SigLIP.
	MaskNone
	// MaskPadding: every token up to the end token.
	MaskPadding
)

func maskNames() map[Mask]string {
	return map[Mask]string{MaskCausal: "causal", MaskNone: "none", MaskPadding: "padding"}
}

// String returns the name used in files.
func (m Mask) String() string { return enum.String(m, maskNames()) }

// MarshalText returns the name; an invalid Mask is an error.
func (m Mask) MarshalText() ([]byte, error) { return enum.Marshal(m, maskNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (m *Mask) UnmarshalText(text []byte) error { return enum.Unmarshal(m, text, maskNames()) }

func (m Mask) layer() nn.Mask {
	switch m {
	case MaskCausal:
		return nn.Causal
	case MaskPadding:
		return nn.Padding
	}
	return nn.NoMask
}

// Pool says how the output tokens are pooled into one feature vector.
type Pool uint8

const (
	PoolArgmax Pool = iota + 1 // the first token with the highest id, which in CLIP's vocabulary is the end token
	PoolEOS                    // the first EOSTokenID; position 0 where there is none
	PoolFirst                  // position 0
	PoolLast                   // the last position of the context, padding or not
	PoolMean                   // the mean of the positions up to the end token; of an [Encoder] all tokens but padding
	PoolMax                    // of each channel the largest number, of all tokens but padding
	PoolTanh                   // position 0 through BERT's pooler, a linear layer and tanh
	PoolMap                    // what a learned query finds by attention (Lee et al., 2019)
)

func poolNames() map[Pool]string {
	return map[Pool]string{
		PoolArgmax: "argmax", PoolEOS: "eos", PoolFirst: "first", PoolLast: "last", PoolMean: "mean",
		PoolMax: "max", PoolTanh: "tanh", PoolMap: "map",
	}
}

// among refuses a Pool that a family does not have.
func (p Pool) among(known ...Pool) error {
	names := map[Pool]string{}
	for _, k := range known {
		names[k] = poolNames()[k]
	}
	if err := enum.Valid(p, names); err != nil {
		return invalid("Pool", "%w", err)
	}
	return nil
}

// String returns open_clip's name for it.
func (p Pool) String() string { return enum.String(p, poolNames()) }

// MarshalText returns the name; an invalid Pool is an error.
func (p Pool) MarshalText() ([]byte, error) { return enum.Marshal(p, poolNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (p *Pool) UnmarshalText(text []byte) error { return enum.Unmarshal(p, text, poolNames()) }

// Proj says how the pooled vector is projected to the feature.
type Proj uint8

const (
	ProjMatrix Proj = iota // the matrix text_projection, (W, D), as in CLIP
	ProjLinear             // a linear layer with bias, as in SigLIP
	ProjNone               // no projection
)

func projNames() map[Proj]string {
	return map[Proj]string{ProjMatrix: "matrix", ProjLinear: "linear", ProjNone: "none"}
}

// String returns the name used in files.
func (p Proj) String() string { return enum.String(p, projNames()) }

// MarshalText returns the name; an invalid Proj is an error.
func (p Proj) MarshalText() ([]byte, error) { return enum.Marshal(p, projNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (p *Proj) UnmarshalText(text []byte) error { return enum.Unmarshal(p, text, projNames()) }

// Family is "transformer".
func (Transformer) Family() string { return "transformer" }

// Dims implements [Config].
func (c Transformer) Dims() Dims { return Dims{c.ContextLength, c.VocabSize, c.EmbedDim} }

// Resized implements [Resizer].
func (c Transformer) Resized(contextLength int) Config {
	c.ContextLength = contextLength
	return c
}

// Positions implements [Resizer].
func (c Transformer) Positions() (param string) { return "positional_embedding" }

// Validate implements [Config].
func (c Transformer) Validate() error {
	if err := checkSizes(
		size{"ContextLength", c.ContextLength, 1 << 16}, size{"VocabSize", c.VocabSize, 1 << 24}, size{"Width", c.Width, 1 << 20},
		size{"Layers", c.Layers, 1000}, size{"Heads", c.Heads, 1 << 20}, size{"EmbedDim", c.EmbedDim, 1 << 20},
	); err != nil {
		return err
	}
	if err := c.Pool.among(PoolArgmax, PoolEOS, PoolFirst, PoolLast, PoolMean); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		err  error
	}{
		{"Activation", c.Activation.Valid()}, {"Mask", enum.Valid(c.Mask, maskNames())},
		{"Proj", enum.Valid(c.Proj, projNames())},
	} {
		if f.err != nil {
			return invalid(f.name, "%w", f.err)
		}
	}
	switch {
	case c.Width%c.Heads != 0:
		return invalid("Heads", "is %d, which does not divide Width %d", c.Heads, c.Width)
	case !(c.NormEps > 0 && c.NormEps < 1):
		return invalid("NormEps", "is %g, want a small positive number", c.NormEps)
	case !(c.MLPRatio >= 0 && c.MLPRatio <= 64):
		return invalid("MLPRatio", "is %g, want 0 (for 4) to 64", c.MLPRatio)
	case c.Pool == PoolFirst && c.Mask == MaskPadding:
		return invalid("Pool", "is first, beside which Mask padding does not know its end")
	case c.Proj == ProjNone && c.Width != c.EmbedDim:
		return invalid("EmbedDim", "is %d, want Width %d where Proj is none", c.EmbedDim, c.Width)
	}
	return nil
}

// Canonical leaves out EOSTokenID where it is not read: see internal/identity.
func (c Transformer) Canonical() any {
	if c.Pool != PoolEOS && c.Pool != PoolMean && c.Mask != MaskPadding {
		c.EOSTokenID = 0
	}
	return c
}

// Row implements [Config].
func (c Transformer) Row(ids []int32) Row {
	r := Row{Pooled: c.pooled(ids), Length: len(ids)}
	if c.Mask != MaskNone && c.Pool != PoolLast {
		r.Length = r.Pooled + 1
	}
	return r
}

func (c Transformer) pooled(ids []int32) int {
	switch c.Pool {
	case PoolArgmax:
		best := 0
		for i, id := range ids {
			if id > ids[best] {
				best = i
			}
		}
		return best
	case PoolFirst:
		return 0
	case PoolLast:
		return len(ids) - 1
	}
	// Where the end token is missing the reference's argmax over "is it EOS?"
	// answers 0.
	return max(slices.Index(ids, c.EOSTokenID), 0)
}

func (c Transformer) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: c.Activation, NormEps: c.NormEps, Names: nn.CLIPNames(),
	}
}

// MultiplyAdds implements [nn.Coster].
func (c Transformer) MultiplyAdds() float64 {
	blocks := c.blocks()
	n := blocks.MultiplyAdds(c.ContextLength)
	if c.Proj != ProjNone {
		n += float64(c.Width) * float64(c.EmbedDim)
	}
	return n
}

type transformer struct {
	cfg        Transformer
	tokenEmbed *nn.Param // (V, W)
	posEmbed   *nn.Param // (L, W)
	blocks     *nn.Transformer
	lnFinal    *nn.LayerNorm
	proj       *nn.Param  // (W, D); nil unless Proj is ProjMatrix
	projLinear *nn.Linear // (D, W) and bias; nil unless Proj is ProjLinear
}

// New implements [Config].
func (c Transformer) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &transformer{
		cfg:        c,
		tokenEmbed: nn.NewParam("token_embedding.weight", c.VocabSize, c.Width).Normal(0.02),
		posEmbed:   nn.NewParam("positional_embedding", c.ContextLength, c.Width).Normal(0.01),
		blocks:     nn.NewTransformer("transformer", c.blocks()),
		lnFinal:    nn.NewLayerNorm("ln_final", c.Width, c.NormEps),
	}
	std := 1 / math.Sqrt(float64(c.Width))
	switch c.Proj {
	case ProjMatrix:
		t.proj = nn.NewProjection("text_projection", c.Width, c.EmbedDim).Normal(std)
	case ProjLinear:
		t.projLinear = nn.NewLinear("text_projection", c.Width, c.EmbedDim)
		t.projLinear.Weight.Normal(std)
	}
	return t, nil
}

func (t *transformer) Config() Config { return t.cfg }

func (t *transformer) Params() []*nn.Param {
	ps := append([]*nn.Param{t.posEmbed, t.tokenEmbed}, t.blocks.Params()...)
	ps = append(ps, t.lnFinal.Params()...)
	if t.projLinear != nil {
		ps = append(ps, t.projLinear.Params()...)
	}
	if t.proj != nil {
		ps = append(ps, t.proj)
	}
	return ps
}

func (t *transformer) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "text: forward")
	g := in.Tokens.Graph()
	x := nn.Embedding(in.Tokens, t.tokenEmbed.Node(g)) // (B, L, W)
	x = nn.AddPositions(x, t.posEmbed.Node(g))
	x = t.attend(x, in) // of one position (B, W)
	x = t.lnFinal.Forward(x)
	switch {
	case t.cfg.Pool == PoolMean && in.Mask != nil:
		x = nn.MeanOf(x, nn.KeysExcept(in.Mask, 0)) // (B, W)
	case t.cfg.Pool == PoolMean:
		x = nn.MeanThrough(x, in.Pooled) // (B, W)
	}
	return t.project(x), nil // (B, D)
}

// attend applies the blocks.
func (t *transformer) attend(x *G.Node, in Input) *G.Node {
	if in.Mask == nil {
		return t.blocks.Forward(x, t.cfg.Mask.layer(), in.Pooled, t.pick(in.Pooled))
	}
	attending := nn.Attending{Heads: t.cfg.Heads, Causal: t.cfg.Mask == MaskCausal, Keys: nn.KeysExcept(in.Mask, 0)}
	return t.blocks.ForwardWith(x, func(_ int, qkv *G.Node) *G.Node { return nn.Attend(qkv, attending) }, t.pick(in.Pooled))
}

// pick is what the last block computes of all tokens.
func (t *transformer) pick(pooled *G.Node) func(*G.Node) *G.Node {
	if t.cfg.Pool == PoolMean {
		return nil
	}
	return func(x *G.Node) *G.Node { return nn.TokenAt(x, pooled) }
}

func (t *transformer) project(x *G.Node) *G.Node {
	switch t.cfg.Proj {
	case ProjLinear:
		return t.projLinear.Forward(x)
	case ProjMatrix:
		return nn.MatMul(x, t.proj.Node(x.Graph()))
	}
	return x
}

func (t *transformer) Depth(param string) int {
	return nn.Depth(param, "transformer.resblocks.", t.cfg.Layers, "token_embedding.", "positional_embedding")
}
