package text

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
)

// CoCa is the text tower of CoCa's contrastive half (Yu et al., 2022) as open_clip has it
// (transformer.py at 89fb801): CLIP's, with a class token behind the caption.
type CoCa struct {
	ContextLength int // maximum number of tokens, without the class token; required
	VocabSize     int // rows of the token embedding; required
	Width         int // of the residual stream; required
	Layers        int // blocks; required
	Heads         int // of attention, a divisor of Width; required
	EmbedDim      int // size of the features; required

	MLPRatio   float64       `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes
	Activation nn.Activation // required
	NormEps    float64       // LayerNorm's epsilon; required

	PadID int32 // whose successor no token attends to: see [CoCa.Row]
}

// Family is "coca".
func (CoCa) Family() string { return "coca" }

// Dims implements [Config].
func (c CoCa) Dims() Dims { return Dims{c.ContextLength, c.VocabSize, c.EmbedDim} }

// plain is CLIP's tower of the same settings.
func (c CoCa) plain() Transformer {
	return Transformer{
		ContextLength: c.ContextLength, VocabSize: c.VocabSize, Width: c.Width, Layers: c.Layers, Heads: c.Heads, EmbedDim: c.EmbedDim,
		MLPRatio: c.MLPRatio, Activation: c.Activation, NormEps: c.NormEps, Mask: MaskCausal, Pool: PoolLast,
	}
}

// Validate implements [Config].
func (c CoCa) Validate() error { return c.plain().Validate() }

// MultiplyAdds implements [nn.Coster].
func (c CoCa) MultiplyAdds() float64 {
	t := c.plain()
	t.ContextLength++
	return t.MultiplyAdds()
}

// Row implements [Config]. The models were trained with a mask that is one off: it hides
// the token behind each PadID, so that the first padding is seen and the class token is
// hidden from itself, unless the caption has no padding.
func (c CoCa) Row(ids []int32) Row {
	last := lastExcept(ids, c.PadID)
	return Row{Length: min(last+2, len(ids)), Pooled: last}
}

type coca struct {
	cfg        CoCa
	tokenEmbed *nn.Param // (V, W)
	posEmbed   *nn.Param // (L+1, W)
	class      *nn.Param // (W)
	blocks     *nn.Transformer
	lnFinal    *nn.LayerNorm
	proj       *nn.Param // (W, D)
}

// New implements [Config].
func (c CoCa) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &coca{
		cfg:        c,
		tokenEmbed: nn.NewParam("token_embedding.weight", c.VocabSize, c.Width).Normal(0.02),
		posEmbed:   nn.NewParam("positional_embedding", c.ContextLength+1, c.Width).Normal(0.01),
		class:      nn.NewParam("cls_emb", c.Width).Normal(0.01),
		blocks:     nn.NewTransformer("transformer", c.plain().blocks()),
		lnFinal:    nn.NewLayerNorm("ln_final", c.Width, c.NormEps),
		proj:       nn.NewProjection("text_projection", c.Width, c.EmbedDim).Normal(1 / math.Sqrt(float64(c.Width))),
	}, nil
}

func (t *coca) Config() Config { return t.cfg }

func (t *coca) Params() []*nn.Param {
	ps := append([]*nn.Param{t.posEmbed, t.class, t.tokenEmbed}, t.blocks.Params()...)
	return append(append(ps, t.lnFinal.Params()...), t.proj)
}

func (t *coca) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "text: forward")
	g := in.Tokens.Graph()
	pos := t.posEmbed.Node(g)
	x := nn.AddPositions(nn.Embedding(in.Tokens, t.tokenEmbed.Node(g)), pos) // (B, L, W)
	class := nn.AddBias(nn.Rows(pos, t.cfg.ContextLength, 1), t.class.Node(g))
	x = nn.Append(x, class) // (B, L+1, W)
	attending := nn.Attending{Heads: t.cfg.Heads, Causal: true, Keys: oneOff(in.Tokens, t.cfg.PadID)}
	attend := func(_ int, qkv *G.Node) *G.Node { return nn.Attend(qkv, attending) }
	last := x.Shape()[1] - 1
	x = t.blocks.ForwardWith(x, attend, func(x *G.Node) *G.Node { return nn.Token(x, last) }) // (B, W)
	return nn.MatMul(t.lnFinal.Forward(x), t.proj.Node(g)), nil                               // (B, D)
}

// oneOff marks the keys that are seen: the first, and each behind a token that is not
// padding: (B, L) int32 → (B, L+1).
func oneOff(ids *G.Node, pad int32) *G.Node {
	nn.WantShape("coca", "ids", ids, -1, -1)
	b, l := ids.Shape()[0], ids.Shape()[1]
	return nn.Apply(nn.Op{
		Name:  "coca's mask",
		Shape: tensor.Shape{b, l + 1}, // (B, L+1)
		Forward: func(y []float32, x nn.Inputs) {
			ids := x.I32(0)
			for i := range y {
				y[i] = 1
				if k := i % (l + 1); k > 0 && ids[i/(l+1)*l+k-1] == pad {
					y[i] = 0
				}
			}
		},
	}, ids)
}

func (t *coca) Depth(param string) int {
	return nn.Depth(param, "transformer.resblocks.", t.cfg.Layers, "token_embedding.", "positional_embedding", "cls_emb")
}

// Captioner is the shape of CoCa's other half, which writes captions
// (text_decoder). It is not computed here: its weights are kept, so that a model is saved
// as it was loaded.
type Captioner struct {
	ContextLength int // maximum number of tokens
	VocabSize     int // columns of its projection
	Width         int // of the residual stream
	Layers        int // blocks, and as many of cross-attention; 0 for no captioner
	Heads         int // of attention
}

// Validate reports the first field that does not fit; a captioner that is none is valid.
func (c Captioner) Validate() error {
	if c == (Captioner{}) {
		return nil
	}
	if err := checkSizes(
		size{"ContextLength", c.ContextLength, 1 << 16}, size{"VocabSize", c.VocabSize, 1 << 24}, size{"Width", c.Width, 1 << 20},
		size{"Layers", c.Layers, 1000}, size{"Heads", c.Heads, 1 << 20},
	); err != nil {
		return fmt.Errorf("captioner: %w", err)
	}
	return nil
}

// Params lists its parameters, which are never trained.
func (c Captioner) Params() []*nn.Param {
	if c.Layers == 0 {
		return nil
	}
	blocks := nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: max(c.Heads, 1), MLPWidth: 4 * c.Width, Activation: nn.GELU, NormEps: 1e-5, Names: nn.CLIPNames(),
	}
	ps := nn.NewTransformer("text_decoder", blocks).Params()
	blocks.Names.Blocks = "cross_attn"
	ps = append(ps, nn.NewTransformer("text_decoder", blocks).Params()...)
	for i := range c.Layers {
		ps = append(ps, nn.NewLayerNorm(fmt.Sprintf("text_decoder.cross_attn.%d.ln_1_kv", i), c.Width, 1e-5).Params()...)
	}
	ps = append(ps, nn.NewLayerNorm("text_decoder.ln_final", c.Width, 1e-5).Params()...)
	ps = append(ps, nn.NewParam("text_decoder.text_projection", c.Width, c.VocabSize).Normal(1/math.Sqrt(float64(c.Width))))
	for _, p := range ps {
		p.Buffer = true
	}
	return ps
}
