package eval

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/logistic"
)

// ProbeOptions say how a linear probe is fitted. Nil means the zero value,
// which suits most.
type ProbeOptions struct {
	// L2 is the strength of the penalty L2·‖W‖²/2, which is added to the sum of
	// the images' losses: 1/C of scikit-learn. Zero means that it is chosen on
	// the validation set.
	L2 float64
	// Seed decides which images are held out where there is no validation set.
	Seed uint64
	// Progress, where set, is called with the number of fits done and the
	// total.
	Progress func(done, total int)
}

// Probe is a linear classifier on frozen embeddings: multinomial logistic
// regression, as CLIP's paper measures representations (appendix A.3). It is
// safe for concurrent use.
type Probe struct {
	Classes   []string // in alphabetical order
	L2        float64
	Validated float64 // accuracy on the validation set; 0 where L2 was given

	weights []float32 // (C, D)
	bias    []float64 // (C)
	dim     int

	verbatim bool // labels are compared as they are written
}

// FitProbe fits a probe to the labelled images of train. L2 is searched for as
// CLIP's paper does, on a logarithmic grid of 97 values from 1e-6 to 1e6: every
// sixteenth first, then around the best in ever smaller steps. Of two that are
// equally accurate on the validation set, as nearly all are where the classes can be
// separated, the one with the lower cross-entropy there is taken, and of two with the
// same the one whose weights have the smaller norm. The probe is then fitted
// to training and validation set together. Where val is nil, every fifth image
// of each class is held out of train.
func FitProbe(ctx context.Context, train, val *Features, o *ProbeOptions) (*Probe, error) {
	var opts ProbeOptions
	if o != nil {
		opts = *o
	}
	if !(opts.L2 >= 0) || math.IsInf(opts.L2, 1) {
		return nil, fmt.Errorf("eval: probe: L2 is %g, want a number of 0 or more", opts.L2)
	}
	f := &fitting{ctx: ctx, ProbeOptions: opts, found: make(map[float64]*logistic.Weights)}
	p, err := f.run(train, val)
	if err != nil {
		return nil, fmt.Errorf("eval: probe: %w", err)
	}
	return p, nil
}

// Probabilities returns the probability of each class, in the order of Classes, for each
// of N embeddings of the model that the probe was fitted to: N rows of C numbers.
func (p *Probe) Probabilities(e *encoder.Embeddings) ([][]float64, error) {
	switch {
	case p == nil || p.dim == 0:
		return nil, errors.New("eval: probe: it is empty, want one of FitProbe")
	case e == nil:
		return nil, errors.New("eval: probe: Embeddings is nil")
	case e.Dim != p.dim:
		return nil, fmt.Errorf("eval: a probe of embeddings of %d numbers cannot take %d", p.dim, e.Dim)
	}
	if err := e.Validate(); err != nil {
		return nil, fmt.Errorf("eval: probe: %w", err)
	}
	n := len(p.bias)
	logits := make([]float32, e.N*n)
	kernel.Gemm(kernel.NT, e.N, n, p.dim, 1, e.Data, p.dim, p.weights, p.dim, 0, logits, n)
	out := make([][]float64, e.N)
	for i := range out {
		row := make([]float64, n)
		for c, z := range logits[i*n:][:n] {
			row[c] = float64(z) + p.bias[c]
		}
		out[i] = softmax(row)
	}
	return out, nil
}

func softmax(z []float64) []float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range z {
		top = math.Max(top, v)
	}
	for i, v := range z {
		z[i] = math.Exp(v - top)
		sum += z[i]
	}
	for i := range z {
		z[i] /= sum
	}
	return z
}

// judge returns accuracy and mean cross-entropy on images of the same model.
func (p *Probe) judge(l *labelled) (accuracy, cost float64) {
	right := 0
	ps, _ := p.Probabilities(l.x)
	for i, row := range ps {
		best := 0
		for c := range row {
			if row[c] > row[best] {
				best = c
			}
		}
		if best == l.y[i] {
			right++
		}
		cost -= math.Log(max(row[l.y[i]], math.SmallestNonzeroFloat64))
	}
	n := float64(l.x.N)
	return float64(right) / n, cost / n
}

// Classify measures the probe on a labelled set.
func (p *Probe) Classify(f *Features) (*Classification, error) {
	if p == nil {
		p = &Probe{}
	}
	c, err := f.classification(p.Classes, p.verbatim)
	if err != nil {
		return nil, err
	}
	ps, err := p.Probabilities(f.Images)
	if err != nil {
		return nil, err
	}
	for i, label := range f.Labels {
		if truth, ok := c.truth(f.Keys[i], label); ok {
			c.addProbabilities(truth, ps[i])
		}
	}
	return c.finish()
}
