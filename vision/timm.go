package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// grid is the number of patches down and across.
func grid(size [2]int, patch int) [2]int {
	p := max(patch, 1) // where Validate was not asked yet
	return [2]int{size[0] / p, size[1] / p}
}

func area(grid [2]int) int { return grid[0] * grid[1] }

// embed is how timm's Vision Transformers begin: patches, in front of them a class
// token where there is one, and positions.
type embed struct {
	weight *nn.Param // (W, 3, patch, patch)
	bias   *nn.Param // (W); nil for none
	class  *nn.Param // (1, 1, W); nil for none
	pos    *nn.Param // (1, L, W); nil for none
}

// newEmbed returns one with a class token and without a bias.
func newEmbed(width, patch, patches int) *embed {
	return &embed{
		weight: nn.NewPatchWeight("visual.trunk.patch_embed.proj.weight", width, 3, patch).Uniform(1 / math.Sqrt(float64(3*patch*patch))),
		class:  nn.NewParam("visual.trunk.cls_token", 1, 1, width).Normal(1 / math.Sqrt(float64(width))),
		pos:    nn.NewParam("visual.trunk.pos_embed", 1, 1+patches, width).Normal(1 / math.Sqrt(float64(width))),
	}
}

func (e *embed) withBias() *embed {
	e.bias = nn.NewParam("visual.trunk.patch_embed.proj.bias", e.weight.Shape[0])
	return e
}

func (e *embed) withoutClass() *embed {
	e.class = nil
	e.pos.Shape[1]--
	return e
}

func (e *embed) withoutPositions() *embed {
	e.pos = nil
	return e
}

func (e *embed) forward(in Input) *G.Node {
	x, prefix := nn.PatchEmbed(in.Pixels, e.weight, e.bias), 0 // (B, P, W)
	if e.class != nil {
		x, prefix = nn.Prepend(e.class.Node(x.Graph()), x), 1 // (B, 1+P, W)
	}
	if e.pos != nil {
		x = nn.AddPositions(x, e.pos.Node(x.Graph()))
	}
	if in.Keep != nil {
		x = nn.Keep(x, in.Keep, prefix) // (B, 1+K, W)
	}
	return x
}

// params lists them in timm's order.
func (e *embed) params() []*nn.Param {
	var ps []*nn.Param
	for _, p := range []*nn.Param{e.class, e.pos, e.weight, e.bias} {
		if p != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

// patchMultiplyAdds counts those of the patches' projection.
func patchMultiplyAdds(size [2]int, patch, width int) float64 {
	return float64(area(grid(size, patch))) * float64(3*patch*patch) * float64(width)
}

// newTrunkLinear returns a linear layer of visual.trunk, which is what open_clip calls
// a tower of timm's.
func newTrunkLinear(name string, in, out int) *nn.Linear {
	l := nn.NewLinear("visual.trunk."+name, in, out)
	l.Weight.Normal(1 / math.Sqrt(float64(in)))
	return l
}

// newResidualLinear is [newTrunkLinear] for what is added to the residual stream of so
// many blocks, to which it adds less the more there are.
func newResidualLinear(name string, in, out, layers int) *nn.Linear {
	l := newTrunkLinear(name, in, out)
	l.Weight.Normal(1 / math.Sqrt(2*float64(in*layers)))
	return l
}

// blockStack is a stack of blocks, with an attention that maps packed queries, keys and
// values, (B, L, 3W), to (B, L, W), of which the last block picks tokens.
type blockStack interface {
	ForwardWith(x *G.Node, attend func(i int, qkv *G.Node) *G.Node, pick func(*G.Node) *G.Node) *G.Node
	Params() []*nn.Param
}

// allTokens is what a block computes of all tokens where they are all needed.
func allTokens(x *G.Node) *G.Node { return x }

// classToken is what the last block computes of all tokens where the class token is
// the feature.
func classToken(x *G.Node) *G.Node { return nn.Token(x, 0) }

// paramsOf lists the parameters of layers.
func paramsOf(layers ...interface{ Params() []*nn.Param }) []*nn.Param {
	var ps []*nn.Param
	for _, l := range layers {
		ps = append(ps, l.Params()...)
	}
	return ps
}

// trunkDepth is what [nn.Layered] asks for.
func trunkDepth(param string, layers int) int {
	return nn.Depth(param, "visual.trunk.blocks.", layers,
		"visual.trunk.patch_embed.", "visual.trunk.cls_token", "visual.trunk.pos_embed", "visual.trunk.norm_pre.", "visual.trunk.embeds.", "visual.trunk.mask_token", "visual.trunk.register_tokens")
}
