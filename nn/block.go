package nn

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// Block is a pre-norm residual attention block, the unit of both towers:
//
//	x = x + attn(ln_1(x))
//	x = x + mlp(ln_2(x))
type Block struct {
	LN1    *LayerNorm
	InProj *Linear // queries, keys and values packed: (3W, W)
	Out    *Linear
	LN2    *LayerNorm
	FC     *Linear // (M, W)
	Proj   *Linear // (W, M)
	Heads  int
	Act    kernel.Activation
}

// Forward maps (B, L, W) to (B, L, W). Last is read by the padding mask only.
//
// Pick, where not nil, reduces the tokens to the one of each sample that is
// wanted of the last block, (B, L, W) → (B, W). The others are needed as keys and
// values only, so all that follows the attention is computed for the one.
func (b *Block) Forward(x *G.Node, mask Mask, last *G.Node, pick func(*G.Node) *G.Node) *G.Node {
	qkv := b.InProj.Forward(b.LN1.Forward(x)) // (B, L, 3W)
	a := Attention(qkv, b.Heads, mask, last)
	if pick != nil {
		a, x = pick(a), pick(x) // (B, W)
	}
	x = Add(x, b.Out.Forward(a))
	h := Activate(b.Act, b.FC.Forward(b.LN2.Forward(x))) // (…, M)
	return Add(x, b.Proj.Forward(h))
}

// Params lists the block's parameters in open_clip's order.
func (b *Block) Params() []*Param {
	var ps []*Param
	for _, l := range []interface{ Params() []*Param }{b.LN1, b.InProj, b.Out, b.LN2, b.FC, b.Proj} {
		ps = append(ps, l.Params()...)
	}
	return ps
}

// TransformerConfig is what the two towers' stacks of blocks have in common.
type TransformerConfig struct {
	Width, Layers, Heads, MLPWidth int
	Activation                     kernel.Activation
	NormEps                        float64
}

// Transformer is a stack of blocks.
type Transformer struct{ Blocks []*Block }

// NewTransformer returns blocks named prefix.resblocks.0 and so on, initialised
// as CLIP's are: projections into the residual stream shrink with depth.
func NewTransformer(prefix string, c TransformerConfig) *Transformer {
	t := &Transformer{}
	attn, fc := isqrt(c.Width), isqrt(2*c.Width)
	proj := isqrt(c.Width) / math.Sqrt(2*float64(c.Layers))
	for i := range c.Layers {
		name := fmt.Sprintf("%s.resblocks.%d", prefix, i)
		b := &Block{
			LN1: NewLayerNorm(name+".ln_1", c.Width, c.NormEps),
			InProj: &Linear{
				Weight: NewParam(name+".attn.in_proj_weight", 3*c.Width, c.Width).Normal(attn),
				Bias:   NewParam(name+".attn.in_proj_bias", 3*c.Width),
			},
			Out:   NewLinear(name+".attn.out_proj", c.Width, c.Width),
			LN2:   NewLayerNorm(name+".ln_2", c.Width, c.NormEps),
			FC:    NewLinear(name+".mlp.c_fc", c.Width, c.MLPWidth),
			Proj:  NewLinear(name+".mlp.c_proj", c.MLPWidth, c.Width),
			Heads: c.Heads,
			Act:   c.Activation,
		}
		b.Out.Weight.Normal(proj)
		b.FC.Weight.Normal(fc)
		b.Proj.Weight.Normal(proj)
		t.Blocks = append(t.Blocks, b)
	}
	return t
}

// Forward maps (B, L, W) to (B, L, W), or with pick to the tokens it picks, (B, W).
func (t *Transformer) Forward(x *G.Node, mask Mask, last *G.Node, pick func(*G.Node) *G.Node) *G.Node {
	for i, b := range t.Blocks {
		if i < len(t.Blocks)-1 {
			x = b.Forward(x, mask, last, nil)
		} else {
			x = b.Forward(x, mask, last, pick)
		}
	}
	return x
}

// Params lists the parameters of all blocks.
func (t *Transformer) Params() []*Param {
	var ps []*Param
	for _, b := range t.Blocks {
		ps = append(ps, b.Params()...)
	}
	return ps
}

// Linears lists the linear layers of all blocks.
func (t *Transformer) Linears() []*Linear {
	var ls []*Linear
	for _, b := range t.Blocks {
		ls = append(ls, b.InProj, b.Out, b.FC, b.Proj)
	}
	return ls
}

// MLPWidth is the hidden width of an MLP, truncated as open_clip does; a ratio
// that came from dividing two integers finds its integer again.
func MLPWidth(width int, ratio float64) int {
	if ratio == 0 {
		ratio = 4
	}
	return int(float64(width)*ratio + 1e-6)
}
