package train

import (
	"slices"

	"github.com/goclip/goclip/internal/parallel"
)

// average is the exponential moving average of the trained weights (Polyak and
// Juditsky, 1992).
type average struct {
	decay   float64
	weights weights
	mean    [][]float32 // of each weight; nil without averaging
}

func newAverage(decay float64, ws weights) average {
	a := average{decay: decay, weights: ws}
	if decay > 0 {
		for _, w := range ws {
			a.mean = append(a.mean, slices.Clone(w.param.Data))
		}
	}
	return a
}

// update takes in the weights after step number n, counted from 0. The first
// steps count for more: with a decay of 0.9999 the random initial weights would
// otherwise weigh in for thousands of steps. TensorFlow's
// ExponentialMovingAverage has the same rule.
func (a *average) update(n int) {
	rate := float32(1 - min(a.decay, float64(1+n)/float64(10+n)))
	parallel.For(len(a.mean), func(i int) {
		mean := a.mean[i]
		for j, v := range a.weights[i].param.Data {
			mean[j] += rate * (v - mean[j])
		}
	})
}

// swap exchanges the weights and their average.
func (a *average) swap() {
	for i, mean := range a.mean {
		for j, v := range a.weights[i].param.Data {
			a.weights[i].param.Data[j], mean[j] = mean[j], v
		}
	}
}

// Averaged calls f while the model has the averaged weights of Config.EMA, to
// evaluate or to save it, and then restores the trained ones. Without EMA it
// just calls f. No step may run at the same time.
func (t *Trainer) Averaged(f func() error) error {
	if err := t.open(); err != nil {
		return err
	}
	t.average.swap()
	defer t.average.swap()
	return f()
}
