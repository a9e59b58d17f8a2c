package vision

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Swin is the Swin Transformer (Liu et al., 2021) under timm's names: four stages of
// attention within windows, every second time shifted by half a window, followed by
// open_clip's linear projection.
type Swin struct {
	ImageSize [2]int // height and width in pixels; required
	Window    int    // side of a window, in patches of 4 pixels at first; required
	Width     int    // of the first stage; each has twice that of the one before it; required
	Depths    [4]int // blocks of each stage; required
	Heads     [4]int // of attention in each stage; required
	EmbedDim  int    // size of the features; required

	MLPRatio float64 `identity:"-"` // hidden width of the MLP over a stage's; zero means 4; an identity has it from the shapes
}

// swinPatch is the side of a patch in the first stage.
const swinPatch = 4

// swinEps is the epsilon of LayerNorms.
const swinEps = 1e-5

// Family is "swin".
func (Swin) Family() string { return "swin" }

// Dims implements [Config].
func (c Swin) Dims() Dims { return Dims{c.ImageSize, c.EmbedDim, area(c.stage(0))} }

// stage is the number of patches of a stage, down and across.
func (c Swin) stage(i int) [2]int {
	size := grid(c.ImageSize, swinPatch)
	for range i {
		size = halved(size)
	}
	return size
}

// width is that of a stage.
func (c Swin) width(i int) int { return c.Width << i }

// windows are those of a block. Where an image fits into one, along an axis, that one is
// as large as it and not shifted.
func (c Swin) windows(stage, block int) nn.Windows {
	w := nn.Windows{Image: c.stage(stage)}
	for i, side := range w.Image {
		w.Window[i] = min(side, c.Window)
		if block%2 == 1 && side > c.Window {
			w.Shift[i] = c.Window / 2
		}
	}
	return w
}

// Validate implements [Config].
func (c Swin) Validate() error {
	fields := []number{{"Window", c.Window, 1, 1000}, {"Width", c.Width, 1, maxDim >> 3}}
	for i := range c.Depths {
		fields = append(fields, number{fmt.Sprintf("Depths[%d]", i), c.Depths[i], 1, 1000}, number{fmt.Sprintf("Heads[%d]", i), c.Heads[i], 1, maxDim})
	}
	if err := checkNumbers(fields...); err != nil {
		return err
	}
	for i, h := range c.Heads {
		if c.width(i)%h != 0 {
			return invalid(fmt.Sprintf("Heads[%d]", i), "is %d, which does not divide the stage's width %d", h, c.width(i))
		}
	}
	return checkTransformer(c.ImageSize, swinPatch, c.Width, 1, 1, c.EmbedDim, c.MLPRatio, swinEps, nn.GELU)
}

// MultiplyAdds implements [nn.Coster].
func (c Swin) MultiplyAdds() float64 {
	n := patchMultiplyAdds(c.ImageSize, swinPatch, c.Width)
	for i := range c.Depths {
		l, w := float64(area(c.stage(i))), float64(c.width(i))
		if i > 0 {
			n += l * 2 * w * w
		}
		seen := float64(area(c.windows(i, 0).Window))
		n += float64(c.Depths[i]) * l * (4*w*w + 2*w*float64(nn.MLPWidth(c.width(i), c.MLPRatio)) + 2*seen*w)
	}
	return n + float64(c.width(3))*float64(c.EmbedDim)
}

type swin struct {
	cfg       Swin
	embed     *embed
	embedNorm *nn.LayerNorm
	stages    [4]*swinStage
	norm      *nn.LayerNorm
	head      *nn.Linear
}

// New implements [Config].
func (c Swin) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	v := &swin{
		cfg:       c,
		embed:     newEmbed(c.Width, swinPatch, area(c.stage(0))).withBias().withoutClass().withoutPositions(),
		embedNorm: nn.NewLayerNorm("visual.trunk.patch_embed.norm", c.Width, swinEps),
		norm:      nn.NewLayerNorm("visual.trunk.norm", c.width(3), swinEps),
		head:      newHeadProj(c.width(3), c.EmbedDim),
	}
	for i := range v.stages {
		v.stages[i] = newSwinStage(c, i)
	}
	return v, nil
}

func (v *swin) Config() Config { return v.cfg }

func (v *swin) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	if in.Keep != nil {
		nn.Fail("Swin", "patch dropout is not supported: windows need the whole image")
	}
	size := v.cfg.stage(0)
	x := nn.Pixels(v.embedNorm.Forward(v.embed.forward(in)), size[0], size[1]) // (B, H/4, W/4, C)
	for _, s := range v.stages {
		x = s.forward(x)
	} // (B, H/32, W/32, 8·C)
	return v.head.Forward(nn.SpatialMean(v.norm.Forward(x))), nil // (B, D)
}

func (v *swin) Params() []*nn.Param {
	ps := append(v.embed.params(), v.embedNorm.Params()...)
	for _, s := range v.stages {
		ps = append(ps, s.params()...)
	}
	return append(ps, paramsOf(v.norm, v.head)...)
}

// Depth counts stages as layers.
func (v *swin) Depth(param string) int {
	return nn.Depth(param, "visual.trunk.layers.", len(v.stages), "visual.trunk.patch_embed.")
}

// swinStage halves the image, but for the first one, and runs its blocks.
type swinStage struct {
	norm   *nn.LayerNorm // nil in the first stage
	reduce *nn.Linear    // nil in the first stage
	blocks []*swinBlock
}

func newSwinStage(c Swin, i int) *swinStage {
	name, w := fmt.Sprintf("layers.%d.", i), c.width(i)
	s := &swinStage{}
	if i > 0 {
		s.norm = nn.NewLayerNorm("visual.trunk."+name+"downsample.norm", 2*w, swinEps)
		s.reduce = newTrunkLinear(name+"downsample.reduction", 2*w, w)
		s.reduce.Bias = nil
	}
	for j := range c.Depths[i] {
		s.blocks = append(s.blocks, newSwinBlock(c, i, j))
	}
	return s
}

func (s *swinStage) forward(x *G.Node) *G.Node {
	if s.reduce != nil {
		x = s.reduce.Forward(s.norm.Forward(nn.MergePatches(x))) // (B, H/2, W/2, 2·C)
	}
	for _, b := range s.blocks {
		x = b.forward(x)
	}
	return x
}

func (s *swinStage) params() []*nn.Param {
	var ps []*nn.Param
	if s.reduce != nil {
		ps = paramsOf(s.norm, s.reduce)
	}
	for _, b := range s.blocks {
		ps = append(ps, paramsOf(b.norm1, b.qkv, b.proj, b.norm2, b.fc1, b.fc2)...)
		ps = append(ps, b.table)
	}
	return ps
}

// swinBlock is figure 3 (b) of the paper, with a bias of the scores for each distance.
type swinBlock struct {
	norm1, norm2 *nn.LayerNorm
	qkv, proj    *nn.Linear
	table        *nn.Param // ((2h−1)·(2w−1), heads)
	fc1, fc2     *nn.Linear
	heads        int
	windows      nn.Windows
}

func newSwinBlock(c Swin, i, j int) *swinBlock {
	name, w, windows := fmt.Sprintf("layers.%d.blocks.%d.", i, j), c.width(i), c.windows(i, j)
	hidden, layers := nn.MLPWidth(w, c.MLPRatio), c.Depths[0]+c.Depths[1]+c.Depths[2]+c.Depths[3]
	return &swinBlock{
		norm1: nn.NewLayerNorm("visual.trunk."+name+"norm1", w, swinEps),
		norm2: nn.NewLayerNorm("visual.trunk."+name+"norm2", w, swinEps),
		qkv:   newTrunkLinear(name+"attn.qkv", w, 3*w),
		proj:  newResidualLinear(name+"attn.proj", w, w, layers),
		table: nn.NewParam("visual.trunk."+name+"attn.relative_position_bias_table",
			(2*windows.Window[0]-1)*(2*windows.Window[1]-1), c.Heads[i]).Normal(0.02),
		fc1:     newTrunkLinear(name+"mlp.fc1", w, hidden),
		fc2:     newResidualLinear(name+"mlp.fc2", hidden, w, layers),
		heads:   c.Heads[i],
		windows: windows,
	}
}

// forward maps (B, H, W, C) to (B, H, W, C).
func (b *swinBlock) forward(x *G.Node) *G.Node {
	bias := nn.RelativePositions(b.table.Node(x.Graph()), b.windows.Window, 0) // (heads, L, L)
	y := b.qkv.Forward(b.windows.Partition(b.norm1.Forward(x)))                // (B·N, L, 3·C)
	y = b.proj.Forward(b.windows.Attention(y, bias, b.heads))
	x = nn.Add(x, b.windows.Merge(y))
	return nn.Add(x, b.fc2.Forward(nn.Activate(nn.GELU, b.fc1.Forward(b.norm2.Forward(x)))))
}
