package vision

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// swiGLUBlocks are pre-norm blocks whose MLPs are gated by SiLU (Shazeer, 2020), with both
// halves of the hidden layer in one matrix: timm's EvaBlock, and DINOv2's.
type swiGLUBlocks []*swiGLUBlock

// swiGLUConfig is what towers differ in.
type swiGLUConfig struct {
	width, layers, hidden int
	eps, scale            float64 // of norms; initial value of LayerScale, 0 for none
	names                 swiGLUNames
	noQKVBias, noKeyBias  bool // there are no biases; there are q_bias and v_bias, instead of one for all
}

// swiGLUNames are the names of parts within a block.
type swiGLUNames struct{ fc1, fc2, scale1, scale2 string }

func newSwiGLUBlocks(c swiGLUConfig) swiGLUBlocks {
	var blocks swiGLUBlocks
	for i := range c.layers {
		blocks = append(blocks, newSwiGLUBlock(fmt.Sprintf("blocks.%d.", i), c))
	}
	return blocks
}

// ForwardWith maps (B, L, W) to (B, L, W), or with pick to the tokens that the last block
// picks.
func (s swiGLUBlocks) ForwardWith(x *G.Node, attend func(i int, qkv *G.Node) *G.Node, pick func(*G.Node) *G.Node) *G.Node {
	for i, b := range s {
		picked := allTokens
		if pick != nil && i == len(s)-1 {
			picked = pick
		}
		x = b.forward(x, func(qkv *G.Node) *G.Node { return attend(i, qkv) }, picked)
	}
	return x
}

func (s swiGLUBlocks) Params() []*nn.Param {
	var ps []*nn.Param
	for _, b := range s {
		if b.qBias != nil {
			ps = append(ps, b.qBias, b.vBias)
		}
		ps = append(ps, paramsOf(b.norm1, b.qkv, b.proj, b.scale1, b.norm2, b.fc1, b.fc2, b.scale2)...)
	}
	return ps
}

type swiGLUBlock struct {
	norm1          *nn.LayerNorm
	qkv            *nn.Linear
	qBias, vBias   *nn.Param // (W), where qkv has no bias; nil for none
	proj           *nn.Linear
	norm2          *nn.LayerNorm
	fc1            *nn.Linear // (2·M, W): what gates, then what is gated
	fc2            *nn.Linear
	scale1, scale2 *nn.LayerScale // nil for none
}

func newSwiGLUBlock(name string, c swiGLUConfig) *swiGLUBlock {
	trunk := "visual.trunk." + name
	b := &swiGLUBlock{
		norm1: nn.NewLayerNorm(trunk+"norm1", c.width, c.eps),
		qkv:   newTrunkLinear(name+"attn.qkv", c.width, 3*c.width),
		proj:  newResidualLinear(name+"attn.proj", c.width, c.width, c.layers),
		norm2: nn.NewLayerNorm(trunk+"norm2", c.width, c.eps),
		fc1:   newTrunkLinear(name+c.names.fc1, c.width, 2*c.hidden),
		fc2:   newResidualLinear(name+c.names.fc2, c.hidden, c.width, c.layers),
	}
	if c.noQKVBias || c.noKeyBias {
		b.qkv.Bias = nil
	}
	if c.noKeyBias && !c.noQKVBias {
		b.qBias, b.vBias = nn.NewParam(trunk+"attn.q_bias", c.width), nn.NewParam(trunk+"attn.v_bias", c.width)
	}
	if c.scale != 0 {
		b.scale1 = nn.NewNamedLayerScale(trunk+c.names.scale1, c.width, c.scale)
		b.scale2 = nn.NewNamedLayerScale(trunk+c.names.scale2, c.width, c.scale)
	}
	return b
}

// forward maps (B, L, W) to the tokens that are picked of it.
func (b *swiGLUBlock) forward(x *G.Node, attend, pick func(*G.Node) *G.Node) *G.Node {
	y := attend(b.project(b.norm1.Forward(x))) // (B, L, W)
	x = nn.Add(pick(x), b.scale1.Forward(b.proj.Forward(pick(y))))
	y = b.fc1.Forward(b.norm2.Forward(x)) // (…, 2·M)
	half := b.fc2.Weight.Shape[1]
	y = nn.SwiGLU(nn.Columns(y, 0, half), nn.Columns(y, half, half))
	return nn.Add(x, b.scale2.Forward(b.fc2.Forward(y)))
}

// project maps (B, L, W) to (B, L, 3W).
func (b *swiGLUBlock) project(x *G.Node) *G.Node {
	if b.qBias == nil {
		return b.qkv.Forward(x)
	}
	g := x.Graph()
	return b.qkv.ForwardWith(x, nn.QVBias(b.qBias.Node(g), b.vBias.Node(g)))
}
