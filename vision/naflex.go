package vision

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// NaFlex is the Vision Transformer for images of any shape (Tschannen et al., 2025, SigLIP
// 2; from FlexiViT, Beyer et al., 2023, and NaViT, Dehghani et al., 2023) under timm's
// names: its position embedding is resized to each image's grid of patches. It reads
// pixels of one size or patches of several grids; see [Input]. The fields marked required
// have no default: checkpoints of one shape differ in them.
type NaFlex struct {
	ImageSize    [2]int // height and width of images that are given as pixels; required
	PatchSize    int    // side of a square patch; required
	PositionGrid [2]int // rows and columns of the position embedding; required
	Width        int    // of the residual stream; required
	Layers       int    // blocks; required
	Heads        int    // of attention, a divisor of Width; required
	EmbedDim     int    // size of the features; required

	MLPRatio   float64       `identity:"-"` // hidden width of the MLP over Width; zero means 4; an identity has it from the shapes
	Activation nn.Activation // of the MLPs, with SwiGLU of the pool's alone; required
	NormEps    float64       // LayerNorm's epsilon; required

	// Interpolation is how the position embedding is resized. Required.
	Interpolation Interpolation
	// Pool is PoolMean, in front of the last norm, or PoolMap, SigLIP's. Required.
	Pool      Pool
	PoolRatio float64 `identity:"-"` // hidden width of the pool's MLP over Width; zero means 4

	Registers    int     // tokens in front of the patches that are not pooled (Darcet et al., 2024)
	LayerScale   float64 // initial value of a LayerScale behind attention and MLP; zero for none
	NoQKVBias    bool    // queries, keys and values have no bias
	SwiGLU       bool    // the blocks' MLPs are gated (Shazeer, 2020), and keys have no bias
	NoProjection bool    // the pooled vector is the feature, and Width its size
}

// Family is "naflex".
func (NaFlex) Family() string { return "naflex" }

// Dims implements [Config].
func (c NaFlex) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, c.Registers + area(c.Grid())} }

// Grid returns the number of patches down and across of an image that is given as pixels.
func (c NaFlex) Grid() [2]int { return grid(c.ImageSize, c.PatchSize) }

// Resized implements [Resizer].
func (c NaFlex) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer]: none are of the image's grid, to which the tower resizes
// them itself.
func (c NaFlex) Positions() (param string, grid [2]int, prefix int) { return "", [2]int{}, 0 }

// Patch implements [PatchReader].
func (c NaFlex) Patch() int { return c.PatchSize }

// Validate implements [Config].
func (c NaFlex) Validate() error {
	if err := checkTransformer(c.ImageSize, c.PatchSize, c.Width, c.Layers, c.Heads, c.EmbedDim, c.MLPRatio, c.NormEps, c.Activation); err != nil {
		return err
	}
	if err := checkNumbers(number{"PositionGrid[0]", c.PositionGrid[0], 1, 1 << 10}, number{"PositionGrid[1]", c.PositionGrid[1], 1, 1 << 10},
		number{"Registers", c.Registers, 0, 1000}); err != nil {
		return err
	}
	switch {
	case c.Interpolation > Bilinear:
		return invalid("Interpolation", "is %d, want Bicubic or Bilinear", c.Interpolation)
	case c.Pool != PoolMean && c.Pool != PoolMap:
		return invalid("Pool", "is %v, want %v or %v", c.Pool, PoolMean, PoolMap)
	case !(c.PoolRatio >= 0 && c.PoolRatio <= 64):
		return invalid("PoolRatio", "is %g, want 0 (for 4) to 64", c.PoolRatio)
	case c.NoProjection && c.EmbedDim != c.Width:
		return invalid("EmbedDim", "is %d, but without projection the features have Width %d", c.EmbedDim, c.Width)
	}
	return checkLayerScale(c.LayerScale)
}

func (c NaFlex) blocks() nn.TransformerConfig {
	return nn.TransformerConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio),
		Activation: c.Activation, NormEps: c.NormEps, Names: nn.TimmNames(), LayerScale: c.LayerScale, NoQKVBias: c.NoQKVBias,
	}
}

func (c NaFlex) pool() latentPoolConfig {
	return latentPoolConfig{c.Width, c.Heads, nn.MLPWidth(c.Width, c.PoolRatio), c.Activation, c.NormEps}
}

// MultiplyAdds implements [nn.Coster].
func (c NaFlex) MultiplyAdds() float64 {
	blocks, tokens := c.blocks(), c.Dims().Tokens
	n := patchMultiplyAdds(c.ImageSize, c.PatchSize, c.Width) + blocks.MultiplyAdds(tokens)
	if c.SwiGLU {
		n += float64(c.Layers*tokens) * float64(c.Width) * float64(blocks.MLPWidth)
	}
	if c.Pool == PoolMap {
		n += c.pool().multiplyAdds(area(c.Grid()))
	}
	if c.NoProjection {
		return n
	}
	return n + float64(c.Width)*float64(c.EmbedDim)
}

type naFlex struct {
	cfg       NaFlex
	embed     *nn.Linear // (W, P·P·3)
	positions *nn.Param  // (1, h, w, W)
	registers *nn.Param  // (1, R, W); nil for none
	blocks    blockStack
	norm      *nn.LayerNorm
	pool      *latentPool // nil for the mean
	proj      *nn.Linear  // nil for none
}

// New implements [Config].
func (c NaFlex) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	const embeds = "visual.trunk.embeds."
	std := 1 / math.Sqrt(float64(c.Width))
	v := &naFlex{
		cfg:       c,
		embed:     newTrunkLinear("embeds.proj", 3*c.PatchSize*c.PatchSize, c.Width),
		positions: nn.NewParam(embeds+"pos_embed", 1, c.PositionGrid[0], c.PositionGrid[1], c.Width).Normal(std),
		blocks:    nn.NewTransformer("visual.trunk", c.blocks()),
		norm:      nn.NewLayerNorm("visual.trunk.norm", c.Width, c.NormEps),
	}
	if c.SwiGLU {
		v.blocks = newSwiGLUBlocks(swiGLUConfig{
			width: c.Width, layers: c.Layers, hidden: nn.MLPWidth(c.Width, c.MLPRatio), eps: c.NormEps, scale: c.LayerScale,
			names: swiGLUNames{"mlp.fc1", "mlp.fc2", "gamma_1", "gamma_2"}, noQKVBias: c.NoQKVBias, noKeyBias: true,
		})
	}
	if c.Registers > 0 {
		v.registers = nn.NewParam(embeds+"reg_token", 1, c.Registers, c.Width).Normal(std)
	}
	if c.Pool == PoolMap {
		v.pool = newLatentPool(c.pool())
	} else {
		v.norm = nn.NewLayerNorm("visual.trunk.fc_norm", c.Width, c.NormEps)
	}
	if !c.NoProjection {
		v.proj = newHeadProj(c.Width, c.EmbedDim)
	}
	return v, nil
}

func (v *naFlex) Config() Config { return v.cfg }

func (v *naFlex) Patches() int { return area(v.cfg.Grid()) }

func (v *naFlex) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	patches, grid := v.read(in)
	g, n := patches.Graph(), patches.Shape()[1]
	x := v.embed.Forward(patches) // (B, N, W)
	x = nn.GridPositions(x, grid, v.positions.Node(g), nn.Interpolation(v.cfg.Interpolation))
	if in.Keep != nil {
		x = nn.Keep(x, in.Keep, 0) // (B, K, W)
	}
	if v.registers != nil {
		x = nn.Prepend(v.registers.Node(g), x) // (B, R+N, W)
	}
	attending := nn.Attending{Heads: v.cfg.Heads}
	var keys *G.Node // the patches that are no padding; nil for all
	if in.Patches != nil {
		attending.Keys = nn.KeysOfGrid(grid, v.cfg.Registers, n)
		keys = nn.KeysOfGrid(grid, 0, n)
	}
	x = v.blocks.ForwardWith(x, func(_ int, qkv *G.Node) *G.Node { return nn.Attend(qkv, attending) }, nil)
	if v.pool != nil {
		x = v.pool.forward(nn.TokensFrom(v.norm.Forward(x), v.cfg.Registers), keys) // (B, W)
	} else {
		x = v.norm.Forward(v.mean(nn.TokensFrom(x, v.cfg.Registers), keys)) // (B, W)
	}
	if v.proj != nil {
		x = v.proj.Forward(x) // (B, D)
	}
	return x, nil
}

// read returns the patches, (B, N, P·P·3), and their grids, (B, 2).
func (v *naFlex) read(in Input) (patches, grid *G.Node) {
	size := v.cfg.PatchSize
	if in.Patches == nil {
		in.check(v.cfg.ImageSize)
		patches, b, g := nn.Patchify(in.Pixels, size), in.Pixels.Shape()[0], v.cfg.Grid()
		grids := slices.Repeat([]int32{int32(g[0]), int32(g[1])}, b)
		return patches, nn.Leaf(patches.Graph(), fmt.Sprintf("grid@%p", v), grids, b, 2)
	}
	if in.Keep != nil {
		nn.Fail("NaFlex", "patch dropout is not supported for patches of several grids")
	}
	nn.WantShape("NaFlex", "patches", in.Patches, -1, -1, 3*size*size)
	nn.WantShape("NaFlex", "grids", in.Grid, in.Patches.Shape()[0], 2)
	return in.Patches, in.Grid
}

func (v *naFlex) mean(x, keys *G.Node) *G.Node {
	if keys == nil {
		return nn.Mean(x, 0)
	}
	return nn.MeanOf(x, keys)
}

func (v *naFlex) Params() []*nn.Param {
	ps := append([]*nn.Param{v.positions}, v.embed.Params()...)
	if v.registers != nil {
		ps = append(ps, v.registers)
	}
	ps = append(ps, paramsOf(v.blocks, v.norm)...)
	if v.pool != nil {
		ps = append(ps, v.pool.Params()...)
	}
	if v.proj != nil {
		ps = append(ps, v.proj.Params()...)
	}
	return ps
}

func (v *naFlex) Depth(param string) int { return trunkDepth(param, v.cfg.Layers) }
