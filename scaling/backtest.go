package scaling

import (
	"cmp"
	"math"
	"slices"

	"github.com/goclip/goclip/internal/parallel"
)

// Backtest is one point as the law of smaller points alone predicts it.
type Backtest struct {
	Point int     // its number
	Reach float64 // its size over that of the largest point the law was fitted to
	Error float64 // ln y − ln law
}

// PredictBeyond is [Fit.Predict] for a run larger than all that the law was fitted to. What
// residuals cannot show is how wrong the law's form is where no run was. So the law is held to
// the fit's own larger points: it is fitted to the smaller ones and predicts those, again and
// again (see [Fit].Backtests). The interval reaches as far, either way, as those errors did at
// the level, by the rank that makes split conformal prediction hold (Vovk et al., 2005): of n
// points held out, number ⌈(n+1)·level⌉, or the largest. It is never narrower than Predict's.
//
// That is as much as the points know. A further run whose kind they have not seen, such as the
// first that understands something all at once, or comes back to its images more often
// than any before, may lie outside.
func (f *Fit[L]) PredictBeyond(level float64, y func(L) float64) Interval {
	i, at := f.Predict(level, y), y(f.Law)
	if off := f.beyond(level); off > 0 && !math.IsNaN(i.Low) {
		i.Low, i.High = min(i.Low, at*math.Exp(-off)), max(i.High, at*math.Exp(off))
	}
	return i
}

// beyond is how far, in logarithms, points beyond a law are off. Of a point that several laws
// predict the one counts that had to reach the farthest.
func (f *Fit[L]) beyond(level float64) float64 {
	reached := map[int]Backtest{}
	for _, b := range f.Backtests {
		if b.Reach > reached[b.Point].Reach {
			reached[b.Point] = b
		}
	}
	var off []float64
	for _, b := range reached {
		off = append(off, math.Abs(b.Error))
	}
	if len(off) == 0 {
		return 0
	}
	slices.Sort(off)
	return off[min(len(off), int(math.Ceil(float64(len(off)+1)*level)))-1]
}

// farthest is how far a backtest looks beyond the points it was fitted to.
const farthest = 4

// backtest predicts the larger half of the points, by size, each from laws of what is smaller by up
// to farthest times. Fit says which law the picked points have; where they have none, nothing
// is tested.
func (f *Fit[L]) backtest(size []float64, y []float64, fit func(pick []int) (L, error), at func(l L, i int) float64) {
	order := make([]int, len(size))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(size[a], size[b]) })
	half := len(order) / 2
	found := make([][]Backtest, len(order))
	parallel.For(len(order)-half, func(k int) {
		n := half + k
		last := size[order[n-1]]
		if size[order[n]] <= last*(1+1e-9) {
			return // of one size with what would be held out
		}
		law, err := fit(order[:n])
		if err != nil {
			return
		}
		for _, i := range order[n:] {
			if reach := size[i] / last; reach <= farthest {
				found[n] = append(found[n], Backtest{i, reach, math.Log(y[i]) - math.Log(at(law, i))})
			}
		}
	})
	f.Backtests = slices.Concat(found...)
}
