package eval

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/logistic"
)

// fitting is one call of FitProbe.
type fitting struct {
	ctx context.Context
	ProbeOptions
	classes          []string
	train, held, all *labelled
	done, total      int
	found            map[float64]*logistic.Weights // by L2
}

func (f *fitting) run(train, val *Features) (*Probe, error) {
	if err := f.open(train, val); err != nil {
		return nil, err
	}
	l2, validated, err := f.L2, 0.0, error(nil)
	if l2 == 0 {
		if l2, validated, err = f.search(); err != nil {
			return nil, err
		}
	}
	p, err := f.fit(f.all, l2)
	if err != nil {
		return nil, err
	}
	p.Validated, p.verbatim = validated, train.Verbatim
	return p, nil
}

func (f *fitting) open(train, val *Features) (err error) {
	f.total = 1
	if val == nil {
		f.classes, f.all, err = train.labelled()
	} else {
		f.classes, f.train, err = train.labelled(val)
	}
	switch {
	case err != nil:
		return err
	case len(f.classes) < 2:
		return fmt.Errorf("the training set has only the class %q, want two or more", f.classes[0])
	case val == nil:
		f.train, f.held = f.all.split(f.Seed)
	default:
		f.held = val.within(f.classes, train.Verbatim)
		f.all = f.train.join(f.held)
	}
	if f.held.x.N == 0 && f.L2 == 0 {
		return errors.New("no image to choose L2 by: the validation set has none of the classes, or no class has five images to hold one out")
	}
	return nil
}

// The grid of L2 goes from 1e-6 in eighths of a decade.
const gridLast, gridCoarse = 96, 16

func gridL2(i int) float64 { return math.Pow(10, float64(i)/8-6) }

// search returns the L2 of the grid that does best on the held-out images.
func (f *fitting) search() (l2, accuracy float64, err error) {
	scores, costs, best := make(map[int]float64), make(map[int]float64), -1
	try := func(i int) error {
		if _, known := scores[i]; known || i < 0 || i > gridLast {
			f.total--
			return nil
		}
		p, err := f.fit(f.train, gridL2(i))
		if err != nil {
			return err
		}
		scores[i], costs[i] = p.judge(f.held)
		if best < 0 || scores[i] > scores[best] || scores[i] == scores[best] && (costs[i] < costs[best] || costs[i] == costs[best] && i > best) {
			best = i
		}
		return nil
	}
	f.total += gridLast/gridCoarse + 1 + 2*4     // four halvings, on both sides of the best
	for i := gridLast; i >= 0; i -= gridCoarse { // strong penalties are quickly fitted
		if err := try(i); err != nil {
			return 0, 0, err
		}
	}
	for step := gridCoarse / 2; step > 0; step /= 2 {
		around := best
		for _, i := range []int{around - step, around + step} {
			if err := try(i); err != nil {
				return 0, 0, err
			}
		}
	}
	return gridL2(best), scores[best], nil
}

// tolerance of the gradient: a tenth of scikit-learn's, with which CLIP's paper
// was measured.
const tolerance = 1e-5

// fit centres the embeddings, which a model keeps in a narrow cone: the bias
// takes up the difference, and L-BFGS needs a fraction of the steps.
func (f *fitting) fit(l *labelled, l2 float64) (*Probe, error) {
	mean, centred := centre(l.x)
	r, err := logistic.New(centred, l.x.Dim, l.y, len(f.classes))
	if err != nil {
		return nil, err
	}
	w, err := r.Fit(f.ctx, logistic.Config{L2: l2 / float64(l.x.N), Bias: true, Tolerance: tolerance, Start: f.start(l2)})
	if err != nil {
		return nil, err
	}
	f.found[l2] = &logistic.Weights{W: w.W, B: slices.Clone(w.B)}
	for c := range w.B {
		for j, v := range w.W[c*l.x.Dim:][:l.x.Dim] {
			w.B[c] -= v * mean[j]
		}
	}
	p := &Probe{Classes: f.classes, L2: l2, dim: l.x.Dim, weights: make([]float32, len(w.W)), bias: w.B}
	for i, v := range w.W {
		p.weights[i] = float32(v)
	}
	f.done++
	if f.Progress != nil {
		f.Progress(f.done, f.total)
	}
	return p, nil
}

// start returns the weights found for the L2 that is nearest, or nil.
func (f *fitting) start(l2 float64) (w *logistic.Weights) {
	best := math.Inf(1)
	for _, known := range slices.Sorted(maps.Keys(f.found)) {
		if d := math.Abs(math.Log(known / l2)); d < best {
			best, w = d, f.found[known]
		}
	}
	return w
}

// centre returns the mean embedding and the distances from it.
func centre(e *encoder.Embeddings) (mean []float64, distances []float32) {
	mean = make([]float64, e.Dim)
	for i, v := range e.Data {
		mean[i%e.Dim] += float64(v) / float64(e.N)
	}
	distances = make([]float32, len(e.Data))
	for i, v := range e.Data {
		distances[i] = float32(float64(v) - mean[i%e.Dim])
	}
	return mean, distances
}
