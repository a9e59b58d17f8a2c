package vision

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// FastViT is the image tower of MobileCLIP (Vasu et al., 2023, FastViT; Vasu et al., 2024,
// MobileCLIP: MCi0 to MCi2; Faghri et al., 2025, MobileCLIP2: MCi3 and MCi4) under timm's
// names: convolutions that are sums of branches, and attention in the last stages. With
// five stages instead of four it is the design of MCi3: attention in the last two,
// LayerNorm before it, and squeeze-and-excitation at the end alone.
type FastViT struct {
	ImageSize [2]int // height and width in pixels, 32 or more; required
	Widths    [5]int // channels of each stage, a multiple of 32 where it has attention; the fifth is 0 where there are four; required
	Depths    [5]int // blocks of each stage; required
	EmbedDim  int    // size of the features; required

	MLPRatios [5]float64 `identity:"-"` // hidden width of the MLPs over Widths; zero means 4; an identity has it from the shapes
}

// fastViTHead is the width of an attention head.
const fastViTHead = 32

// Family is "fastvit".
func (FastViT) Family() string { return "fastvit" }

// Stages is the number of stages.
func (c FastViT) Stages() int {
	if c.Widths[4] == 0 {
		return 4
	}
	return 5
}

// attention reports whether a stage's blocks have attention.
func (c FastViT) attention(stage int) bool { return stage >= 3 }

// Dims implements [Config].
func (c FastViT) Dims() Dims {
	return Dims{c.ImageSize, c.EmbedDim, area(halved(halved(c.stage(0))))}
}

// halved is the size of an image behind a convolution with stride 2.
func halved(size [2]int) [2]int { return [2]int{(size[0] + 1) / 2, (size[1] + 1) / 2} }

// stage is the size of the images of a stage.
func (c FastViT) stage(i int) [2]int {
	size := halved(halved(c.ImageSize))
	for range i {
		size = halved(size)
	}
	return size
}

// Resized implements [Resizer]: there are no positions of a grid, so any size will do.
func (c FastViT) Resized(size [2]int) Config {
	c.ImageSize = size
	return c
}

// Positions implements [Resizer]: there are none.
func (c FastViT) Positions() (param string, grid [2]int, prefix int) { return "", [2]int{}, 0 }

// Validate implements [Config].
func (c FastViT) Validate() error {
	fields := []number{{"ImageSize[0]", c.ImageSize[0], 32, maxDim}, {"ImageSize[1]", c.ImageSize[1], 32, maxDim}, {"EmbedDim", c.EmbedDim, 1, maxDim}}
	for i := range c.Stages() {
		fields = append(fields, number{fmt.Sprintf("Widths[%d]", i), c.Widths[i], 1, maxDim}, number{fmt.Sprintf("Depths[%d]", i), c.Depths[i], 1, 1000})
	}
	if err := checkNumbers(fields...); err != nil {
		return err
	}
	for i := range c.Stages() {
		field := fmt.Sprintf("Widths[%d]", i)
		if i > 0 && c.Widths[i]%c.Widths[i-1] != 0 {
			return invalid(field, "is %d, want a multiple of %d, the width of the stage before it", c.Widths[i], c.Widths[i-1])
		}
		if c.attention(i) && c.Widths[i]%fastViTHead != 0 {
			return invalid(field, "is %d, want a multiple of %d, the width of a head", c.Widths[i], fastViTHead)
		}
		if r := c.MLPRatios[i]; !(r >= 0 && r <= 64) || r > 0 && nn.MLPWidth(c.Widths[i], r) < 1 {
			return invalid(fmt.Sprintf("MLPRatios[%d]", i), "is %g, want 0 (for 4) to 64", r)
		}
	}
	if c.Stages() == 4 && (c.Depths[4] != 0 || c.MLPRatios[4] != 0) {
		return invalid("Widths[4]", "is 0 beside %d blocks of ratio %g in the fifth stage", c.Depths[4], c.MLPRatios[4])
	}
	return nil
}

// MultiplyAdds implements [nn.Coster]. It counts convolutions as they are computed, their
// branches in one.
func (c FastViT) MultiplyAdds() float64 {
	first := float64(c.Widths[0])
	n := float64(area(halved(c.ImageSize)))*9*3*first + float64(area(c.stage(0)))*(9*first+first*first)
	for i := range c.Stages() {
		l, w := float64(area(c.stage(i))), float64(c.Widths[i])
		if i > 0 {
			n += l * (49*w + w*w)
		}
		block := 49*w + 2*w*float64(nn.MLPWidth(c.Widths[i], c.MLPRatios[i]))
		if c.attention(i) {
			n += l * 49 * w
			block += 4*w*w + 2*l*w
		} else {
			block += 9 * w
		}
		n += float64(c.Depths[i]) * l * block
	}
	last := 2 * float64(c.Widths[c.Stages()-1])
	return n + float64(area(c.stage(c.Stages()-1)))*9*last + 2*last*math.Round(last/16) + last*float64(c.EmbedDim)
}

type fastViT struct {
	cfg    FastViT
	stem   [3]*mobileOne
	stages []*fastViTStage
	final  *mobileOne
	head   *nn.Linear
}

// New implements [Config].
func (c FastViT) New() (Tower, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	first, last := c.Widths[0], c.Widths[c.Stages()-1]
	scaled := c.Stages() == 4 // the stem's branches of 1×1
	v := &fastViT{
		cfg: c,
		stem: [3]*mobileOne{
			newMobileOne("visual.trunk.stem.0", 3, first, 3, 2, 1, scaled),
			newMobileOne("visual.trunk.stem.1", first, first, 3, 2, first, scaled),
			newMobileOne("visual.trunk.stem.2", first, first, 1, 1, 1, false),
		},
		final: newMobileOne("visual.trunk.final_conv", last, 2*last, 3, 1, last, true),
		head:  newTrunkLinear("head.fc", 2*last, c.EmbedDim),
	}
	v.final.gate = newSqueezeExcite("visual.trunk.final_conv.se", 2*last, (2*last+8)/16)
	for i := range c.Stages() {
		v.stages = append(v.stages, newFastViTStage(c, i))
	}
	return v, nil
}

func (v *fastViT) Config() Config { return v.cfg }

func (v *fastViT) Forward(in Input) (features *G.Node, err error) {
	defer nn.Catch(&err, "vision: forward")
	in.check(v.cfg.ImageSize)
	if in.Keep != nil {
		nn.Fail("FastViT", "patch dropout is not supported: convolutions need the whole image")
	}
	x := nn.ChannelsLast(in.Pixels) // (B, H, W, 3)
	for _, m := range v.stem {
		x = m.forward(x)
	} // (B, H/4, W/4, C)
	for _, s := range v.stages {
		x = s.forward(x)
	} // (B, H/32, W/32, 8·C)
	x = nn.SpatialMean(v.final.forward(x)) // (B, 16·C)
	return v.head.Forward(x), nil          // (B, D)
}

func (v *fastViT) Params() []*nn.Param {
	var ps []*nn.Param
	for _, m := range v.stem {
		ps = append(ps, m.params()...)
	}
	for _, s := range v.stages {
		ps = append(ps, s.params()...)
	}
	return append(append(ps, v.final.params()...), v.head.Params()...)
}

// Depth counts stages as layers.
func (v *fastViT) Depth(param string) int {
	return nn.Depth(param, "visual.trunk.stages.", len(v.stages), "visual.trunk.stem.")
}

// fastViTStage halves the image, but for the first one, adds to it what its surroundings
// say of positions where there is attention, and runs its blocks.
type fastViTStage struct {
	down    [2]*mobileOne // nil in the first stage
	pos     *nn.Param     // (C, 1, 7, 7); nil without attention
	posBias *nn.Param     // (C)
	blocks  []fastViTBlock
}

// fastViTBlock maps (B, H, W, C) to (B, H, W, C).
type fastViTBlock interface {
	forward(x *G.Node) *G.Node
	params() []*nn.Param
}

func newFastViTStage(c FastViT, i int) *fastViTStage {
	name, w := fmt.Sprintf("visual.trunk.stages.%d.", i), c.Widths[i]
	s := &fastViTStage{}
	if i > 0 {
		in := c.Widths[i-1]
		s.down = [2]*mobileOne{newLargeKernel(name+"downsample.proj.0", in, w), newMobileOne(name+"downsample.proj.1", w, w, 1, 1, 1, false)}
		if c.Stages() == 4 && i >= 2 {
			s.down[0].gate = newSqueezeExcite(name+"downsample.proj.0.se", w, max(8, (w/4+4)/8*8))
		}
	}
	if c.attention(i) {
		s.pos = nn.NewParam(name+"pos_emb.pos_enc.weight", w, 1, 7, 7).Uniform(1. / 7)
		s.posBias = nn.NewParam(name+"pos_emb.pos_enc.bias", w)
	}
	for j := range c.Depths[i] {
		block, hidden := fmt.Sprintf("%sblocks.%d", name, j), nn.MLPWidth(w, c.MLPRatios[i])
		if c.attention(i) {
			s.blocks = append(s.blocks, newAttentionMix(block, w, hidden, c.Stages() == 5))
		} else {
			s.blocks = append(s.blocks, newRepMixer(block, w, hidden))
		}
	}
	return s
}

func (s *fastViTStage) forward(x *G.Node) *G.Node {
	if s.down[0] != nil {
		x = s.down[1].forward(s.down[0].forward(x)) // (B, H/2, W/2, C)
	}
	if s.pos != nil {
		x = nn.Add(x, (&nn.DepthwiseConv{Weight: s.pos, Bias: s.posBias, Stride: 1, Pad: 3}).Forward(x))
	}
	for _, b := range s.blocks {
		x = b.forward(x)
	}
	return x
}

func (s *fastViTStage) params() []*nn.Param {
	var ps []*nn.Param
	if s.down[0] != nil {
		ps = append(s.down[0].params(), s.down[1].params()...)
	}
	if s.pos != nil {
		ps = append(ps, s.pos, s.posBias)
	}
	for _, b := range s.blocks {
		ps = append(ps, b.params()...)
	}
	return ps
}
