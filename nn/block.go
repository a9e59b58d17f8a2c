package nn

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"
)

// Block is a pre-norm residual attention block, the unit of both towers:
//
//	x = x + ls_1(attn(ln_1(x)))
//	x = x + ls_2(mlp(ln_2(x)))
type Block struct {
	LN1    *LayerNorm
	InProj *Linear // queries, keys and values packed: (3W, W)
	Out    *Linear
	LN2    *LayerNorm
	FC     *Linear // (M, W)
	Proj   *Linear // (W, M)
	Heads  int
	Act    Activation

	LS1, LS2 *LayerScale // nil for none
}

// Forward maps (B, L, W) to (B, L, W). Last is read by the padding mask only.
//
// Pick, where not nil, selects the one token of each sample that is needed from
// the last block, (B, L, W) → (B, W). The others serve as keys and values only,
// so everything after the attention is computed for that token alone and, where [Token] or
// [TokenAt] picks it, its query is the only one.
func (b *Block) Forward(x *G.Node, mask Mask, last *G.Node, pick func(*G.Node) *G.Node) *G.Node {
	if pick == nil || mask == Padding {
		return b.ForwardWith(x, func(qkv *G.Node) *G.Node { return Attention(qkv, b.Heads, mask, last) }, pick)
	}
	picked, h := pick(x), b.LN1.Forward(x) // (B, W), (B, L, W)
	if c := choiceOf(picked); c != nil {
		return b.finish(picked, b.attendPicked(h, mask == Causal, c))
	}
	return b.finish(picked, pick(Attention(b.InProj.Forward(h), b.Heads, mask, last)))
}

// ForwardWith is [Block.Forward] with another attention, which maps packed queries, keys
// and values, (B, L, 3W), to (B, L, W).
func (b *Block) ForwardWith(x *G.Node, attend func(qkv *G.Node) *G.Node, pick func(*G.Node) *G.Node) *G.Node {
	a := attend(b.InProj.Forward(b.LN1.Forward(x))) // (B, L, W)
	if pick != nil {
		a, x = pick(a), pick(x) // (B, W)
	}
	return b.finish(x, a)
}

// finish is what follows the attention.
func (b *Block) finish(x, a *G.Node) *G.Node {
	x = Add(x, b.LS1.Forward(b.Out.Forward(a)))
	h := Activate(b.Act, b.FC.Forward(b.LN2.Forward(x))) // (…, M)
	return Add(x, b.LS2.Forward(b.Proj.Forward(h)))
}

// Params lists the block's parameters in open_clip's order.
func (b *Block) Params() []*Param {
	var ps []*Param
	for _, l := range []interface{ Params() []*Param }{b.LN1, b.InProj, b.Out, b.LS1, b.LN2, b.FC, b.Proj, b.LS2} {
		ps = append(ps, l.Params()...)
	}
	return ps
}

// TransformerConfig is what the two towers' stacks of blocks have in common.
type TransformerConfig struct {
	Width, Layers, Heads, MLPWidth int
	Activation                     Activation
	NormEps                        float64
	Names                          BlockNames

	LayerScale float64 // initial value of a LayerScale behind attention and MLP; zero for none
	NoQKVBias  bool    // queries, keys and values have no bias
}

// BlockNames are a family's parameter names of the parts of its blocks. QKV
// stands before "weight" and "bias" and so ends in a separator.
type BlockNames struct{ Blocks, LN1, QKV, Out, LS1, LN2, FC, Proj, LS2 string }

// CLIPNames are the names of openai/CLIP and open_clip.
func CLIPNames() BlockNames {
	return BlockNames{"resblocks", "ln_1", "attn.in_proj_", "attn.out_proj", "ls_1", "ln_2", "mlp.c_fc", "mlp.c_proj", "ls_2"}
}

// TimmNames are the names of timm's Vision Transformers.
func TimmNames() BlockNames {
	return BlockNames{"blocks", "norm1", "attn.qkv.", "attn.proj", "ls1", "norm2", "mlp.fc1", "mlp.fc2", "ls2"}
}

// Transformer is a stack of blocks.
type Transformer struct{ Blocks []*Block }

// NewTransformer returns blocks named as in prefix.resblocks.0.ln_1, initialised
// as CLIP's are: projections into the residual stream shrink with depth.
func NewTransformer(prefix string, c TransformerConfig) *Transformer {
	t := &Transformer{}
	attn, fc := isqrt(c.Width), isqrt(2*c.Width)
	proj := isqrt(c.Width) / math.Sqrt(2*float64(c.Layers))
	for i := range c.Layers {
		name := fmt.Sprintf("%s.%s.%d.", prefix, c.Names.Blocks, i)
		b := &Block{
			LN1:    NewLayerNorm(name+c.Names.LN1, c.Width, c.NormEps),
			InProj: namedLinear(name+c.Names.QKV, c.Width, 3*c.Width),
			Out:    NewLinear(name+c.Names.Out, c.Width, c.Width),
			LN2:    NewLayerNorm(name+c.Names.LN2, c.Width, c.NormEps),
			FC:     NewLinear(name+c.Names.FC, c.Width, c.MLPWidth),
			Proj:   NewLinear(name+c.Names.Proj, c.MLPWidth, c.Width),
			Heads:  c.Heads,
			Act:    c.Activation,
		}
		b.InProj.Weight.Normal(attn)
		b.Out.Weight.Normal(proj)
		b.FC.Weight.Normal(fc)
		b.Proj.Weight.Normal(proj)
		if c.NoQKVBias {
			b.InProj.Bias = nil
		}
		if c.LayerScale != 0 {
			b.LS1 = NewLayerScale(name+c.Names.LS1, c.Width, c.LayerScale)
			b.LS2 = NewLayerScale(name+c.Names.LS2, c.Width, c.LayerScale)
		}
		t.Blocks = append(t.Blocks, b)
	}
	return t
}

// Forward maps (B, L, W) to (B, L, W), or with pick to the tokens it picks, (B, W).
func (t *Transformer) Forward(x *G.Node, mask Mask, last *G.Node, pick func(*G.Node) *G.Node) *G.Node {
	for i, b := range t.Blocks {
		picked := pick
		if i < len(t.Blocks)-1 {
			picked = nil
		}
		x = b.Forward(x, mask, last, picked)
	}
	return x
}

// ForwardWith is [Transformer.Forward] with another attention, that of block i, which
// maps packed queries, keys and values, (B, L, 3W), to (B, L, W).
func (t *Transformer) ForwardWith(x *G.Node, attend func(i int, qkv *G.Node) *G.Node, pick func(*G.Node) *G.Node) *G.Node {
	for i, b := range t.Blocks {
		picked := pick
		if i < len(t.Blocks)-1 {
			picked = nil
		}
		x = b.ForwardWith(x, func(qkv *G.Node) *G.Node { return attend(i, qkv) }, picked)
	}
	return x
}

// LastAlone is an attention for [Transformer.ForwardWith] that lets each token of the last
// block attend to itself alone, as in MaskCLIP (Zhou et al., 2022), and to all in the others.
func (t *Transformer) LastAlone() func(i int, qkv *G.Node) *G.Node {
	return func(i int, qkv *G.Node) *G.Node {
		if b := t.Blocks[i]; i < len(t.Blocks)-1 {
			return Attention(qkv, b.Heads, NoMask, nil)
		}
		w := qkv.Shape()[2] / 3
		return Columns(qkv, 2*w, w)
	}
}

// Params lists the parameters of all blocks.
func (t *Transformer) Params() []*Param {
	var ps []*Param
	for _, b := range t.Blocks {
		ps = append(ps, b.Params()...)
	}
	return ps
}

// MultiplyAdds counts those of the blocks' matrix products for so many tokens:
// 4·W² a token for queries, keys, values and output, 2·W·MLPWidth for the MLP, and
// 2·L·W for the scores and their weighted sum.
func (c *TransformerConfig) MultiplyAdds(tokens int) float64 {
	l, w := float64(tokens), float64(c.Width)
	return float64(c.Layers) * l * (4*w*w + 2*w*float64(c.MLPWidth) + 2*l*w)
}

// MLPWidth is the hidden width of an MLP, truncated as open_clip does; a ratio
// that came from dividing two integers finds its integer again.
func MLPWidth(width int, ratio float64) int {
	if ratio == 0 {
		ratio = 4
	}
	return int(float64(width)*ratio + 1e-6)
}
