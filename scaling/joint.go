package scaling

// Sample is one measured Y of a model with N parameters trained on D samples.
type Sample struct{ N, D, Y float64 }

// FitJoint fits y = E + A/n^Alpha + B/d^Beta to six or more runs over three or more
// sizes and amounts of data (Hoffmann et al., 2022, approach 3). Runs whose y does
// not fall with both are refused.
func FitJoint(runs []Sample, o *Options) (*Fit[Joint], error) {
	opts, err := o.ready()
	if err != nil {
		return nil, err
	}
	var n, d, y []float64
	for _, r := range runs {
		n, d, y = append(n, r.N), append(d, r.D), append(y, r.Y)
	}
	columns := func(n, d, y []float64) []column {
		return []column{{"N", n, 3}, {"D", d, 3}, {"Y", y, 2}}
	}
	if err := check(6, columns(n, d, y)...); err != nil {
		return nil, err
	}
	law, err := joint(opts.Huber, n, d, y, nil)
	if err != nil {
		return nil, err
	}
	f := &Fit[Joint]{Law: law, Ranges: []Interval{span(n), span(d)}, unknowns: 5}
	if err := falls("Y", "N", law.Params(f.Ranges[0].Low)-law.Params(f.Ranges[0].High), span(y).Low); err != nil {
		return nil, err
	}
	if err := falls("Y", "D", law.Samples(f.Ranges[1].Low)-law.Samples(f.Ranges[1].High), span(y).Low); err != nil {
		return nil, err
	}
	f.judge(y, func(i int) float64 { return law.At(n[i], d[i]) })
	return f, f.resample(len(y), opts, func(pick []int) (Joint, error) {
		n, d, y := take(n, pick), take(d, pick), take(y, pick)
		if err := check(6, columns(n, d, y)...); err != nil {
			return Joint{}, err
		}
		return joint(opts.Huber, n, d, y, &law)
	})
}

// joint fits the law; near, where not nil, is that of nearly the same runs.
func joint(huber float64, n, d, y []float64, near *Joint) (Joint, error) {
	var known []float64
	if near != nil {
		known = []float64{near.E, near.A, near.Alpha, near.B, near.Beta}
	}
	l, err := newTerms(huber, y, n, d).solve(known)
	if err != nil {
		return Joint{}, err
	}
	return Joint{l[0], l[1], l[2], l[3], l[4]}, nil
}
