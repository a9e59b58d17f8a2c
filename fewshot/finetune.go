package fewshot

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// Finetune says how [TipAdapterF] trains. The zero value will do.
type Finetune struct {
	Epochs int     // zero means 20, the paper's
	LR     float64 // of AdamW at the start; it falls to zero along half a cosine. Zero means 0.001
	Seed   uint64  // of the order of the examples
}

// finetuneBatch is the paper's.
const finetuneBatch = 256

// TipAdapterF begins as [TipAdapter] and trains the keys by the cross-entropy of
// the examples. Where the paper shows the network every example cut in a new way,
// so that it seldom meets its own key, an example here is classified without its
// own key: features are frozen. After every epoch α and β are searched again, and
// the epoch that does best on the validation images is returned, the beginning
// among them.
func TipAdapterF(ctx context.Context, t Task, f Finetune) (*Cache, error) {
	if f.Epochs == 0 {
		f.Epochs = 20
	}
	if f.LR == 0 {
		f.LR = 1e-3
	}
	if f.Epochs < 1 || !(f.LR > 0) || math.IsInf(f.LR, 1) {
		return nil, fmt.Errorf("fewshot: Tip-Adapter-F: Epochs is %d and LR %g, want both above 0", f.Epochs, f.LR)
	}
	start, err := TipAdapter(t)
	if err != nil {
		return nil, err
	}
	best := newChoice[*Cache](&t.Val)
	best.offer(start, start.Logits(t.Val.Images))
	tr := newTuner(start, t.Shots)
	n := t.Shots.Images.N
	steps := f.Epochs * ((n + finetuneBatch - 1) / finetuneBatch)
	rng := rand.New(rand.NewPCG(f.Seed, uint64(n)))
	for range f.Epochs {
		order := rng.Perm(n)
		for from := 0; from < n; from += finetuneBatch {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			tr.gradient(order[from:min(n, from+finetuneBatch)])
			tr.step(f.LR * (1 + math.Cos(math.Pi*float64(tr.steps)/float64(steps))) / 2)
		}
		if !kernel.AllFinite(tr.Keys.Data) {
			return nil, fmt.Errorf("fewshot: Tip-Adapter-F: the keys are not finite after %d steps with LR %g", tr.steps, f.LR)
		}
		epoch := *tr.Cache
		epoch.Keys = scaled(tr.Keys, 1)
		epoch.search(best, t.Val.Images)
	}
	return best.best, nil
}

// tuner trains the keys of a cache on the examples that they were.
type tuner struct {
	*Cache
	shots      Set
	zero       []float32 // zero-shot logits of the shots
	grad, m, v []float32 // of the keys
	steps      int
}

func newTuner(start *Cache, shots Set) *tuner {
	c := *start
	c.Keys = scaled(c.Keys, 1)
	if c.Alpha == 0 {
		c.Alpha, c.Beta = 1, 5.5 // nothing would be learnt; the paper starts so
	}
	size := len(c.Keys.Data)
	return &tuner{Cache: &c, shots: shots, zero: c.Text.Logits(shots.Images),
		grad: make([]float32, size), m: make([]float32, size), v: make([]float32, size)}
}

// gradient computes that of the batch's mean cross-entropy by the keys, and
// returns the cross-entropy. With A the affinities and P the probabilities,
//
//	∂/∂sim[i,j] = Alpha · Beta · A[i,j] · (P[i, class of j] − [class of i = class of j]) / n
func (t *tuner) gradient(batch []int) (cost float64) {
	n, m, dim, classes := len(batch), t.Keys.N, t.Keys.Dim, t.Text.W.N
	x := &encoder.Embeddings{N: n, Dim: dim, Data: make([]float32, 0, n*dim)}
	z := make([]float32, 0, n*classes)
	for _, i := range batch {
		x.Data = append(x.Data, t.shots.Images.Row(i)...)
		z = append(z, t.zero[i*classes:][:classes]...)
	}
	a := t.similarities(x)
	affinities(a, a, t.Beta)
	for r, i := range batch {
		a[r*m+i] = 0 // its own key
	}
	kernel.Axpy(z, float32(t.Alpha), t.perClass(a, n))
	parallel.For(n, func(r int) {
		row := z[r*classes:][:classes]
		kernel.Softmax(row, row)
	})
	for r, i := range batch {
		y := t.shots.Classes[i]
		p := z[r*classes:][:classes]
		cost -= math.Log(math.Max(float64(p[y]), 1e-300)) / float64(n)
		p[y]--
		for j := range m {
			a[r*m+j] *= float32(t.Alpha*t.Beta) / float32(n) * p[t.Classes[j]]
		}
	}
	kernel.Gemm(kernel.TN, m, dim, n, 1, a, m, x.Data, dim, 0, t.grad, dim)
	return cost
}

// step is AdamW's, with the constants of the authors' program.
func (t *tuner) step(lr float64) {
	const beta1, beta2 = 0.9, 0.999
	t.steps++
	kernel.AdamW(t.Keys.Data, t.grad, t.m, t.v, kernel.AdamWStep{
		Beta1: beta1, Beta2: beta2, Eps: 1e-4, LR: float32(lr), WeightDecay: 0.01, GradScale: 1,
		Correction1: float32(1 - math.Pow(beta1, float64(t.steps))),
		Correction2: float32(1 - math.Pow(beta2, float64(t.steps))),
	})
}
