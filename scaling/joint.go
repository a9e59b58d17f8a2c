package scaling

import "math"

// Sample is one measured Y of a model with N parameters trained on D samples, of which
// Unique were different ones; 0 means all.
type Sample struct{ N, D, Y, Unique float64 }

func (s Sample) repeats() bool { return s.Unique > 0 && s.Unique < s.D }

// FitJoint fits y = E + A/n^Alpha + B/d^Beta to six or more runs over three or more
// sizes and amounts of data (Hoffmann et al., 2022, approach 3). Where runs saw samples again,
// d is what those were worth, and [Joint].Repeats is fitted, too: without that a law takes epochs for
// data, and promises from more of them what only data gives. Runs whose y does not fall with both are refused.
func FitJoint(runs []Sample, o *Options) (*Fit[Joint], error) {
	opts, err := o.ready()
	if err != nil {
		return nil, err
	}
	j := &columnsOfRuns{huber: opts.Huber}
	var size []float64
	unknowns := 5
	for _, r := range runs {
		j.n, j.d, j.y, j.unique = append(j.n, r.N), append(j.d, r.D), append(j.y, r.Y), append(j.unique, r.Unique)
		size = append(size, r.N*r.D)
		if r.repeats() {
			unknowns = 6
		}
	}
	if err := j.check(); err != nil {
		return nil, err
	}
	law, err := j.fit(nil)
	if err != nil {
		return nil, err
	}
	f := &Fit[Joint]{Law: law, Ranges: []Interval{span(j.n), span(j.d)}, unknowns: unknowns}
	if err := falls("Y", "N", law.Params(f.Ranges[0].Low)-law.Params(f.Ranges[0].High), span(j.y).Low); err != nil {
		return nil, err
	}
	worth := span(j.effective(law.Repeats))
	if err := falls("Y", "D", law.Samples(worth.Low)-law.Samples(worth.High), span(j.y).Low); err != nil {
		return nil, err
	}
	at := func(l Joint, i int) float64 { return l.AtRepeated(j.n[i], j.d[i], j.unique[i]) }
	f.judge(j.y, func(i int) float64 { return at(law, i) })
	refit := func(pick []int, near *Joint) (Joint, error) {
		some := j.pick(pick)
		if err := some.check(); err != nil {
			return Joint{}, err
		}
		return some.fit(near)
	}
	f.backtest(size, j.y, func(pick []int) (Joint, error) { return refit(pick, &law) }, at)
	return f, f.resample(len(j.y), opts, func(pick []int) (Joint, error) { return refit(pick, &law) })
}

// Effective is how many new samples d are worth of which unique are different, for a
// constant repeats, R*, as [Joint].Repeats: U + U·R*·(1 − e^(−R/R*)) with R = d/U − 1
// (Muennighoff et al., 2023, Scaling data-constrained language models). It is d where unique is 0,
// or repeats is 0 or infinite.
func Effective(d, unique, repeats float64) float64 {
	if !(unique > 0 && unique < d) || repeats == 0 || math.IsInf(repeats, 1) {
		return d
	}
	return unique * (1 + repeats*-math.Expm1(-(d/unique-1)/repeats))
}

// AtRepeated is [Joint.At] for d samples of which unique are different.
func (j Joint) AtRepeated(n, d, unique float64) float64 {
	return j.At(n, Effective(d, unique, j.Repeats))
}

// columnsOfRuns are columns of samples.
type columnsOfRuns struct {
	huber           float64
	n, d, y, unique []float64
}

func (j *columnsOfRuns) pick(p []int) *columnsOfRuns {
	return &columnsOfRuns{j.huber, take(j.n, p), take(j.d, p), take(j.y, p), take(j.unique, p)}
}

func (j *columnsOfRuns) check() error {
	return check(6, column{"N", j.n, 3}, column{"D", j.d, 3}, column{"Y", j.y, 2})
}

func (j *columnsOfRuns) effective(repeats float64) []float64 {
	d := make([]float64, len(j.d))
	for i := range d {
		d[i] = Effective(j.d[i], j.unique[i], repeats)
	}
	return d
}

// fit fits the law; near, where not nil, is that of nearly the same runs. What repeats are worth is searched
// along a row of constants, the others being fitted to each.
func (j *columnsOfRuns) fit(near *Joint) (best Joint, err error) {
	row := []float64{0}
	for i := range j.d {
		if (Sample{D: j.d[i], Unique: j.unique[i]}).repeats() {
			row = []float64{math.Inf(1), 128, 64, 32, 16, 8, 4, 2, 1, 0.5}
			if near != nil && near.Repeats > 0 && !math.IsInf(near.Repeats, 1) {
				row = []float64{near.Repeats, near.Repeats / 2, near.Repeats * 2}
			}
			break
		}
	}
	least := math.Inf(1)
	for _, repeats := range row {
		law, cost, err := j.given(repeats, near)
		if err != nil {
			return Joint{}, err
		}
		if cost < least {
			least, best = cost, law
		}
		if near == nil {
			near = &law
		}
	}
	return best, nil
}

// given is the law for what repeats are worth, and the objective of its residuals.
func (j *columnsOfRuns) given(repeats float64, near *Joint) (Joint, float64, error) {
	var known []float64
	if near != nil {
		known = []float64{near.E, near.A, near.Alpha, near.B, near.Beta}
	}
	d := j.effective(repeats)
	l, err := newTerms(j.huber, j.y, j.n, d).solve(known)
	if err != nil {
		return Joint{}, 0, err
	}
	law, cost := Joint{l[0], l[1], l[2], l[3], l[4], repeats}, 0.0
	for i, y := range j.y {
		r := math.Abs(math.Log(law.At(j.n[i], d[i])) - math.Log(y))
		if r <= j.huber {
			cost += r * r / (2 * j.huber)
		} else {
			cost += r - j.huber/2
		}
	}
	return law, cost, nil
}
