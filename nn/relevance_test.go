package nn_test

import (
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// TestRelevance compares with the definition in float64: the mean over the heads of
// max(0, P∘dP) with dP = dy·vᵀ.
func TestRelevance(t *testing.T) {
	const b, l, w, heads, d = 2, 5, 6, 2, 3
	rng := rand.New(rand.NewPCG(1, 7))
	draw := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		return x
	}
	qkv, query, dy, dp := draw(b*l*3*w), draw(w), draw(b*l*w), draw(b*w)
	g := G.NewGraph()
	x := leaf(g, "qkv", qkv, []int{b, l, 3 * w})
	all := nn.Attention(x, heads, nn.NoMask, nil)
	pool := nn.AttentionPool(leaf(g, "q", query, []int{1, w}), nn.Columns(x, w, w), nn.Columns(all, 0, w), heads)
	found, err := nn.Attentions(g)
	must(t, err)
	if len(found) != 2 || found[0] != all || found[1] != pool {
		t.Fatalf("found %v, want the attention and the pool", found)
	}
	got := nn.Relevance(all, leaf(g, "dy", dy, []int{b, l, w}))
	pooled := nn.Relevance(pool, leaf(g, "dp", dp, []int{b, w}))
	m, err := nn.NewMachine(g, got, pooled, all)
	must(t, err)
	must(t, m.Run())

	values := nn.Floats(all)
	want := func(q, k, v, dy func(head, c, token int) float64, at int) float64 {
		var mean float64
		for h := range heads {
			var sum, p, dp float64
			for j := range l {
				var s float64
				for c := range d {
					s += q(h, c, 0) * k(h, c, j) / math.Sqrt(d)
				}
				sum += math.Exp(s)
				if j == at {
					p = math.Exp(s)
				}
			}
			for c := range d {
				dp += dy(h, c, 0) * v(h, c, at)
			}
			mean += math.Max(0, p/sum*dp) / heads
		}
		return mean
	}
	for s := range b {
		of := func(part int) func(h, c, j int) float64 {
			return func(h, c, j int) float64 { return qkv[(s*l+j)*3*w+part*w+h*d+c] }
		}
		for j := range l {
			for i := range l {
				q := func(h, c, _ int) float64 { return of(0)(h, c, i) }
				dy := func(h, c, _ int) float64 { return dy[(s*l+i)*w+h*d+c] }
				near(t, nn.Floats(got)[(s*l+i)*l+j], want(q, of(1), of(2), dy, j))
			}
			q := func(h, c, _ int) float64 { return query[h*d+c] }
			v := func(h, c, j int) float64 { return float64(values[(s*l+j)*w+h*d+c]) }
			dp := func(h, c, _ int) float64 { return dp[s*w+h*d+c] }
			near(t, nn.Floats(pooled)[s*l+j], want(q, of(1), v, dp, j))
		}
	}
}

func near(t *testing.T, got float32, want float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= 1e-5*(1+math.Abs(want))) {
		t.Errorf("got %g, want %g", got, want)
	}
}

func TestRelevanceOfOthers(t *testing.T) {
	g := G.NewGraph()
	x := leaf(g, "x", make([]float64, 12), []int{1, 2, 6})
	var err error
	func() {
		defer nn.Catch(&err, "relevance")
		nn.Relevance(nn.Add(x, x), x)
	}()
	if err == nil {
		t.Error("a sum has a relevance")
	}
	err = nil
	func() {
		defer nn.Catch(&err, "relevance")
		nn.Relevance(nn.Attention(x, 1, nn.NoMask, nil), x)
	}()
	if err == nil {
		t.Error("a gradient of another shape is taken")
	}
}
