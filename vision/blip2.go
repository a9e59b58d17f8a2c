package vision

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// BLIP2 is the image tower of BLIP-2 (Li et al., 2023): the Vision Transformer of
// [PlainViT], to whose tokens the learned queries of a Q-Former attend. An image has a
// feature vector for each query, and its likeness to a caption is that of the best one.
// The parameters have timm's names where timm has them, and transformers' behind
// "visual.". The fields marked required have no default: checkpoints of one shape differ
// in them.
type BLIP2 struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the transformer's residual stream; required
	Layers    int    // blocks of it; required
	Heads     int    // of its attention, a divisor of Width; required
	EmbedDim  int    // size of each feature vector; required

	MLPRatio   float64       `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes
	Activation nn.Activation // of both transformers; required
	NormEps    float64       // LayerNorm's epsilon; required
	NoQKVBias  bool          // queries, keys and values of the first transformer have no bias

	QFormer QFormer // required
}

// QFormer is what reads an image's tokens. All fields are required.
type QFormer struct {
	Queries    int     // feature vectors of an image
	Width      int     // of its residual stream
	Layers     int     // blocks
	Heads      int     // of attention, a divisor of Width
	Hidden     int     `identity:"-"` // width of the MLPs; an identity has it from the shapes
	CrossEvery int     // blocks 0, CrossEvery, 2·CrossEvery… attend to the image
	NormEps    float64 // LayerNorm's epsilon
}

// Family is "blip2".
func (BLIP2) Family() string { return "blip2" }

// Dims implements [Config].
func (c BLIP2) Dims() Dims {
	return Dims{c.ImageSize, c.EmbedDim, 1 + area(c.Grid())}
}

// Vectors implements [MultiVector].
func (c BLIP2) Vectors() int { return c.QFormer.Queries }

// Grid returns the number of patches down and across.
func (c BLIP2) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c BLIP2) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c BLIP2) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 1
}

// Validate implements [Config].
func (c BLIP2) Validate() error {
	if err := checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, c.NormEps, c.Activation); err != nil {
		return err
	}
	q := c.QFormer
	if err := checkNumbers(number{"QFormer.Queries", q.Queries, 1, 1 << 12}, number{"QFormer.Width", q.Width, 1, maxDim}, number{"QFormer.Layers", q.Layers, 1, 1000},
		number{"QFormer.Heads", q.Heads, 1, maxDim}, number{"QFormer.Hidden", q.Hidden, 1, maxDim}, number{"QFormer.CrossEvery", q.CrossEvery, 1, 1000}); err != nil {
		return err
	}
	switch {
	case q.Width%q.Heads != 0:
		return invalid("QFormer.Heads", "is %d, which does not divide Width %d", q.Heads, q.Width)
	case !(q.NormEps > 0 && q.NormEps < 1):
		return invalid("QFormer.NormEps", "is %g, want a small positive number", q.NormEps)
	}
	return nil
}

func (c BLIP2) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: c.Activation, NormEps: c.NormEps, Names: nn.TimmNames(), NoQKVBias: c.NoQKVBias,
	}
}

// MultiplyAdds implements [nn.Coster].
func (c BLIP2) MultiplyAdds() float64 {
	blocks, tokens, q := c.blocks(), float64(c.Dims().Tokens), c.QFormer
	n, w := float64(q.Queries), float64(q.Width)
	each := n * (4*w*w + 2*n*w + 2*w*float64(q.Hidden))
	cross := 2*n*w*w + 2*tokens*float64(c.Width)*w + 2*n*tokens*w
	return patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(c.Dims().Tokens) +
		float64(q.Layers)*each + float64((q.Layers+q.CrossEvery-1)/max(1, q.CrossEvery))*cross + n*w*float64(c.EmbedDim)
}

type blip2 struct {
	cfg       BLIP2
	embed     *embed
	blocks    *nn.Transformer
	norm      *nn.LayerNorm
	queries   *nn.Param // (1, Q, W)
	queryNorm *nn.LayerNorm
	qformer   []*qFormerBlock
	proj      *nn.Linear
}

// New implements [Config].
func (c BLIP2) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	q := c.QFormer
	v := &blip2{
		cfg:       c,
		embed:     newEmbed(c.Width, c.PatchSize, area(c.Grid())).withBias(),
		blocks:    nn.NewTransformer("visual.trunk", c.blocks()),
		norm:      nn.NewLayerNorm("visual.trunk.norm", c.Width, c.NormEps),
		queries:   nn.NewParam("visual.query_tokens", 1, q.Queries, q.Width).Normal(1 / math.Sqrt(float64(q.Width))),
		queryNorm: nn.NewLayerNorm("visual.qformer.layernorm", q.Width, q.NormEps),
		proj:      newQFormerLinear("vision_projection", q.Width, c.EmbedDim),
	}
	for i := range q.Layers {
		v.qformer = append(v.qformer, newQFormerBlock(c, i))
	}
	return v, nil
}

func newQFormerLinear(name string, in, out int) *nn.Linear {
	l := nn.NewLinear("visual."+name, in, out)
	l.Weight.Normal(1 / math.Sqrt(float64(in)))
	return l
}

func (v *blip2) Config() Config { return v.cfg }

func (v *blip2) Patches() int { return area(v.cfg.Grid()) }

func (v *blip2) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	image := v.norm.Forward(v.blocks.Forward(v.embed.forward(in), nn.NoMask, nil, nil)) // (B, 1+P, W)
	x := v.queryNorm.Forward(v.queries.Node(image.Graph()))
	x = nn.Repeat(x, image.Shape()[0]) // (B, Q, W)
	for _, b := range v.qformer {
		x = b.forward(x, image)
	}
	return nn.Flatten(v.proj.Forward(x)), nil // (B, Q·D)
}

func (v *blip2) Params() []*nn.Param {
	ps := append(append(v.embed.params(), paramsOf(v.blocks, v.norm)...), v.queries)
	ps = append(ps, v.queryNorm.Params()...)
	for _, b := range v.qformer {
		ps = append(ps, b.params()...)
	}
	return append(ps, v.proj.Params()...)
}

// Depth counts the Q-Former as what follows the last block.
func (v *blip2) Depth(param string) int { return trunkDepth(param, v.cfg.Layers) }

// qFormerBlock is BERT's, with norms behind the residuals, in which the queries attend to
// themselves, and in some blocks to the image.
type qFormerBlock struct {
	self, cross *qFormerAttention // cross is nil for none
	fc1, fc2    *nn.Linear
	norm        *nn.LayerNorm
	act         nn.Activation
}

func newQFormerBlock(c BLIP2, i int) *qFormerBlock {
	q, name := c.QFormer, fmt.Sprintf("qformer.encoder.layer.%d.", i)
	b := &qFormerBlock{
		self: newQFormerAttention(name+"attention.", q, q.Width),
		fc1:  newQFormerLinear(name+"intermediate_query.dense", q.Width, q.Hidden),
		fc2:  newQFormerLinear(name+"output_query.dense", q.Hidden, q.Width),
		norm: nn.NewLayerNorm("visual."+name+"output_query.LayerNorm", q.Width, q.NormEps),
		act:  c.Activation,
	}
	if i%q.CrossEvery == 0 {
		b.cross = newQFormerAttention(name+"crossattention.", q, c.Width)
	}
	return b
}

// forward maps (B, Q, W) to (B, Q, W).
func (b *qFormerBlock) forward(x, image *G.Node) *G.Node {
	x = b.self.forward(x, x)
	if b.cross != nil {
		x = b.cross.forward(x, image)
	}
	return b.norm.Forward(nn.Add(x, b.fc2.Forward(nn.Activate(b.act, b.fc1.Forward(x)))))
}

func (b *qFormerBlock) params() []*nn.Param {
	ps := b.self.params()
	if b.cross != nil {
		ps = append(ps, b.cross.params()...)
	}
	return append(ps, paramsOf(b.fc1, b.fc2, b.norm)...)
}

type qFormerAttention struct {
	query, key, value *nn.Linear
	out               *nn.Linear
	norm              *nn.LayerNorm
	heads             int
}

func newQFormerAttention(name string, q QFormer, keys int) *qFormerAttention {
	return &qFormerAttention{
		query: newQFormerLinear(name+"attention.query", q.Width, q.Width),
		key:   newQFormerLinear(name+"attention.key", keys, q.Width),
		value: newQFormerLinear(name+"attention.value", keys, q.Width),
		out:   newQFormerLinear(name+"output.dense", q.Width, q.Width),
		norm:  nn.NewLayerNorm("visual."+name+"output.LayerNorm", q.Width, q.NormEps),
		heads: q.Heads,
	}
}

// forward maps (B, Q, W), which attend to other tokens, to (B, Q, W).
func (a *qFormerAttention) forward(x, to *G.Node) *G.Node {
	y := nn.CrossAttention(a.query.Forward(x), a.key.Forward(to), a.value.Forward(to), a.heads)
	return a.norm.Forward(nn.Add(x, a.out.Forward(y)))
}

func (a *qFormerAttention) params() []*nn.Param {
	return paramsOf(a.query, a.key, a.value, a.out, a.norm)
}
