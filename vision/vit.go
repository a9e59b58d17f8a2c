package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/nn"
)

// ViT is the Vision Transformer (Dosovitskiy et al., 2021) as CLIP has it: a
// patch embedding without bias, ln_pre before the first block, ln_post, and a
// linear projection of the pooled token. The fields marked required have no
// default: checkpoints of one shape differ in them.
type ViT struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream; required
	Layers    int    // blocks; required
	Heads     int    // of attention, a divisor of Width; required
	EmbedDim  int    // size of the features; required

	MLPRatio   float64       `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes
	Activation nn.Activation // required
	NormEps    float64       // LayerNorm's epsilon; required

	// Pool says how tokens are pooled into the feature. Required.
	Pool Pool
	// PoolQueries and PoolHeads belong to [PoolMap] and are required for it: the
	// number of queries, the first of which gives the feature, and the number of
	// attention heads, a divisor of EmbedDim.
	PoolQueries, PoolHeads int
	// NormAfterPool applies ln_post to the pooled vector instead of every token.
	// It makes a difference for [PoolMean] only.
	NormAfterPool bool
	NoClassToken  bool // no class embedding is prepended
	NoLnPre       bool // no ln_pre, the LayerNorm before the first block
	NoLnPost      bool // no ln_post, as in transformers' CLIPForImageClassification

	// Proj is how the pooled vector is projected to the feature.
	Proj Proj

	// LayerScale is the initial value of the LayerScale after attention and after the
	// MLP (Touvron et al., 2021); zero means no LayerScale.
	LayerScale float64
}

// Pool says how the output tokens are pooled into one feature vector.
type Pool uint8

const (
	// PoolClass takes the class token.
	PoolClass Pool = iota + 1
	// PoolMean takes the mean of the patch tokens.
	PoolMean
	// PoolMap pools by attention of a learned query over all tokens:
	// open_clip's attentional_pool with pool_type tok, as in CoCa (Yu et al.,
	// 2022).
	PoolMap
)

func poolNames() map[Pool]string {
	return map[Pool]string{PoolClass: "tok", PoolMean: "avg", PoolMap: "map"}
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
	ProjMatrix Proj = iota // the matrix visual.proj, (W, D), as in CLIP
	ProjLinear             // a linear layer with bias, such as a classifier's
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

// Family is "vit".
func (ViT) Family() string { return "vit" }

// Dims implements [Config].
func (c ViT) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, c.prefix() + c.patches()} }

// Grid returns the number of patches down and across.
func (c ViT) Grid() [2]int {
	p := max(c.PatchSize, 1) // where Validate was not asked yet
	return [2]int{c.ImageSize[0] / p, c.ImageSize[1] / p}
}

// Resized implements [Resizer].
func (c ViT) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c ViT) Positions() (param string, grid [2]int, prefix int) {
	return "visual.positional_embedding", c.Grid(), c.prefix()
}

func (c ViT) patches() int { return c.Grid()[0] * c.Grid()[1] }

// pooled is the length of the pooled vector.
func (c ViT) pooled() int {
	if c.Pool == PoolMap {
		return c.EmbedDim
	}
	return c.Width
}

// prefix is how many tokens precede the patches.
func (c ViT) prefix() int {
	if c.NoClassToken {
		return 0
	}
	return 1
}

// Validate implements [Config].
func (c ViT) Validate() error {
	if err := checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, c.NormEps, c.Activation); err != nil {
		return err
	}
	if err := enum.Valid(c.Pool, poolNames()); err != nil {
		return invalid("Pool", "%w", err)
	}
	if err := enum.Valid(c.Proj, projNames()); err != nil {
		return invalid("Proj", "%w", err)
	}
	switch {
	case c.Proj == ProjNone && c.pooled() != c.EmbedDim:
		return invalid("EmbedDim", "is %d, but without projection features have %d elements", c.EmbedDim, c.pooled())
	case c.Pool == PoolClass && c.NoClassToken:
		return invalid("Pool", "is tok, but NoClassToken is set")
	case c.Pool == PoolMap && (c.PoolQueries < 1 || c.PoolQueries > maxDim):
		return invalid("PoolQueries", "is %d, want 1 or more", c.PoolQueries)
	case c.Pool == PoolMap && (c.PoolHeads < 1 || c.EmbedDim%c.PoolHeads != 0):
		return invalid("PoolHeads", "is %d, want a divisor of EmbedDim %d", c.PoolHeads, c.EmbedDim)
	case c.Pool != PoolMap && c.PoolQueries != 0:
		return invalid("PoolQueries", "is %d, but Pool is %s", c.PoolQueries, c.Pool)
	case c.Pool != PoolMap && c.PoolHeads != 0:
		return invalid("PoolHeads", "is %d, but Pool is %s", c.PoolHeads, c.Pool)
	}
	return checkLayerScale(c.LayerScale)
}

func (c ViT) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: c.Activation, NormEps: c.NormEps, Names: nn.CLIPNames(), LayerScale: c.LayerScale,
	}
}

// MultiplyAdds implements [nn.Coster].
func (c ViT) MultiplyAdds() float64 {
	tokens, width, dim := float64(c.Dims().Tokens), float64(c.Width), float64(c.EmbedDim)
	blocks := c.blocks()
	n := float64(c.patches())*float64(3*c.PatchSize*c.PatchSize)*width + blocks.MultiplyAdds(c.Dims().Tokens)
	if c.Pool == PoolMap {
		// Keys and values of each token, and one query, which alone gives a feature.
		n += 2*tokens*width*dim + dim*dim + 2*tokens*dim + dim*dim
		width = dim
	}
	if c.Proj == ProjNone {
		return n
	}
	return n + width*dim
}

type vit struct {
	cfg            ViT
	patchEmbed     *nn.Param // visual.conv1.weight (W, 3, patch, patch)
	classEmbedding *nn.Param // (W); nil without class token
	posEmbed       *nn.Param // (L, W)
	lnPre          *nn.LayerNorm
	blocks         *nn.Transformer
	mapPool        *mapPool // nil unless Pool is PoolMap
	lnPost         *nn.LayerNorm
	proj           *nn.Param  // (W, D), (D, D) after mapPool; nil unless Proj is ProjMatrix
	projLinear     *nn.Linear // nil unless Proj is ProjLinear
}

// New implements [Config].
func (c ViT) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	scale := 1 / math.Sqrt(float64(c.Width))
	fanIn := float64(3 * c.PatchSize * c.PatchSize)
	v := &vit{
		cfg:        c,
		patchEmbed: nn.NewPatchWeight("visual.conv1.weight", c.Width, 3, c.PatchSize).Uniform(1 / math.Sqrt(fanIn)),
		posEmbed:   nn.NewParam("visual.positional_embedding", c.Dims().Tokens, c.Width).Normal(scale),
		blocks:     nn.NewTransformer("visual.transformer", c.blocks()),
	}
	if !c.NoLnPost {
		v.lnPost = nn.NewLayerNorm("visual.ln_post", c.pooled(), c.NormEps)
	}
	switch c.Proj {
	case ProjMatrix:
		v.proj = nn.NewProjection("visual.proj", c.pooled(), c.EmbedDim).Normal(scale)
	case ProjLinear:
		v.projLinear = nn.NewLinear("visual.proj", c.pooled(), c.EmbedDim)
		v.projLinear.Weight.Normal(scale)
	}
	if !c.NoClassToken {
		v.classEmbedding = nn.NewParam("visual.class_embedding", c.Width).Normal(scale)
	}
	if c.Pool == PoolMap {
		v.mapPool = newMapPool(c)
	}
	if !c.NoLnPre {
		v.lnPre = nn.NewLayerNorm("visual.ln_pre", c.Width, c.NormEps)
	}
	return v, nil
}

func (v *vit) Config() Config { return v.cfg }

func (v *vit) Patches() int { return v.cfg.patches() }

func (v *vit) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	x := v.blocks.Forward(v.embed(in), nn.NoMask, nil, v.pick()) // (B, L, W), of the class token (B, W)
	x = v.pool(x)                                                // (B, W), by attention (B, D)
	return v.project(x), nil                                     // (B, D)
}

// ForwardPatches implements [PatchTower].
func (v *vit) ForwardPatches(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: patches")
	x := v.embed(in)
	if v.cfg.Pool != PoolMap {
		x = v.blocks.ForwardWith(x, v.blocks.LastAlone(), nil)
	} else {
		x = v.blocks.Forward(x, nn.NoMask, nil, nil)
	}
	if x = nn.TokensFrom(x, v.cfg.prefix()); v.mapPool != nil { // (B, P, W)
		x = v.mapPool.alone(x) // (B, P, D)
	}
	if v.lnPost != nil {
		x = v.lnPost.Forward(x)
	}
	return v.project(x), nil // (B, P, D)
}

// embed is the residual stream before the first block, (B, L, W).
func (v *vit) embed(in Input) *G.Node {
	in.check(v.cfg.ImageSize)
	g := in.Pixels.Graph()
	x := nn.PatchEmbed(in.Pixels, v.patchEmbed, nil) // (B, P, W)
	if v.classEmbedding != nil {
		x = nn.Prepend(v.classEmbedding.Node(g), x) // (B, 1+P, W)
	}
	x = nn.AddPositions(x, v.posEmbed.Node(g))
	if in.Keep != nil {
		x = nn.Keep(x, in.Keep, v.cfg.prefix()) // (B, 1+K, W)
	}
	if v.lnPre != nil {
		x = v.lnPre.Forward(x)
	}
	return x
}

// pick is what the last block computes of all tokens: where the class token is the
// feature, only that.
func (v *vit) pick() func(*G.Node) *G.Node {
	if v.cfg.Pool != PoolClass {
		return nil
	}
	return func(x *G.Node) *G.Node { return nn.Token(x, 0) }
}

// pool reduces the blocks' output to one vector and applies ln_post.
func (v *vit) pool(x *G.Node) *G.Node {
	norm := func(x *G.Node) *G.Node { return x }
	if v.lnPost != nil {
		norm = v.lnPost.Forward
	}
	switch {
	case v.cfg.Pool == PoolMap:
		return norm(v.mapPool.forward(x))
	case v.cfg.Pool == PoolMean && v.cfg.NormAfterPool:
		return norm(nn.Mean(x, v.cfg.prefix()))
	case v.cfg.Pool == PoolMean:
		return nn.Mean(norm(x), v.cfg.prefix())
	}
	return norm(x)
}

func (v *vit) project(x *G.Node) *G.Node {
	switch {
	case v.proj != nil:
		return nn.MatMul(x, v.proj.Node(x.Graph()))
	case v.projLinear != nil:
		return v.projLinear.Forward(x)
	}
	return x
}

func (v *vit) Params() []*nn.Param {
	var ps []*nn.Param
	if v.classEmbedding != nil {
		ps = append(ps, v.classEmbedding)
	}
	ps = append(ps, v.posEmbed)
	if v.proj != nil {
		ps = append(ps, v.proj)
	}
	ps = append(ps, v.patchEmbed)
	if v.lnPre != nil {
		ps = append(ps, v.lnPre.Params()...)
	}
	ps = append(ps, v.blocks.Params()...)
	if v.mapPool != nil {
		ps = append(ps, v.mapPool.params()...)
	}
	if v.lnPost != nil {
		ps = append(ps, v.lnPost.Params()...)
	}
	if v.projLinear != nil {
		ps = append(ps, v.projLinear.Params()...)
	}
	return ps
}

func (v *vit) Depth(param string) int {
	return nn.Depth(param, "visual.transformer.resblocks.", v.cfg.Layers,
		"visual.conv1.", "visual.class_embedding", "visual.positional_embedding", "visual.ln_pre.")
}
