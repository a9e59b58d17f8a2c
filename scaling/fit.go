package scaling

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/goclip/goclip/internal/parallel"
	"gonum.org/v1/gonum/stat"
)

// Options say how laws are fitted. A nil *Options means the zero value.
type Options struct {
	// Huber is the residual, in natural logarithms, above which a point's pull no
	// longer grows. Zero means 1e-3 (Hoffmann et al., 2022). [FitLine] and
	// [FitFrontier] are least-squares fits and do not read it.
	Huber float64
	// Resamples is the number of bootstrap fits, each to as many points drawn with
	// replacement; zero means 300.
	Resamples int
	Seed      uint64 // of the bootstrap
}

func (o *Options) ready() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Huber == 0 {
		c.Huber = 1e-3
	}
	if c.Resamples == 0 {
		c.Resamples = 300
	}
	switch {
	case !(c.Huber > 0 && finite(c.Huber)):
		return c, fmt.Errorf("scaling: Huber is %g, want a positive number", c.Huber)
	case c.Resamples < 0 || c.Resamples > 1_000_000:
		return c, fmt.Errorf("scaling: Resamples is %d, want 0 (for 300) to 1000000", c.Resamples)
	}
	return c, nil
}

// Fit is a law with what is known about its error. Its methods may be called from
// several goroutines.
type Fit[L any] struct {
	Law       L
	N         int        // points that the law was fitted to
	Ranges    []Interval // of the points' x; of a joint law's parameters, samples
	R2        float64    // coefficient of determination of ln y
	Residuals []float64  // ln y − ln law, by point
	Resamples []L        // the same law fitted to each bootstrap sample
	Backtests []Backtest // the larger points, as laws of the smaller ones predict them; see PredictBeyond

	unknowns int
}

// Interval is a range of values, ends included.
type Interval struct{ Low, High float64 }

// Contains reports whether v lies in the interval.
func (i Interval) Contains(v float64) bool { return i.Low <= v && v <= i.High }

// Interval returns the central bootstrap interval of any quantity of the law, at a
// level between 0 and 1 (of another level, NaN):
//
//	fit.Interval(0.9, func(l scaling.Power) float64 { return l.Alpha })
func (f *Fit[L]) Interval(level float64, of func(L) float64) Interval {
	values := make([]float64, len(f.Resamples))
	for i, l := range f.Resamples {
		values[i] = of(l)
	}
	return central(values, level)
}

// Predict returns the interval in which one further run's y lies, at a level
// between 0 and 1: the uncertainty of the law, and on top of it the scatter of runs
// around it. Every bootstrap law is combined with every residual; residuals are
// widened for the unknowns that have been fitted to them.
func (f *Fit[L]) Predict(level float64, y func(L) float64) Interval {
	widen := math.Sqrt(float64(f.N) / float64(max(f.N-f.unknowns, 1)))
	values := make([]float64, 0, len(f.Resamples)*len(f.Residuals))
	for _, l := range f.Resamples {
		at := y(l)
		for _, r := range f.Residuals {
			values = append(values, at*math.Exp(widen*r))
		}
	}
	return central(values, level)
}

// central returns the values between which the middle part of that size lies.
func central(values []float64, level float64) Interval {
	if len(values) == 0 || !(level > 0 && level < 1) {
		return Interval{math.NaN(), math.NaN()}
	}
	slices.Sort(values)
	return Interval{
		stat.Quantile((1-level)/2, stat.LinInterp, values, nil),
		stat.Quantile((1+level)/2, stat.LinInterp, values, nil),
	}
}

// judge fills in how well the law goes through the points.
func (f *Fit[L]) judge(y []float64, law func(i int) float64) {
	f.N = len(y)
	want, got := logs(y), make([]float64, len(y))
	f.Residuals = make([]float64, len(y))
	for i := range y {
		got[i] = math.Log(law(i))
		f.Residuals[i] = want[i] - got[i]
	}
	f.R2 = stat.RSquaredFrom(got, want, nil)
}

// resample fits the law to bootstrap samples of n points, several at once. A sample
// that does not determine the law, because too few different points were drawn, is
// drawn again.
func (f *Fit[L]) resample(n int, o Options, fit func(pick []int) (L, error)) error {
	f.Resamples = make([]L, o.Resamples)
	errs := make([]error, o.Resamples)
	parallel.For(o.Resamples, func(i int) {
		dice := rand.New(rand.NewPCG(o.Seed, uint64(i)))
		pick := make([]int, n)
		for range 100 {
			for j := range pick {
				pick[j] = dice.IntN(n)
			}
			if f.Resamples[i], errs[i] = fit(pick); errs[i] == nil {
				return
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("%w, in each of 100 bootstrap samples", err)
		}
	}
	return nil
}

// column is one variable of the points to be fitted.
type column struct {
	name   string
	values []float64
	least  int // different values at least
}

// check refuses points that determine no law.
func check(points int, columns ...column) error {
	if n := len(columns[0].values); n < points {
		return fmt.Errorf("scaling: %d points, want %d or more", n, points)
	}
	for _, c := range columns {
		different := map[float64]bool{}
		for i, v := range c.values {
			if !(v > 0) || math.IsInf(v, 0) {
				return fmt.Errorf("scaling: %s of point %d is %g, want a positive finite number", c.name, i, v)
			}
			different[v] = true
		}
		if len(different) < c.least {
			if len(different) == 1 {
				return fmt.Errorf("scaling: %s is %g at every point, want %d different values or more", c.name, c.values[0], c.least)
			}
			return fmt.Errorf("scaling: %s has %d different values, want %d or more", c.name, len(different), c.least)
		}
	}
	return nil
}

func span(x []float64) Interval { return Interval{slices.Min(x), slices.Max(x)} }

func take(x []float64, pick []int) []float64 {
	out := make([]float64, len(pick))
	for i, p := range pick {
		out[i] = x[p]
	}
	return out
}
