package vision

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

func mapConfig(width int) ViT {
	return ViT{
		ImageSize: [2]int{16, 24}, PatchSize: 8, Width: width, Layers: 1, Heads: 2, EmbedDim: 12,
		Activation: nn.GELU, NormEps: 1e-3, Pool: PoolMap, PoolQueries: 5, PoolHeads: 3,
	}
}

// TestMapPoolParams lists the names and shapes that PyTorch gives them, packed
// where width and embedding agree.
func TestMapPoolParams(t *testing.T) {
	for width, want := range map[int]string{
		12: "query[5 12] attn.in_proj_weight[36 12] attn.in_proj_bias[36] ",
		16: "query[5 12] attn.q_proj_weight[12 12] attn.k_proj_weight[12 16] attn.v_proj_weight[12 16] attn.in_proj_bias[36] ",
	} {
		tower, err := mapConfig(width).New()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, p := range tower.Params() {
			if name, ok := strings.CutPrefix(p.Name, "visual.attn_pool."); ok {
				got += fmt.Sprintf("%s%v ", name, p.Shape)
			}
			if p.Name == "visual.ln_post.weight" && !slices.Equal(p.Shape, []int{12}) ||
				p.Name == "visual.proj" && !slices.Equal(p.Shape, []int{12, 12}) {
				t.Errorf("width %d: %s has shape %v, want the pooled width, 12", width, p.Name, p.Shape)
			}
		}
		want += fmt.Sprintf("attn.out_proj.weight[12 12] attn.out_proj.bias[12] ln_q.weight[12] ln_q.bias[12] ln_k.weight[%d] ln_k.bias[%[1]d] ", width)
		if got != want {
			t.Errorf("width %d: parameters\n%s, want\n%s", width, got, want)
		}
	}
}

// TestMapPool compares the pooled vector with its definition in float64, in which
// the tower's epsilon does not occur.
func TestMapPool(t *testing.T) {
	for _, width := range []int{12, 16} {
		c := mapConfig(width)
		p := newMapPool(c)
		rng := rand.New(rand.NewPCG(5, uint64(width)))
		draw := func(data []float32) {
			for i := range data {
				data[i] = float32(rng.NormFloat64())
			}
		}
		for _, q := range p.params() {
			q.Init(1)
			draw(q.Data)
		}
		const b, l = 2, 7
		x := make([]float32, b*l*width)
		draw(x)
		g := G.NewGraph()
		y := p.forward(pixelNode(g, x, []int{b, l, width}))
		runGraph(t, g, y)
		near(t, fmt.Sprintf("width %d", width), y.Value().Data().([]float32), refMapPool(p, x, b, l, width), 1e-5)
	}
}

func refMapPool(p *mapPool, x []float32, b, l, width int) []float32 {
	d, heads := p.dim, p.heads
	norm := func(x []float32, n *nn.LayerNorm) []float64 {
		var mean, variance float64
		for _, v := range x {
			mean += float64(v) / float64(len(x))
		}
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
		}
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = (float64(v)-mean)/math.Sqrt(variance+1e-5)*float64(n.Weight.Data[i]) + float64(n.Bias.Data[i])
		}
		return y
	}
	apply := func(w, bias []float32, x []float64) []float64 {
		y := make([]float64, len(bias))
		for i := range y {
			y[i] = float64(bias[i])
			for j, v := range x {
				y[i] += float64(w[i*len(x)+j]) * v
			}
		}
		return y
	}
	project := func(part int, x []float64) []float64 {
		w := p.in[0].Weight.Data
		if len(p.in) == 3 {
			w = p.in[part].Weight.Data
		} else {
			w = w[part*d*d:]
		}
		return apply(w, p.bias.Data[part*d:][:d], x)
	}
	var out []float32
	q := project(0, norm(p.query.Data[:d], p.lnQ))
	for i := range b {
		answer := make([]float64, d)
		for h := range heads {
			var sum float64
			part := make([]float64, d)
			for t := range l {
				token := norm(x[(i*l+t)*width:][:width], p.lnK)
				k, v := project(1, token), project(2, token)
				var score float64
				for e := h * d / heads; e < (h+1)*d/heads; e++ {
					score += q[e] * k[e]
				}
				weight := math.Exp(score / math.Sqrt(float64(d/heads)))
				sum += weight
				for e := h * d / heads; e < (h+1)*d/heads; e++ {
					part[e] += weight * v[e]
				}
			}
			for e := range part {
				answer[e] += part[e] / sum
			}
		}
		for _, v := range apply(p.out.Weight.Data, p.out.Bias.Data, answer) {
			out = append(out, float32(v))
		}
	}
	return out
}

// TestMapPoolGradients reaches every parameter of the tower.
func TestMapPoolGradients(t *testing.T) {
	tower, err := New(mapConfig(12), 2)
	if err != nil {
		t.Fatal(err)
	}
	g := G.NewGraph()
	pixels := make([]float32, 2*3*16*24)
	for i := range pixels {
		pixels[i] = float32(math.Sin(float64(i)))
	}
	y, err := tower.Forward(Input{Pixels: pixelNode(g, pixels, []int{2, 3, 16, 24})})
	if err != nil {
		t.Fatal(err)
	}
	var wrt []*G.Node
	for _, p := range tower.Params() {
		wrt = append(wrt, p.Node(g))
	}
	grads, err := nn.Grad(G.Must(G.Sum(G.Must(G.Square(y)))), wrt...)
	if err != nil {
		t.Fatal(err)
	}
	runGraph(t, g, grads...)
	for i, p := range tower.Params() {
		if got := grads[i].Value().Data().([]float32); !slices.ContainsFunc(got, func(v float32) bool { return v != 0 }) {
			t.Errorf("%s: the gradient is zero", p.Name)
		}
	}
}

// TestMapPoolConfig names the field that does not fit.
func TestMapPoolConfig(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(c *ViT)
	}{
		{"PoolQueries is 0, want 1 or more", func(c *ViT) { c.PoolQueries = 0 }},
		{"PoolHeads is 0, want a divisor of EmbedDim 12", func(c *ViT) { c.PoolHeads = 0 }},
		{"PoolHeads is 5, want a divisor of EmbedDim 12", func(c *ViT) { c.PoolHeads = 5 }},
		{"PoolQueries is 5, but Pool is tok", func(c *ViT) { c.Pool = PoolClass }},
		{`Pool is 9, want tok, avg or map`, func(c *ViT) { c.Pool = 9 }},
	} {
		cfg := mapConfig(12)
		c.change(&cfg)
		if _, err := cfg.New(); err == nil || err.Error() != "vision: "+c.want {
			t.Errorf("got error %v, want vision: %s", err, c.want)
		}
	}
}
