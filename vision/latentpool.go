package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// latentPool is timm's AttentionPoolLatent, big_vision's MAPHead (Lee et al., 2019,
// Set Transformer, section 3.2): one query attends to all tokens, and an MLP with a
// residual follows.
type latentPool struct {
	latent      *nn.Param // (1, 1, W)
	q, kv, proj *nn.Linear
	norm        *nn.LayerNorm
	fc1, fc2    *nn.Linear
	heads       int
	activation  nn.Activation
}

// latentPoolConfig is what towers differ in.
type latentPoolConfig struct {
	width, heads, mlpWidth int
	activation             nn.Activation
	normEps                float64
}

// multiplyAdds counts those for so many tokens.
func (c latentPoolConfig) multiplyAdds(tokens int) float64 {
	l, w := float64(tokens), float64(c.width)
	return 2*l*w*w + 2*w*w + 2*l*w + 2*w*float64(c.mlpWidth)
}

func newLatentPool(c latentPoolConfig) *latentPool {
	return &latentPool{
		latent:     nn.NewParam("visual.trunk.attn_pool.latent", 1, 1, c.width).Normal(1 / math.Sqrt(float64(c.width))),
		q:          newTrunkLinear("attn_pool.q", c.width, c.width),
		kv:         newTrunkLinear("attn_pool.kv", c.width, 2*c.width),
		proj:       newTrunkLinear("attn_pool.proj", c.width, c.width),
		norm:       nn.NewLayerNorm("visual.trunk.attn_pool.norm", c.width, c.normEps),
		fc1:        newTrunkLinear("attn_pool.mlp.fc1", c.width, c.mlpWidth),
		fc2:        newTrunkLinear("attn_pool.mlp.fc2", c.mlpWidth, c.width),
		heads:      c.heads,
		activation: c.activation,
	}
}

// forward maps (B, L, W) to (B, W). Of the tokens those count that keys, (B, L), marks; nil
// marks all.
func (p *latentPool) forward(x, keys *G.Node) *G.Node {
	w := p.latent.Shape[2]
	q := p.q.Forward(nn.Token(p.latent.Node(x.Graph()), 0)) // (1, W)
	kv := p.kv.Forward(x)                                   // (B, L, 2W)
	y := nn.MaskedAttentionPool(q, nn.Columns(kv, 0, w), nn.Columns(kv, w, w), keys, p.heads)
	return p.finish(y)
}

// alone is what forward would give of each token alone, (B, L, W) to (B, L, W).
func (p *latentPool) alone(x *G.Node) *G.Node {
	w := p.latent.Shape[2]
	return p.finish(nn.Columns(p.kv.Forward(x), w, w))
}

func (p *latentPool) finish(y *G.Node) *G.Node {
	y = p.proj.Forward(y) // (…, W)
	h := nn.Activate(p.activation, p.fc1.Forward(p.norm.Forward(y)))
	return nn.Add(y, p.fc2.Forward(h))
}

// Params lists them in timm's order.
func (p *latentPool) Params() []*nn.Param {
	return append([]*nn.Param{p.latent}, paramsOf(p.q, p.kv, p.proj, p.norm, p.fc1, p.fc2)...)
}
