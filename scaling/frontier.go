package scaling

import (
	"fmt"
	"math"
	"slices"
)

// FitFrontier fits y = A·x^−Alpha to the [Frontier] of points. Its bootstrap draws
// among all points, so that the intervals know how much hangs on which runs there
// happened to be.
func FitFrontier(points []Point, bins int, o *Options) (*Fit[Power], error) {
	opts, err := o.ready()
	if err != nil {
		return nil, err
	}
	best, err := Frontier(points, bins)
	if err != nil {
		return nil, err
	}
	if len(best) < 3 {
		return nil, fmt.Errorf("scaling: the frontier of %d points in %d bins has %d, want 3 or more", len(points), bins, len(best))
	}
	x, y := split(best)
	if err := check(3, column{"x of the frontier", x, 2}, column{"y of the frontier", y, 2}); err != nil {
		return nil, err
	}
	f := &Fit[Power]{Law: line(x, y), Ranges: []Interval{span(x)}, unknowns: 2}
	f.judge(y, func(i int) float64 { return f.Law.At(x[i]) })
	f.backtest(x, y, func(pick []int) (Power, error) {
		x, y := take(x, pick), take(y, pick)
		return line(x, y), check(2, column{"x", x, 2})
	}, func(l Power, i int) float64 { return l.At(x[i]) })
	return f, f.resample(len(points), opts, func(pick []int) (Power, error) {
		drawn := make([]Point, len(pick))
		for i, p := range pick {
			drawn[i] = points[p]
		}
		best, err := Frontier(drawn, bins)
		if err != nil {
			return Power{}, err
		}
		x, y := split(best)
		return line(x, y), check(3, column{"x", x, 2})
	})
}

// Frontier cuts the points' range of x, in logarithms and to a tenth of a decade
// beyond it, into equal bins, and returns the least y of each that is not empty, at
// the bin's centre.
func Frontier(points []Point, bins int) ([]Point, error) {
	if bins < 2 || bins > 1000 {
		return nil, fmt.Errorf("scaling: %d bins, want 2 to 1000", bins)
	}
	x, y := split(points)
	if err := check(2, column{"x", x, 2}, column{"y", y, 1}); err != nil {
		return nil, err
	}
	low := math.Log10(slices.Min(x))
	width := (math.Log10(slices.Max(x)) + 0.1 - low) / float64(bins)
	best := make([]float64, bins)
	for i := range x {
		bin := int((math.Log10(x[i]) - low) / width)
		if best[bin] == 0 || y[i] < best[bin] {
			best[bin] = y[i]
		}
	}
	var out []Point
	for bin, least := range best {
		if least > 0 {
			out = append(out, Point{math.Pow(10, low+(float64(bin)+0.5)*width), least})
		}
	}
	return out, nil
}
