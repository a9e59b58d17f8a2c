package text

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/nn"
)

// Modern is open_clip's text tower of text_arch "modern" (transformer.py at 89fb801,
// ModernTextTransformer): rotary positions, RMS norms in front of attention and a SwiGLU
// MLP, no biases.
type Modern struct {
	ContextLength int // maximum number of tokens; required
	VocabSize     int // rows of the token embedding; required
	Width         int // of the residual stream; required
	Layers        int // blocks; required
	Heads         int // of attention, each of an even width; required
	EmbedDim      int // size of the features; required

	MLPRatio   float64 `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes
	NormEps    float64 // epsilon of the norms; required
	RotaryBase float64 // of the frequencies; required

	QKNorm bool // queries and keys are normalised, each head by itself
	Gated  bool // attention's output is gated, by a sigmoid of its input

	// Mask is MaskCausal, or MaskPadding, where every token sees all that are not PadID.
	Mask Mask
	// Pool is PoolEOS, which takes the last token that is not PadID where there is no
	// EOSTokenID, PoolMean or PoolMap.
	Pool       Pool
	PadID      int32
	EOSTokenID int32 // read by PoolEOS

	Head Head // HeadLinear, HeadBias or HeadNone; required
}

// Family is "modern".
func (Modern) Family() string { return "modern" }

// Dims implements [Config].
func (c Modern) Dims() Dims { return Dims{c.ContextLength, c.VocabSize, c.EmbedDim} }

// Validate implements [Config].
func (c Modern) Validate() error {
	if err := checkSizes(
		size{"ContextLength", c.ContextLength, 1 << 16}, size{"VocabSize", c.VocabSize, 1 << 24}, size{"Width", c.Width, 1 << 20},
		size{"Layers", c.Layers, 1000}, size{"Heads", c.Heads, 1 << 20}, size{"EmbedDim", c.EmbedDim, 1 << 20},
	); err != nil {
		return err
	}
	if err := c.Pool.among(PoolEOS, PoolMean, PoolMap); err != nil {
		return err
	}
	heads := map[Head]string{HeadNone: "none", HeadLinear: "linear", HeadBias: "linear_bias"}
	masks := map[Mask]string{MaskCausal: "causal", MaskPadding: "padding"}
	if err := enum.Valid(c.Mask, masks); err != nil {
		return invalid("Mask", "%w", err)
	}
	if err := enum.Valid(c.Head, heads); err != nil {
		return invalid("Head", "%w", err)
	}
	switch {
	case c.Width%c.Heads != 0 || c.Width/c.Heads%2 != 0:
		return invalid("Heads", "is %d, which does not divide Width %d into even parts", c.Heads, c.Width)
	case !(c.NormEps > 0 && c.NormEps < 1):
		return invalid("NormEps", "is %g, want a small positive number", c.NormEps)
	case !(c.MLPRatio >= 0 && c.MLPRatio <= 64) || nn.MLPWidth(c.Width, c.MLPRatio) < 1:
		return invalid("MLPRatio", "is %g, want 0 (for 4) to 64", c.MLPRatio)
	case !(c.RotaryBase > 1 && c.RotaryBase <= 1e12):
		return invalid("RotaryBase", "is %g, want more than 1", c.RotaryBase)
	case c.Head == HeadNone && c.Width != c.EmbedDim:
		return invalid("EmbedDim", "is %d, want Width %d where Head is none", c.EmbedDim, c.Width)
	}
	return nil
}

// Canonical leaves out EOSTokenID where it is not read: see internal/identity.
func (c Modern) Canonical() any {
	if c.Pool != PoolEOS {
		c.EOSTokenID = 0
	}
	return c
}

// Row implements [Config].
func (c Modern) Row(ids []int32) Row {
	last := lastExcept(ids, c.PadID)
	r := Row{Length: last + 1, Pooled: last}
	if c.Pool == PoolEOS {
		if r.Pooled = slices.Index(ids, c.EOSTokenID); r.Pooled < 0 {
			r.Pooled = max(0, len(ids)-1-count(ids, c.PadID))
		}
		if r.Length = max(r.Length, r.Pooled+1); c.Mask == MaskCausal {
			r.Length = r.Pooled + 1
		}
	}
	return r
}

func count(ids []int32, id int32) (n int) {
	for _, v := range ids {
		if v == id {
			n++
		}
	}
	return n
}

// MultiplyAdds implements [nn.Coster].
func (c Modern) MultiplyAdds() float64 {
	w, l, hidden := float64(c.Width), float64(c.ContextLength), nn.MLPWidth(c.Width, c.MLPRatio)
	blocks := nn.TransformerConfig{Width: c.Width, Layers: c.Layers, MLPWidth: hidden}
	n := blocks.MultiplyAdds(c.ContextLength) + float64(c.Layers)*l*w*float64(hidden)
	if c.Gated {
		n += float64(c.Layers) * l * w * w
	}
	if c.Pool == PoolMap {
		n += 2*l*w*w + w*w + 2*l*w
	}
	if c.Head != HeadNone {
		n += w * float64(c.EmbedDim)
	}
	return n
}

type modern struct {
	cfg     Modern
	embed   *nn.Param // (V, W)
	blocks  []*modernBlock
	lnFinal *nn.RMSNorm
	pool    *modernPool // nil unless Pool is PoolMap
	proj    *nn.Linear  // nil where Head is none
}

// New implements [Config].
func (c Modern) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &modern{
		cfg:     c,
		embed:   nn.NewParam("token_embedding.weight", c.VocabSize, c.Width).Normal(0.02),
		lnFinal: nn.NewRMSNorm("ln_final", c.Width, c.NormEps),
	}
	for i := range c.Layers {
		t.blocks = append(t.blocks, newModernBlock(fmt.Sprintf("blocks.%d.", i), c))
	}
	if c.Pool == PoolMap {
		t.pool = newModernPool(c)
	}
	switch c.Head {
	case HeadLinear:
		t.proj = newMatrix("text_projection", c.Width, c.EmbedDim)
	case HeadBias:
		t.proj = newLinear("text_projection", c.Width, c.EmbedDim)
	}
	return t, nil
}

func (t *modern) Config() Config { return t.cfg }

func (t *modern) Params() []*nn.Param {
	ps := []*nn.Param{t.embed}
	for _, b := range t.blocks {
		ps = append(ps, paramsOf(b.norm1, b.qkv, b.qNorm, b.kNorm)...)
		if b.gate != nil {
			ps = append(ps, b.gate.Params()...)
		}
		ps = append(ps, paramsOf(b.proj, b.norm2, b.w12, b.w3)...)
	}
	ps = append(ps, t.lnFinal.Params()...)
	if t.pool != nil {
		ps = append(append(ps, t.pool.query), paramsOf(t.pool.q, t.pool.kv, t.pool.qNorm, t.pool.kNorm)...)
	}
	if t.proj != nil {
		ps = append(ps, t.proj.Params()...)
	}
	return ps
}

func (t *modern) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "text: forward")
	c := t.cfg
	keys := nn.KeysExcept(in.Tokens, c.PadID)
	if in.Mask != nil {
		keys = nn.KeysExcept(in.Mask, 0)
	}
	attending := nn.Attending{Heads: c.Heads, Causal: c.Mask == MaskCausal}
	if c.Mask == MaskPadding || in.Mask != nil {
		attending.Keys = keys
	}
	rotary := nn.RotaryLine{Head: c.Width / c.Heads, Base: c.RotaryBase}
	x := nn.Embedding(in.Tokens, t.embed.Node(in.Tokens.Graph())) // (B, L, W)
	for _, b := range t.blocks {
		x = b.forward(x, rotary, attending)
	}
	x = t.lnFinal.Forward(x)
	switch c.Pool {
	case PoolEOS:
		x = nn.TokenAt(x, in.Pooled) // (B, W)
	case PoolMean:
		x = nn.MeanOf(x, keys)
	case PoolMap:
		x = t.pool.forward(x, keys)
	}
	if t.proj != nil {
		x = t.proj.Forward(x) // (B, D)
	}
	return x, nil
}

func (t *modern) Depth(param string) int {
	return nn.Depth(param, "blocks.", t.cfg.Layers, "token_embedding.")
}

type modernBlock struct {
	norm1        *nn.RMSNorm
	qkv          *nn.Linear
	qNorm, kNorm *nn.RMSNorm // of heads; nil without QKNorm
	gate         *nn.Linear  // nil unless Gated
	proj         *nn.Linear
	norm2        *nn.RMSNorm
	w12, w3      *nn.Linear
}

func newModernBlock(name string, c Modern) *modernBlock {
	hidden := nn.MLPWidth(c.Width, c.MLPRatio)
	b := &modernBlock{
		norm1: nn.NewRMSNorm(name+"norm1", c.Width, c.NormEps),
		qkv:   newMatrix(name+"attn.qkv", c.Width, 3*c.Width),
		proj:  newMatrix(name+"attn.proj", c.Width, c.Width),
		norm2: nn.NewRMSNorm(name+"norm2", c.Width, c.NormEps),
		w12:   newMatrix(name+"mlp.w12", c.Width, 2*hidden),
		w3:    newMatrix(name+"mlp.w3", hidden, c.Width),
	}
	shrink := 1 / math.Sqrt(2*float64(c.Layers)*float64(c.Width))
	b.proj.Weight.Normal(shrink)
	b.w3.Weight.Normal(shrink)
	if c.QKNorm {
		b.qNorm = nn.NewRMSNorm(name+"attn.q_norm", c.Width/c.Heads, c.NormEps)
		b.kNorm = nn.NewRMSNorm(name+"attn.k_norm", c.Width/c.Heads, c.NormEps)
	}
	if c.Gated {
		b.gate = newMatrix(name+"attn.gate", c.Width, c.Width)
	}
	return b
}

// forward maps (B, L, W) to (B, L, W).
func (b *modernBlock) forward(x *G.Node, rotary nn.RotaryLine, attending nn.Attending) *G.Node {
	y := b.norm1.Forward(x)
	a := nn.Attend(rotary.Forward(b.project(y)), attending) // (B, L, W)
	if b.gate != nil {
		a = nn.SigmoidGate(b.gate.Forward(y), a)
	}
	x = nn.Add(x, b.proj.Forward(a))
	y = b.w12.Forward(b.norm2.Forward(x)) // (B, L, 2M)
	m := y.Shape()[2] / 2
	y = nn.SwiGLU(nn.Columns(y, m, m), nn.Columns(y, 0, m)) // (B, L, M)
	return nn.Add(x, b.w3.Forward(y))
}

// project maps (B, L, W) to packed queries, keys and values, (B, L, 3W).
func (b *modernBlock) project(x *G.Node) *G.Node {
	qkv := b.qkv.Forward(x)
	if b.qNorm == nil {
		return qkv
	}
	w := qkv.Shape()[2] / 3
	return nn.JoinColumns(b.qNorm.Forward(nn.Columns(qkv, 0, w)), b.kNorm.Forward(nn.Columns(qkv, w, w)), nn.Columns(qkv, 2*w, w))
}

// modernPool is attention of one learned query, without a projection behind it.
type modernPool struct {
	heads        int
	query        *nn.Param // (1, 1, W)
	q, kv        *nn.Linear
	qNorm, kNorm *nn.RMSNorm // of heads; nil without QKNorm
}

func newModernPool(c Modern) *modernPool {
	p := &modernPool{
		heads: c.Heads,
		query: nn.NewParam("pool.query", 1, 1, c.Width).Normal(1 / math.Sqrt(float64(c.Width))),
		q:     newMatrix("pool.q", c.Width, c.Width),
		kv:    newMatrix("pool.kv", c.Width, 2*c.Width),
	}
	if c.QKNorm {
		p.qNorm = nn.NewRMSNorm("pool.q_norm", c.Width/c.Heads, c.NormEps)
		p.kNorm = nn.NewRMSNorm("pool.k_norm", c.Width/c.Heads, c.NormEps)
	}
	return p
}

// forward maps (B, L, W) to (B, W).
func (p *modernPool) forward(x, keys *G.Node) *G.Node {
	query := nn.Token(p.query.Node(x.Graph()), 0) // (1, W)
	q := p.qNorm.Forward(p.q.Forward(query))
	kv := p.kv.Forward(x) // (B, L, 2W)
	w := kv.Shape()[2] / 2
	return nn.MaskedAttentionPool(q, p.kNorm.Forward(nn.Columns(kv, 0, w)), nn.Columns(kv, w, w), keys, p.heads)
}
