package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// TIPS is the Vision Transformer of TIPS v2 (Maninis et al., 2025, TIPS, is its first
// version). It is DINOv2's (Oquab et al., 2024) with registers behind the class token
// (Darcet et al., 2024). The class token is the feature, without a projection. Its
// parameters have timm's names. The fields marked required have no default: checkpoints of
// one shape differ in them.
type TIPS struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required
	Width     int    // of the residual stream, and size of the features; required
	Layers    int    // blocks; required
	Heads     int    // of attention, a divisor of Width; required
	Registers int    // tokens without positions, zero for none

	// MLPRatio is the hidden width of the MLP over Width, zero meaning 4. With SwiGLU two
	// thirds of that remain, rounded up to a multiple of 8. An identity has it from the
	// shapes.
	MLPRatio   float64       `identity:"-"`
	SwiGLU     bool          // the MLP is gated (Shazeer, 2020)
	Activation nn.Activation // of the MLP, without SwiGLU; required
	NormEps    float64       // LayerNorm's epsilon; required
	LayerScale float64       `identity:"-"` // initial value of the LayerScales in training; required
	NoQKVBias  bool          // queries, keys and values have no bias
}

// Family is "tips".
func (TIPS) Family() string { return "tips" }

// Dims implements [Config].
func (c TIPS) Dims() Dims { return Dims{c.ImageSize, c.Width, 1 + c.Registers + area(c.Grid())} }

// Grid returns the number of patches down and across.
func (c TIPS) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c TIPS) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer].
func (c TIPS) Positions() (param string, grid [2]int, prefix int) {
	return "visual.trunk.pos_embed", c.Grid(), 1
}

// PositionsBy implements [PositionResizer]: bilinear, with antialiasing.
func (c TIPS) PositionsBy() nn.Interpolation { return nn.Bilinear }

// Validate implements [Config].
func (c TIPS) Validate() error {
	if err := checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.Width, c.MLPRatio, c.NormEps, c.Activation); err != nil {
		return err
	}
	if c.LayerScale == 0 {
		return invalid("LayerScale", "is 0, want what scales begin with")
	}
	if err := checkLayerScale(c.LayerScale); err != nil {
		return err
	}
	return checkNumbers(number{"Registers", c.Registers, 0, 1000})
}

// hidden is the hidden width of the MLP.
func (c TIPS) hidden() int {
	h := nn.MLPWidth(c.Width, c.MLPRatio)
	if c.SwiGLU {
		h = (int(float64(h)*2/3) + 7) / 8 * 8
	}
	return h
}

func (c TIPS) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: c.hidden(),
		Activation: c.Activation, NormEps: c.NormEps, Names: nn.TimmNames(), LayerScale: c.LayerScale, NoQKVBias: c.NoQKVBias,
	}
}

// MultiplyAdds implements [nn.Coster].
func (c TIPS) MultiplyAdds() float64 {
	blocks, tokens := c.blocks(), c.Dims().Tokens
	n := patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(tokens)
	if c.SwiGLU {
		n += float64(c.Layers*tokens) * float64(c.Width) * float64(c.hidden())
	}
	return n
}

type tips struct {
	cfg       TIPS
	embed     *embed
	mask      *nn.Param // (1, W), of pretraining; a buffer that is kept with the checkpoint
	registers *nn.Param // (1, R, W); nil without any
	blocks    blockStack
	norm      *nn.LayerNorm
}

// New implements [Config].
func (c TIPS) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	v := &tips{
		cfg:    c,
		embed:  newEmbed(c.Width, c.PatchSize, area(c.Grid())).withBias(),
		mask:   nn.NewParam("visual.trunk.mask_token", 1, c.Width),
		blocks: nn.NewTransformer("visual.trunk", c.blocks()),
		norm:   nn.NewLayerNorm("visual.trunk.norm", c.Width, c.NormEps),
	}
	v.mask.Buffer = true
	if c.Registers > 0 {
		v.registers = nn.NewParam("visual.trunk.register_tokens", 1, c.Registers, c.Width).Normal(1 / math.Sqrt(float64(c.Width)))
	}
	if c.SwiGLU {
		v.blocks = newSwiGLUBlocks(swiGLUConfig{
			width: c.Width, layers: c.Layers, hidden: c.hidden(), eps: c.NormEps, scale: c.LayerScale,
			names: swiGLUNames{"mlp.w12", "mlp.w3", "ls1.gamma", "ls2.gamma"}, noQKVBias: c.NoQKVBias,
		})
	}
	return v, nil
}

func (v *tips) Config() Config { return v.cfg }

func (v *tips) Patches() int { return area(v.cfg.Grid()) }

func (v *tips) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	x := v.embed.forward(in) // (B, 1+P, W)
	if v.registers != nil {
		x = nn.Insert(v.registers.Node(x.Graph()), x, 1) // (B, 1+R+P, W)
	}
	attend := func(_ int, qkv *G.Node) *G.Node { return nn.Attention(qkv, v.cfg.Heads, nn.NoMask, nil) }
	return v.norm.Forward(v.blocks.ForwardWith(x, attend, classToken)), nil // (B, W)
}

func (v *tips) Params() []*nn.Param {
	ps := append(v.embed.params(), v.mask)
	if v.registers != nil {
		ps = append(ps, v.registers)
	}
	return append(ps, paramsOf(v.blocks, v.norm)...)
}

func (v *tips) Depth(param string) int { return trunkDepth(param, v.cfg.Layers) }
