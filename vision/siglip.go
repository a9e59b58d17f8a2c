package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// SigLIP is the Vision Transformer of SigLIP (Zhai et al., 2023) and, for pictures
// of one size, of SigLIP 2 (Tschannen et al., 2025), under timm's names: no class
// token, and a learned query that attends to all tokens in place of a projection.
// The fields marked required have no default: checkpoints of one shape differ in
// them.
type SigLIP struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream, and size of the features; required
	Layers    int    // blocks; required
	Heads     int    // of attention, a divisor of Width; required

	MLPRatio   float64       `identity:"-"` // hidden width of the MLPs over Width; zero means 4; an identity has it from the shapes
	Activation nn.Activation // required: GELU in timm for most sizes, GELUTanh in transformers
	NormEps    float64       // LayerNorm's epsilon; required
}

// Family is "siglip".
func (SigLIP) Family() string { return "siglip" }

// Dims implements [Config].
func (c SigLIP) Dims() Dims { return Dims{c.ImageSize, c.Width, c.patches()} }

// Grid returns the number of patches down and across.
func (c SigLIP) Grid() [2]int {
	p := max(c.PatchSize, 1) // where Validate was not asked yet
	return [2]int{c.ImageSize[0] / p, c.ImageSize[1] / p}
}

// Resized implements [Resizer].
func (c SigLIP) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c SigLIP) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 0
}

func (c SigLIP) patches() int { return c.Grid()[0] * c.Grid()[1] }

// Validate implements [Config].
func (c SigLIP) Validate() error {
	return checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.Width, c.MLPRatio, c.NormEps, c.Activation)
}

func (c SigLIP) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: c.Activation, NormEps: c.NormEps, Names: nn.TimmNames(),
	}
}

// MultiplyAdds implements [nn.Coster].
func (c SigLIP) MultiplyAdds() float64 {
	tokens, width, blocks := float64(c.patches()), float64(c.Width), c.blocks()
	patches := tokens * float64(3*c.PatchSize*c.PatchSize) * width
	pool := 2*tokens*width*width + 2*width*width + 2*tokens*width + 2*width*float64(blocks.MLPWidth)
	return patches + blocks.MultiplyAdds(c.patches()) + pool
}

type siglip struct {
	cfg        SigLIP
	patchEmbed *nn.Param // (W, 3, patch, patch)
	patchBias  *nn.Param // (W)
	posEmbed   *nn.Param // (1, P, W)
	blocks     *nn.Transformer
	norm       *nn.LayerNorm
	pool       *latentPool
}

// New implements [Config].
func (c SigLIP) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	fanIn := float64(3 * c.PatchSize * c.PatchSize)
	return &siglip{
		cfg:        c,
		patchEmbed: nn.NewParam("visual.trunk.patch_embed.proj.weight", c.Width, 3, c.PatchSize, c.PatchSize).Uniform(1 / math.Sqrt(fanIn)),
		patchBias:  nn.NewParam("visual.trunk.patch_embed.proj.bias", c.Width),
		posEmbed:   nn.NewParam("visual.trunk.pos_embed", 1, c.patches(), c.Width).Normal(1 / math.Sqrt(float64(c.Width))),
		blocks:     nn.NewTransformer("visual.trunk", c.blocks()),
		norm:       nn.NewLayerNorm("visual.trunk.norm", c.Width, c.NormEps),
		pool:       newLatentPool("visual.trunk.attn_pool.", c),
	}, nil
}

func (s *siglip) Config() Config { return s.cfg }

func (s *siglip) Patches() int { return s.cfg.patches() }

func (s *siglip) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(s.cfg.ImageSize)
	x := nn.PatchEmbed(in.Pixels, s.patchEmbed, s.patchBias) // (B, P, W)
	x = nn.AddPositions(x, s.posEmbed.Node(in.Pixels.Graph()))
	if in.Keep != nil {
		x = nn.Keep(x, in.Keep, 0) // (B, K, W)
	}
	x = s.norm.Forward(s.blocks.Forward(x, nn.NoMask, nil, nil))
	return s.pool.forward(x), nil // (B, W)
}

func (s *siglip) Params() []*nn.Param {
	ps := []*nn.Param{s.posEmbed, s.patchEmbed, s.patchBias}
	ps = append(ps, s.blocks.Params()...)
	return append(append(ps, s.norm.Params()...), s.pool.params()...)
}

func (s *siglip) Depth(param string) int {
	return nn.Depth(param, "visual.trunk.blocks.", s.cfg.Layers, "visual.trunk.patch_embed.", "visual.trunk.pos_embed")
}

// latentPool is timm's AttentionPoolLatent, big_vision's MAPHead (Lee et al., 2019,
// Set Transformer, section 3.2): one query attends to all tokens, and an MLP with a
// residual follows.
type latentPool struct {
	latent      *nn.Param // (1, 1, W)
	q, kv, proj *nn.Linear
	norm        *nn.LayerNorm
	fc1, fc2    *nn.Linear
	heads       int
	activation  nn.Activation
}

func newLatentPool(name string, c SigLIP) *latentPool {
	hidden := nn.MLPWidth(c.Width, c.MLPRatio)
	linear := func(part string, in, out int) *nn.Linear {
		l := nn.NewLinear(name+part, in, out)
		l.Weight.Normal(1 / math.Sqrt(float64(in)))
		return l
	}
	return &latentPool{
		latent:     nn.NewParam(name+"latent", 1, 1, c.Width).Normal(1 / math.Sqrt(float64(c.Width))),
		q:          linear("q", c.Width, c.Width),
		kv:         linear("kv", c.Width, 2*c.Width),
		proj:       linear("proj", c.Width, c.Width),
		norm:       nn.NewLayerNorm(name+"norm", c.Width, c.NormEps),
		fc1:        linear("mlp.fc1", c.Width, hidden),
		fc2:        linear("mlp.fc2", hidden, c.Width),
		heads:      c.Heads,
		activation: c.Activation,
	}
}

// forward maps (B, L, W) to (B, W).
func (p *latentPool) forward(x *G.Node) *G.Node {
	w := p.latent.Shape[2]
	q := p.q.Forward(nn.Token(p.latent.Node(x.Graph()), 0)) // (1, W)
	kv := p.kv.Forward(x)                                   // (B, L, 2W)
	y := nn.AttentionPool(q, nn.Columns(kv, 0, w), nn.Columns(kv, w, w), p.heads)
	y = p.proj.Forward(y) // (B, W)
	h := nn.Activate(p.activation, p.fc1.Forward(p.norm.Forward(y)))
	return nn.Add(y, p.fc2.Forward(h))
}

func (p *latentPool) params() []*nn.Param {
	ps := []*nn.Param{p.latent}
	for _, l := range []interface{ Params() []*nn.Param }{p.q, p.kv, p.proj, p.norm, p.fc1, p.fc2} {
		ps = append(ps, l.Params()...)
	}
	return ps
}
