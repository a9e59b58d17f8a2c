package scaling

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"
	"gonum.org/v1/gonum/stat"
)

// terms is the objective that the laws with an irreducible term share: the Huber
// loss of
//
//	ln(e^ε + Σ_j e^{a_j}·x_j^{−α_j}) − ln y
//
// over the points, as Hoffmann et al. (2022, section D.2) have it. The logarithms
// of each x_j are centred, so that a_j is the size of its term in the middle of the
// points. The unknowns are θ = (a_1, ln α_1, a_2, ln α_2, …, ε): exponents and the
// irreducible term are positive.
type terms struct {
	logX  [][]float64 // by term and point
	mean  []float64   // by term, taken off logX
	logY  []float64
	delta float64
}

func newTerms(delta float64, y []float64, xs ...[]float64) *terms {
	t := &terms{logY: logs(y), delta: delta}
	for _, x := range xs {
		u := logs(x)
		mean := stat.Mean(u, nil)
		for i := range u {
			u[i] -= mean
		}
		t.logX, t.mean = append(t.logX, u), append(t.mean, mean)
	}
	return t
}

func logs(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Log(v)
	}
	return out
}

// value returns the objective in units of delta, and adds its gradient to grad
// where that is not nil.
func (t *terms) value(grad, theta []float64) float64 {
	last := len(theta) - 1
	parts := make([]float64, len(t.logX)+1)
	var sum float64
	for i, want := range t.logY {
		top := theta[last]
		parts[len(t.logX)] = theta[last]
		for j, u := range t.logX {
			parts[j] = theta[2*j] - math.Exp(theta[2*j+1])*u[i]
			top = math.Max(top, parts[j])
		}
		var total float64
		for j := range parts {
			parts[j] = math.Exp(parts[j] - top)
			total += parts[j]
		}
		r := top + math.Log(total) - want
		slope := math.Copysign(1, r)
		if math.Abs(r) <= t.delta {
			slope = r / t.delta
			sum += r * slope / 2
		} else {
			sum += math.Abs(r) - t.delta/2
		}
		if grad == nil {
			continue
		}
		for j, u := range t.logX {
			share := slope * parts[j] / total
			grad[2*j] += share
			grad[2*j+1] -= share * u[i] * math.Exp(theta[2*j+1])
		}
		grad[last] += slope * parts[len(t.logX)] / total
	}
	return sum
}

// minimize runs L-BFGS from each start and returns the unknowns of least value,
// the earliest of equals.
func (t *terms) minimize(starts [][]float64) ([]float64, error) {
	problem := optimize.Problem{
		Func: func(theta []float64) float64 { return t.value(nil, theta) },
		Grad: func(grad, theta []float64) {
			clear(grad)
			t.value(grad, theta)
		},
	}
	type end struct {
		theta []float64
		value float64
	}
	var ends []end
	for _, s := range starts {
		// An error is a line search that found no further descent, as it does at a
		// kink of the Huber loss: where it stopped counts.
		r, _ := optimize.Minimize(problem, s, &optimize.Settings{MajorIterations: 500, FuncEvaluations: 2000}, &optimize.LBFGS{})
		if r != nil && finite(append(r.X, r.F)...) {
			ends = append(ends, end{r.X, r.F})
		}
	}
	if len(ends) == 0 {
		return nil, errors.New("scaling: no start of the fit ends at finite numbers")
	}
	return slices.MinFunc(ends, func(a, b end) int { return cmp.Compare(a.value, b.value) }).theta, nil
}

// starts spans exponents and irreducible shares that laws of this kind have; the
// terms begin with equal parts of what is left at the points' middle.
func (t *terms) starts(exponents ...float64) [][]float64 {
	sorted := slices.Sorted(slices.Values(t.logY))
	low, middle := math.Exp(sorted[0]), math.Exp(sorted[len(sorted)/2])
	var out [][]float64
	for _, share := range []float64{0.9, 0.5, 0.05} { // of the least y
		e := share * low
		a := math.Log((middle - e) / float64(len(t.logX)))
		grid := [][]float64{{}}
		for range t.logX {
			var next [][]float64
			for _, g := range grid {
				for _, alpha := range exponents {
					next = append(next, append(slices.Clone(g), a, math.Log(alpha)))
				}
			}
			grid = next
		}
		for _, g := range grid {
			out = append(out, append(g, math.Log(e)))
		}
	}
	return out
}

// solve minimizes from many starts, or, where a law of nearly the same points is
// known, from that one and a few. A law is its irreducible term, then A and α of each
// other.
func (t *terms) solve(known []float64) (law []float64, err error) {
	starts := t.starts(0.1, 0.3, 0.9)
	if known != nil {
		theta := make([]float64, 2*len(t.logX)+1)
		for j := range t.logX {
			a, alpha := known[1+2*j], known[2+2*j]
			theta[2*j], theta[2*j+1] = math.Log(a)-alpha*t.mean[j], math.Log(alpha)
		}
		theta[len(theta)-1] = math.Log(known[0])
		starts = t.starts(0.3)
		if finite(theta...) {
			starts = append(starts, theta)
		}
	}
	theta, err := t.minimize(starts)
	if err != nil {
		return nil, err
	}
	law = []float64{math.Exp(theta[len(theta)-1])}
	for j := range t.logX {
		alpha := math.Exp(theta[2*j+1])
		law = append(law, math.Exp(theta[2*j]+alpha*t.mean[j]), alpha)
	}
	return law, nil
}

func finite(vs ...float64) bool {
	return !slices.ContainsFunc(vs, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}
