package scaling

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// Point is one measured y at x.
type Point struct{ X, Y float64 }

func split(points []Point) (x, y []float64) {
	for _, p := range points {
		x, y = append(x, p.X), append(y, p.Y)
	}
	return x, y
}

// FitLine fits y = A·x^−Alpha, a straight line in logarithms, by least squares to
// three points or more. Alpha is negative where y rises.
func FitLine(points []Point, o *Options) (*Fit[Power], error) {
	opts, err := o.ready()
	if err != nil {
		return nil, err
	}
	x, y := split(points)
	if err := check(3, column{"x", x, 2}, column{"y", y, 2}); err != nil {
		return nil, err
	}
	f := &Fit[Power]{Law: line(x, y), Ranges: []Interval{span(x)}, unknowns: 2}
	f.judge(y, func(i int) float64 { return f.Law.At(x[i]) })
	refit := func(pick []int) (Power, error) {
		x, y := take(x, pick), take(y, pick)
		return line(x, y), check(2, column{"x", x, 2})
	}
	f.backtest(x, y, refit, func(l Power, i int) float64 { return l.At(x[i]) })
	return f, f.resample(len(x), opts, refit)
}

// line is the least-squares line through the logarithms.
func line(x, y []float64) Power {
	offset, slope := stat.LinearRegression(logs(x), logs(y), nil, false)
	return Power{A: math.Exp(offset), Alpha: -slope}
}

// FitPower fits y = E + A·x^−Alpha to points of four or more different x: the
// Huber loss of the logarithms, by L-BFGS from several starts. Points whose y does
// not fall with x are refused.
func FitPower(points []Point, o *Options) (*Fit[Power], error) {
	opts, err := o.ready()
	if err != nil {
		return nil, err
	}
	x, y := split(points)
	if err := check(4, column{"x", x, 4}, column{"y", y, 2}); err != nil {
		return nil, err
	}
	law, err := power(opts.Huber, x, y, nil)
	if err != nil {
		return nil, err
	}
	f := &Fit[Power]{Law: law, Ranges: []Interval{span(x)}, unknowns: 3}
	r := f.Ranges[0]
	if err := falls("y", "x", law.At(r.Low)-law.At(r.High), span(y).Low); err != nil {
		return nil, err
	}
	f.judge(y, func(i int) float64 { return law.At(x[i]) })
	refit := func(pick []int, near *Power) (Power, error) {
		x, y := take(x, pick), take(y, pick)
		if err := check(3, column{"x", x, 3}, column{"y", y, 2}); err != nil {
			return Power{}, err
		}
		return power(opts.Huber, x, y, near)
	}
	f.backtest(x, y, func(pick []int) (Power, error) { return refit(pick, &law) }, func(l Power, i int) float64 { return l.At(x[i]) })
	return f, f.resample(len(x), opts, func(pick []int) (Power, error) { return refit(pick, &law) })
}

// power fits the law; near, where not nil, is that of nearly the same points.
func power(huber float64, x, y []float64, near *Power) (Power, error) {
	var known []float64
	if near != nil {
		known = []float64{near.E, near.A, near.Alpha}
	}
	l, err := newTerms(huber, y, x).solve(known)
	if err != nil {
		return Power{}, err
	}
	return Power{l[0], l[1], l[2]}, nil
}

// falls refuses a term that changes y by less than a thousandth over the points.
func falls(y, x string, by, least float64) error {
	if !(by > least/1000) {
		return fmt.Errorf("scaling: %s does not fall with %s: no power law", y, x)
	}
	return nil
}
