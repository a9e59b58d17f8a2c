package text

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/nn"
)

// Encoder are the settings that text encoders of Hugging Face's transformers have in
// common, as open_clip's HFTextEncoder and the two-tower classes of transformers use them:
// an encoder whose padding is masked, pooled to one vector and projected.
type Encoder struct {
	ContextLength int // maximum number of tokens; required
	VocabSize     int // rows of the token embedding; required
	Width         int // of the residual stream; required
	Layers        int // blocks; required
	Heads         int // of attention; required
	MLPWidth      int // hidden width of the MLP; required
	EmbedDim      int // size of the features; required

	NormEps float64 // epsilon of the norms; required

	PadID   int32   // the padding token
	Padding Padding // which tokens are padding; required
	Pool    Pool    // PoolFirst, PoolMean, PoolMax, or PoolTanh of a BERT; required
	Head    Head    // how the pooled vector is projected; required
}

// Padding says which tokens of a caption are padding, which no token attends to.
type Padding uint8

const (
	PaddingIDs  Padding = iota + 1 // each PadID, wherever it stands, as in open_clip
	PaddingTail                    // those behind the last token that is not PadID: a tokenizer's attention_mask
)

func paddingNames() map[Padding]string {
	return map[Padding]string{PaddingIDs: "ids", PaddingTail: "tail"}
}

// String returns the name used in files.
func (p Padding) String() string { return enum.String(p, paddingNames()) }

// MarshalText returns the name; an invalid Padding is an error.
func (p Padding) MarshalText() ([]byte, error) { return enum.Marshal(p, paddingNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (p *Padding) UnmarshalText(text []byte) error { return enum.Unmarshal(p, text, paddingNames()) }

// Head says how the pooled vector of an [Encoder] becomes the feature.
type Head uint8

const (
	HeadNone     Head = iota + 1 // as it is
	HeadLinear                   // one matrix
	HeadBias                     // a linear layer with bias
	HeadMLP                      // two matrices with a hidden width of (W+D)/2 and an exact GELU between them
	HeadTanh                     // HeadLinear, then tanh, as in sentence-transformers' Dense
	HeadTanhBias                 // HeadBias, then tanh
)

func headNames() map[Head]string {
	return map[Head]string{
		HeadNone: "none", HeadLinear: "linear", HeadBias: "linear_bias", HeadMLP: "mlp", HeadTanh: "tanh", HeadTanhBias: "tanh_bias",
	}
}

// String returns the name used in files.
func (h Head) String() string { return enum.String(h, headNames()) }

// MarshalText returns the name; an invalid Head is an error.
func (h Head) MarshalText() ([]byte, error) { return enum.Marshal(h, headNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (h *Head) UnmarshalText(text []byte) error { return enum.Unmarshal(h, text, headNames()) }

// Dims implements [Config].
func (c Encoder) Dims() Dims { return Dims{c.ContextLength, c.VocabSize, c.EmbedDim} }

// Row implements [Config]. The pooled token is the last that is not padding.
func (c Encoder) Row(ids []int32) Row {
	last := lastExcept(ids, c.PadID)
	return Row{Length: last + 1, Pooled: last}
}

// lastExcept is the position of the last token that is another, or 0.
func lastExcept(ids []int32, pad int32) int {
	last := len(ids) - 1
	for last > 0 && ids[last] == pad {
		last--
	}
	return last
}

// check reports the first field that does not fit, of a family with these ways of pooling.
func (c Encoder) check(pools ...Pool) error {
	if err := checkSizes(
		size{"ContextLength", c.ContextLength, 1 << 16}, size{"VocabSize", c.VocabSize, 1 << 24}, size{"Width", c.Width, 1 << 20},
		size{"Layers", c.Layers, 1000}, size{"Heads", c.Heads, 1 << 20}, size{"MLPWidth", c.MLPWidth, 1 << 20}, size{"EmbedDim", c.EmbedDim, 1 << 20},
	); err != nil {
		return err
	}
	if err := enum.Valid(c.Padding, paddingNames()); err != nil {
		return invalid("Padding", "%w", err)
	}
	if err := c.Pool.among(pools...); err != nil {
		return err
	}
	if err := enum.Valid(c.Head, headNames()); err != nil {
		return invalid("Head", "%w", err)
	}
	switch {
	case !(c.NormEps > 0 && c.NormEps < 1):
		return invalid("NormEps", "is %g, want a small positive number", c.NormEps)
	case c.PadID < 0 || int(c.PadID) >= c.VocabSize:
		return invalid("PadID", "is %d, want an id below VocabSize %d", c.PadID, c.VocabSize)
	}
	return nil
}

// checkHead is for towers whose pooled vector is as wide as the blocks.
func (c Encoder) checkHead() error {
	if c.Head == HeadNone && c.Width != c.EmbedDim {
		return invalid("EmbedDim", "is %d, want Width %d where Head is none", c.EmbedDim, c.Width)
	}
	return nil
}

func (c Encoder) checkHeads() error {
	if c.Width%c.Heads != 0 {
		return invalid("Heads", "is %d, which does not divide Width %d", c.Heads, c.Width)
	}
	return nil
}

// MultiplyAdds implements [nn.Coster].
func (c Encoder) MultiplyAdds() float64 {
	blocks := nn.TransformerConfig{Width: c.Width, Layers: c.Layers, MLPWidth: c.MLPWidth}
	w, d := float64(c.Width), float64(c.EmbedDim)
	n := blocks.MultiplyAdds(c.ContextLength)
	switch c.Head {
	case HeadNone:
	case HeadMLP:
		n += math.Floor((w+d)/2) * (w + d)
	default:
		n += w * d
	}
	if c.Pool == PoolTanh {
		n += w * w
	}
	return n
}

// keys marks the tokens that are attended to and averaged, (B, L).
func (c Encoder) keys(in Input) *G.Node {
	switch {
	case in.Mask != nil:
		return nn.KeysExcept(in.Mask, 0)
	case c.Padding == PaddingTail:
		nn.WantShape("text", "tokens", in.Tokens, -1, -1)
		return nn.KeysThrough(in.Pooled, in.Tokens.Shape()[1])
	}
	return nn.KeysExcept(in.Tokens, c.PadID)
}

// readout makes the feature of an encoder's output.
type readout struct {
	pool   Pool
	head   Head
	pooler *nn.Linear   // nil unless pool is PoolTanh
	proj   []*nn.Linear // one behind the other
}

func (c Encoder) newReadout(width int) *readout {
	r := &readout{pool: c.Pool, head: c.Head}
	if c.Pool == PoolTanh {
		r.pooler = newLinear("transformer.pooler.dense", width, width)
	}
	switch c.Head {
	case HeadLinear, HeadTanh:
		r.proj = []*nn.Linear{newMatrix("proj", width, c.EmbedDim)}
	case HeadBias, HeadTanhBias:
		r.proj = []*nn.Linear{newLinear("proj", width, c.EmbedDim)}
	case HeadMLP:
		hidden := (width + c.EmbedDim) / 2
		r.proj = []*nn.Linear{newMatrix("proj.0", width, hidden), newMatrix("proj.2", hidden, c.EmbedDim)}
	}
	return r
}

// forward maps (B, L, W), of which keys marks the tokens that count, to (B, D).
func (r *readout) forward(x, keys *G.Node) *G.Node {
	switch r.pool {
	case PoolMean:
		x = nn.MeanOf(x, keys) // (B, W)
	case PoolMax:
		x = nn.MaxOf(x, keys)
	default:
		x = nn.Token(x, 0)
	}
	if r.pooler != nil {
		x = nn.Tanh(r.pooler.Forward(x))
	}
	for i, l := range r.proj {
		if i > 0 {
			x = nn.Activate(nn.GELU, x)
		}
		x = l.Forward(x)
	}
	if r.head == HeadTanh || r.head == HeadTanhBias {
		x = nn.Tanh(x)
	}
	return x
}

// Params lists the readout's parameters.
func (r *readout) Params() []*nn.Param {
	var ps []*nn.Param
	if r.pooler != nil {
		ps = r.pooler.Params()
	}
	for _, l := range r.proj {
		ps = append(ps, l.Params()...)
	}
	return ps
}

// newLinear and newMatrix are linear layers with a bias and without, initialised so that
// what is as large going in is as large coming out.
func newLinear(name string, in, out int) *nn.Linear {
	l := nn.NewLinear(name, in, out)
	l.Weight.Normal(1 / math.Sqrt(float64(in)))
	return l
}

func newMatrix(name string, in, out int) *nn.Linear {
	l := newLinear(name, in, out)
	l.Bias = nil
	return l
}
