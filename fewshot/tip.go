package fewshot

import (
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
)

// Cache is Tip-Adapter's head: the zero-shot logits, and for each class
//
//	Alpha · Σ over its keys k of exp(−Beta·(1 − x·k))
//
// (Zhang et al. 2022, equations 3 to 6).
type Cache struct {
	Text        Linear
	Keys        *encoder.Embeddings // (M, D)
	Classes     []int               // (M), of the keys
	Alpha, Beta float64
}

// The grids of α and β, the gentlest first; the paper's searches lie within. The
// zero makes sure that examples which do harm are left out.
var (
	alphas = []float64{0, 0.05, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 80, 120}
	betas  = []float64{0.5, 1, 2, 3, 5.5, 8, 12, 18, 25, 40}
)

// TipAdapter is the method without training: the keys are the examples, which must
// not be changed afterwards. α and β are chosen on the validation images.
func TipAdapter(t Task) (*Cache, error) {
	if err := t.validate(true); err != nil {
		return nil, err
	}
	c := &Cache{Text: ZeroShot(t.Text, t.Scale), Keys: t.Shots.Images, Classes: t.Shots.Classes}
	best := newChoice[*Cache](&t.Val)
	c.search(best, t.Val.Images)
	return best.best, nil
}

// search offers the cache with every α and β.
func (c *Cache) search(best *choice[*Cache], val *encoder.Embeddings) {
	zero := c.Text.Logits(val)
	sim := c.similarities(val)
	z := make([]float32, len(zero))
	for _, beta := range betas {
		votes := c.votes(sim, val.N, beta)
		for _, alpha := range alphas {
			for i := range z {
				z[i] = zero[i] + float32(alpha)*votes[i]
			}
			best.offer(&Cache{c.Text, c.Keys, c.Classes, alpha, beta}, z)
		}
	}
}

// similarities are the cosines of N images and the keys, (N, M).
func (c *Cache) similarities(images *encoder.Embeddings) []float32 {
	sim := make([]float32, images.N*c.Keys.N)
	kernel.Gemm(kernel.NT, images.N, c.Keys.N, images.Dim, 1, images.Data, images.Dim, c.Keys.Data, c.Keys.Dim, 0, sim, c.Keys.N)
	return sim
}

// votes adds up the keys' affinities for each class: (N, M) → (N, C).
func (c *Cache) votes(sim []float32, n int, beta float64) []float32 {
	a := make([]float32, len(sim))
	affinities(a, sim, beta)
	return c.perClass(a, n)
}

// affinities are exp(−beta·(1 − sim)).
func affinities(dst, sim []float32, beta float64) {
	for i, s := range sim {
		dst[i] = float32(beta) * (s - 1)
	}
	kernel.Exp(dst, dst)
}

func (c *Cache) perClass(a []float32, n int) []float32 {
	classes := c.Text.W.N
	out := make([]float32, n*classes)
	for i := range n {
		row := out[i*classes:][:classes]
		for j, v := range a[i*len(c.Classes):][:len(c.Classes)] {
			row[c.Classes[j]] += v
		}
	}
	return out
}

// Logits implements [Head]. An empty head has no logits.
func (c *Cache) Logits(images *encoder.Embeddings) []float32 {
	if c == nil {
		return nil
	}
	z := c.Text.Logits(images)
	if z == nil || c.Keys == nil || c.Text.W == nil {
		return z
	}
	kernel.Axpy(z, float32(c.Alpha), c.votes(c.similarities(images), images.N, c.Beta))
	return z
}
