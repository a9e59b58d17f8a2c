package vision

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// mapPool is open_clip's AttentionalPooler, in place of a pooled token (Yu et
// al., 2022, CoCa): learned queries attend to the normalised tokens. Only the
// answer to the first query becomes the feature. The other queries are read by
// a captioner, which this tower has not; they are kept with the checkpoint.
type mapPool struct {
	dim, heads int

	query    *nn.Param // (Q, D)
	lnQ, lnK *nn.LayerNorm
	// PyTorch packs the projections where W = D: in has one weight, (3D, D), there
	// and three elsewhere, (D, D), (D, W) and (D, W).
	in   []*nn.Linear
	bias *nn.Param // (3D)
	out  *nn.Linear
}

// poolEps is the epsilon of the pooler's own LayerNorms: open_clip passes
// norm_kwargs on to all others (transformer.py at 89fb801, VisionTransformer).
const poolEps = 1e-5

func newMapPool(c ViT) *mapPool {
	const name = "visual.attn_pool."
	w, d := c.Width, c.EmbedDim
	p := &mapPool{
		dim: d, heads: c.PoolHeads,
		query: nn.NewParam(name+"query", c.PoolQueries, d).Normal(1),
		lnQ:   nn.NewLayerNorm(name+"ln_q", d, poolEps),
		lnK:   nn.NewLayerNorm(name+"ln_k", w, poolEps),
		bias:  nn.NewParam(name+"attn.in_proj_bias", 3*d),
		out:   nn.NewLinear(name+"attn.out_proj", d, d),
	}
	p.out.Weight.Uniform(1 / math.Sqrt(float64(d)))
	weight := func(of func(name string, in, out int) *nn.Linear, field string, rows, cols int) {
		limit := math.Sqrt(6 / float64(rows+cols)) // Glorot and Bengio, 2010
		l := of(name+"attn."+field, cols, rows)
		l.Weight.Uniform(limit)
		p.in = append(p.in, l)
	}
	if w == d {
		weight(nn.NewPacked, "in_proj_weight", 3*d, d)
	} else {
		weight(nn.NewWeight, "q_proj_weight", d, d)
		weight(nn.NewWeight, "k_proj_weight", d, w)
		weight(nn.NewWeight, "v_proj_weight", d, w)
	}
	return p
}

// forward maps (B, L, W) to (B, D).
func (p *mapPool) forward(x *G.Node) *G.Node {
	x = p.lnK.Forward(x)
	query := p.lnQ.Forward(nn.Rows(p.query.Node(x.Graph()), 0, 1)) // (1, D)
	q, k, v := p.project(query, 0), p.project(x, 1), p.project(x, 2)
	return p.out.Forward(nn.AttentionPool(q, k, v, p.heads)) // (B, D)
}

// alone is what forward would give of each token alone, (B, L, W) to (B, L, D).
func (p *mapPool) alone(x *G.Node) *G.Node { return p.out.Forward(p.project(p.lnK.Forward(x), 2)) }

// project applies the projection of queries, 0, keys, 1, or values, 2.
func (p *mapPool) project(x *G.Node, part int) *G.Node {
	d := p.dim
	bias := nn.Rows(p.bias.Node(x.Graph()), part*d, d)
	if len(p.in) == 1 {
		return p.in[0].ForwardRows(x, bias, part*d, d)
	}
	return p.in[part].ForwardWith(x, bias)
}

func (p *mapPool) params() []*nn.Param {
	ps := []*nn.Param{p.query}
	for _, l := range p.in {
		ps = append(ps, l.Params()...)
	}
	ps = append(append(ps, p.bias), p.out.Params()...)
	return append(append(ps, p.lnQ.Params()...), p.lnK.Params()...)
}
