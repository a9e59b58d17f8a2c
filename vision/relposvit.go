package vision

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// RelPosViT is timm's Vision Transformer with relative positions: each block adds a bias
// to its attention scores, computed by an MLP from the relative position of two patches.
// It has a class token and LayerScale, followed by open_clip's linear projection.
type RelPosViT struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream; required
	Layers    int    // blocks; required
	Heads     int    // of attention, a divisor of Width; required
	EmbedDim  int    // size of the features; required

	MLPRatio float64 `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes

	// RelPosWidth is the hidden width of the MLPs that compute the biases.
	// Required.
	RelPosWidth int
	// LayerScale is the initial value of the LayerScale parameters in training.
	// Required.
	LayerScale float64 `identity:"-"`
}

// Family is "relpos_vit".
func (RelPosViT) Family() string { return "relpos_vit" }

// Dims implements [Config].
func (c RelPosViT) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, 1 + area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c RelPosViT) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Validate implements [Config].
func (c RelPosViT) Validate() error {
	if err := checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, timmEps, nn.GELU); err != nil {
		return err
	}
	// No weight says how large the image is, and each pair of patches takes memory.
	if n := area(c.Grid()); n > 1<<14 {
		return invalid("PatchSize", "is %d, which cuts the image into %d patches, want at most %d", c.PatchSize, n, 1<<14)
	}
	if c.LayerScale == 0 {
		return invalid("LayerScale", "is 0, want what scales begin with")
	}
	if err := checkLayerScale(c.LayerScale); err != nil {
		return err
	}
	return checkNumbers(number{"RelPosWidth", c.RelPosWidth, 1, maxDim})
}

func (c RelPosViT) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: nn.GELU, NormEps: timmEps, Names: nn.TimmNames(), LayerScale: c.LayerScale, NoQKVBias: true,
	}
}

// MultiplyAdds implements [nn.Coster]. The relative position biases are the same for
// every image and not counted.
func (c RelPosViT) MultiplyAdds() float64 {
	blocks := c.blocks()
	return patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(c.Dims().Tokens) + float64(c.Width)*float64(c.EmbedDim)
}

type relPosViT struct {
	cfg    RelPosViT
	embed  *embed
	blocks *nn.Transformer
	bias   []*nn.RelativeMLP // of the blocks
	norm   *nn.LayerNorm
	proj   *nn.Linear
}

// New implements [Config].
func (c RelPosViT) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	v := &relPosViT{
		cfg:    c,
		embed:  newEmbed(c.Width, c.PatchSize, area(c.Grid())).withBias().withoutPositions(),
		blocks: nn.NewTransformer("visual.trunk", c.blocks()),
		norm:   nn.NewLayerNorm("visual.trunk.norm", c.Width, timmEps),
		proj:   newHeadProj(c.Width, c.EmbedDim),
	}
	for i := range c.Layers {
		name := fmt.Sprintf("visual.trunk.blocks.%d.attn.rel_pos.mlp", i)
		v.bias = append(v.bias, nn.NewRelativeMLP(name, c.Grid(), 1, c.RelPosWidth, c.Heads))
	}
	return v, nil
}

func (v *relPosViT) Config() Config { return v.cfg }

func (v *relPosViT) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	if in.Keep != nil {
		nn.Fail("RelPosViT", "its relative positions need all patches: patch dropout is not supported")
	}
	attend := func(i int, qkv *G.Node) *G.Node {
		return nn.BiasedAttention(qkv, v.bias[i].Forward(qkv.Graph()), v.cfg.Heads)
	}
	x := v.blocks.ForwardWith(v.embed.forward(in), attend, classToken) // (B, W)
	return v.proj.Forward(v.norm.Forward(x)), nil                      // (B, D)
}

func (v *relPosViT) Params() []*nn.Param {
	ps := append(v.embed.params(), v.blocks.Params()...)
	for _, b := range v.bias {
		ps = append(ps, b.Params()...)
	}
	return append(ps, paramsOf(v.norm, v.proj)...)
}

func (v *relPosViT) Depth(param string) int { return trunkDepth(param, v.cfg.Layers) }
