package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// vit is the Vision Transformer (Dosovitskiy et al., 2021) as CLIP has it: a
// LayerNorm before the first block, and a linear projection of the pooled token.
type vit struct {
	cfg            Config
	patchEmbed     *Param // visual.conv1.weight (W, 3, patch, patch)
	classEmbedding *Param // (W); nil without class token
	posEmbed       *Param // (L, W)
	lnPre          *nn.LayerNorm
	blocks         *nn.Transformer
	mapPool        *mapPool // nil unless Pool is "map"
	lnPost         *nn.LayerNorm
	proj           *Param // (W, D); (D, D) after mapPool
}

func newViT(c Config) *vit {
	act, _ := nn.ParseActivation(c.Activation) // Validate checked it
	scale := 1 / math.Sqrt(float64(c.Width))
	fanIn := float64(3 * c.PatchSize * c.PatchSize)
	pooled := c.Width
	if c.Pool == "map" {
		pooled = c.EmbedDim
	}
	v := &vit{
		cfg:        c,
		patchEmbed: nn.NewParam("visual.conv1.weight", c.Width, 3, c.PatchSize, c.PatchSize).Uniform(1 / math.Sqrt(fanIn)),
		posEmbed:   nn.NewParam("visual.positional_embedding", c.Tokens(), c.Width).Normal(scale),
		blocks: nn.NewTransformer("visual.transformer", nn.TransformerConfig{
			Width: c.Width, Layers: c.Layers, Heads: c.Heads,
			MLPWidth: nn.MLPWidth(c.Width, c.MLPRatio), Activation: act, NormEps: c.NormEps,
		}),
		lnPost: nn.NewLayerNorm("visual.ln_post", pooled, c.NormEps),
		proj:   nn.NewParam("visual.proj", pooled, c.EmbedDim).Normal(scale),
	}
	if !c.NoClassToken {
		v.classEmbedding = nn.NewParam("visual.class_embedding", c.Width).Normal(scale)
	}
	if c.Pool == "map" {
		v.mapPool = newMapPool(c)
	}
	if !c.NoLnPre {
		v.lnPre = nn.NewLayerNorm("visual.ln_pre", c.Width, c.NormEps)
	}
	return v
}

func (v *vit) forward(pixels, keep *G.Node) *G.Node {
	g := pixels.Graph()
	x := nn.PatchEmbed(pixels, v.patchEmbed) // (B, P, W)
	if v.classEmbedding != nil {
		x = nn.Prepend(v.classEmbedding.Node(g), x) // (B, 1+P, W)
	}
	x = nn.AddPositions(x, v.posEmbed.Node(g))
	if keep != nil {
		x = nn.Keep(x, keep, v.classTokens()) // (B, 1+K, W)
	}
	if v.lnPre != nil {
		x = v.lnPre.Forward(x)
	}
	return nn.MatMul(v.pool(x), v.proj.Node(g)) // (B, D)
}

// pool runs the blocks, reduces the tokens to one vector, (B, W), or (B, D) by
// attention, and applies ln_post.
func (v *vit) pool(x *G.Node) *G.Node {
	if v.cfg.Pool == "tok" {
		x = v.blocks.Forward(x, nn.NoMask, nil, func(x *G.Node) *G.Node { return nn.Token(x, 0) }) // (B, W)
		return v.lnPost.Forward(x)
	}
	x = v.blocks.Forward(x, nn.NoMask, nil, nil)
	if v.mapPool != nil {
		return v.lnPost.Forward(v.mapPool.forward(x))
	}
	if v.cfg.NormAfterPool {
		return v.lnPost.Forward(nn.Mean(x, v.classTokens()))
	}
	return nn.Mean(v.lnPost.Forward(x), v.classTokens())
}

// classTokens is how many tokens precede the patches.
func (v *vit) classTokens() int {
	if v.classEmbedding == nil {
		return 0
	}
	return 1
}

func (v *vit) params() []*Param {
	var ps []*Param
	if v.classEmbedding != nil {
		ps = append(ps, v.classEmbedding)
	}
	ps = append(ps, v.posEmbed, v.proj, v.patchEmbed)
	if v.lnPre != nil {
		ps = append(ps, v.lnPre.Params()...)
	}
	ps = append(ps, v.blocks.Params()...)
	if v.mapPool != nil {
		ps = append(ps, v.mapPool.params()...)
	}
	return append(ps, v.lnPost.Params()...)
}

// linears lists the layers that take adapters of low rank.
func (v *vit) linears() []*nn.Linear {
	if v.mapPool != nil {
		return append(v.blocks.Linears(), v.mapPool.out)
	}
	return v.blocks.Linears()
}
