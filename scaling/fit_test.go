package scaling

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s: got %g, want %g ± %g", what, got, want, tol)
	}
}

// must returns a function, so that a call with two results can stand inside it.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// geometric returns n numbers in equal ratios from low to high.
func geometric(n int, low, high float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = low * math.Pow(high/low, float64(i)/float64(n-1))
	}
	return out
}

// noisy multiplies y by e^(sigma·z), z standard normal.
func noisy(dice *rand.Rand, y, sigma float64) float64 { return y * math.Exp(sigma*dice.NormFloat64()) }

func powerPoints(law Power, n int, low, high, sigma float64, seed uint64) []Point {
	dice := rand.New(rand.NewPCG(seed, 1))
	var out []Point
	for _, x := range geometric(n, low, high) {
		out = append(out, Point{x, noisy(dice, law.At(x), sigma)})
	}
	return out
}

func jointRuns(law Joint, sigma float64, seed uint64) []Sample {
	dice := rand.New(rand.NewPCG(seed, 2))
	var out []Sample
	for _, n := range geometric(6, 5e3, 2e5) {
		for _, d := range geometric(6, 8e3, 3e5) {
			out = append(out, Sample{N: n, D: d, Y: noisy(dice, law.At(n, d), sigma)})
		}
	}
	return out
}

// TestPowerRecovers: without noise the law comes back; with 1 % of noise on 24
// points, within a few standard errors that the bootstrap itself reports.
func TestPowerRecovers(t *testing.T) {
	for _, law := range []Power{{1.7, 400, 0.35}, {0.2, 30, 0.5}, {1e-3, 3, 0.12}} {
		exact := must(FitPower(powerPoints(law, 12, 1e3, 1e8, 0, 1), &Options{Resamples: 2}))(t)
		near(t, "E", exact.Law.E, law.E, 1e-3*law.At(1e8))
		near(t, "α", exact.Law.Alpha, law.Alpha, 1e-3)
		near(t, "ln A", math.Log(exact.Law.A), math.Log(law.A), 1e-2)
		near(t, "R²", exact.R2, 1, 1e-6)
	}
	law := Power{1.7, 400, 0.35}
	f := must(FitPower(powerPoints(law, 24, 1e3, 1e8, 0.01, 7), &Options{Huber: 0.02}))(t)
	near(t, "noisy α", f.Law.Alpha, law.Alpha, 0.03)
	near(t, "noisy E", f.Law.E, law.E, 0.05)
	if i := f.Interval(0.95, func(p Power) float64 { return p.Alpha }); !i.Contains(law.Alpha) || i.High-i.Low > 0.1 {
		t.Errorf("α's 95 %% interval is %v, want a narrow one around %g", i, law.Alpha)
	}
}

func TestLineRecovers(t *testing.T) {
	law := Power{A: 5.9, Alpha: 0.11}
	f := must(FitLine(powerPoints(law, 3, 1e3, 1e6, 0, 1), nil))(t)
	near(t, "A", f.Law.A, law.A, 1e-9)
	near(t, "α", f.Law.Alpha, law.Alpha, 1e-12)
	rising := Power{A: 6, Alpha: -1.02}
	f = must(FitLine(powerPoints(rising, 9, 1e3, 1e6, 0, 1), nil))(t)
	near(t, "α of a rising line", f.Law.Alpha, rising.Alpha, 1e-12)
}

func TestJointRecovers(t *testing.T) {
	law := Joint{E: 0.35, A: 90, Alpha: 0.45, B: 250, Beta: 0.55}
	exact := must(FitJoint(jointRuns(law, 0, 1), &Options{Resamples: 2}))(t)
	near(t, "E", exact.Law.E, law.E, 2e-3)
	near(t, "α", exact.Law.Alpha, law.Alpha, 5e-3)
	near(t, "β", exact.Law.Beta, law.Beta, 5e-3)
	near(t, "R²", exact.R2, 1, 1e-6)

	f := must(FitJoint(jointRuns(law, 0.01, 3), &Options{Huber: 0.02, Resamples: 100}))(t)
	near(t, "noisy α", f.Law.Alpha, law.Alpha, 0.06)
	near(t, "noisy β", f.Law.Beta, law.Beta, 0.06)
	for name, of := range map[string]func(Joint) float64{
		"α": func(j Joint) float64 { return j.Alpha },
		"β": func(j Joint) float64 { return j.Beta },
		"E": func(j Joint) float64 { return j.E },
	} {
		if i := f.Interval(0.98, of); !i.Contains(of(law)) {
			t.Errorf("the 98 %% interval of %s is %v, which misses %g", name, i, of(law))
		}
	}
	if i := f.Predict(0.98, func(j Joint) float64 { return j.At(6e5, 9e5) }); !i.Contains(law.At(6e5, 9e5)) {
		t.Errorf("the prediction beyond the runs is %v, which misses %g", i, law.At(6e5, 9e5))
	}
}

// TestHuberResists: two of 36 runs that failed leave the law where it is.
func TestHuberResists(t *testing.T) {
	law := Joint{E: 0.35, A: 90, Alpha: 0.45, B: 250, Beta: 0.55}
	runs := jointRuns(law, 0.002, 5)
	runs[3].Y *= 3
	runs[20].Y *= 2
	f := must(FitJoint(runs, &Options{Resamples: 2}))(t)
	near(t, "α", f.Law.Alpha, law.Alpha, 0.03)
	near(t, "β", f.Law.Beta, law.Beta, 0.03)
}

// TestObjectiveGradient compares with central differences, at points on both sides
// of the Huber loss's bend.
func TestObjectiveGradient(t *testing.T) {
	law := Joint{E: 0.35, A: 90, Alpha: 0.45, B: 250, Beta: 0.55}
	var n, d, y []float64
	for _, r := range jointRuns(law, 0.1, 9) {
		n, d, y = append(n, r.N), append(d, r.D), append(y, r.Y)
	}
	for _, delta := range []float64{0.05, 1e6} {
		o := newTerms(delta, y, n, d)
		theta := []float64{-0.3, -0.9, 0.2, -0.5, -1.1}
		grad := make([]float64, len(theta))
		o.value(grad, theta)
		for k := range theta {
			const h = 1e-6
			up, down := slices.Clone(theta), slices.Clone(theta)
			up[k] += h
			down[k] -= h
			want := (o.value(nil, up) - o.value(nil, down)) / (2 * h)
			// Differences of sums of about 10 carry 1e-15·10/h of rounding.
			near(t, "gradient", grad[k], want, 1e-7+1e-6*math.Abs(want))
		}
	}
}

// TestOptimalIsLeast scans models of one budget: none is better.
func TestOptimalIsLeast(t *testing.T) {
	law := Joint{E: 0.35, A: 90, Alpha: 0.45, B: 250, Beta: 0.55}
	for _, cost := range []Power{{A: 120, Alpha: -1}, {A: 500, Alpha: -0.87}} {
		const budget = 3e12
		n, d := law.Optimal(budget, cost)
		near(t, "FLOPs of the optimum", d*cost.At(n)/budget, 1, 1e-12)
		least := law.At(n, d)
		for _, f := range []float64{0.5, 0.9, 0.999, 1.001, 1.1, 2} {
			if other := law.At(n*f, budget/cost.At(n*f)); !(other > least) {
				t.Errorf("cost %v: %g·N* gives %.9f, N* %.9f", cost, f, other, least)
			}
		}
	}
}

// TestIntervalsCover: of 300 sets of points, 90 % intervals hold the exponent, and
// the value of a further run, about as often as they say. A bootstrap of 15 points
// is known to be somewhat narrow; 300 draws at 90 % scatter by 1.7 %.
func TestIntervalsCover(t *testing.T) {
	law := Power{A: 5.9, Alpha: 0.2}
	exponent, further := 0, 0
	for seed := range uint64(300) {
		f := must(FitLine(powerPoints(law, 15, 1e3, 1e6, 0.05, seed), &Options{Resamples: 200, Seed: seed}))(t)
		if f.Interval(0.9, func(p Power) float64 { return p.Alpha }).Contains(law.Alpha) {
			exponent++
		}
		next := noisy(rand.New(rand.NewPCG(seed, 99)), law.At(3e6), 0.05)
		if f.Predict(0.9, func(p Power) float64 { return p.At(3e6) }).Contains(next) {
			further++
		}
	}
	near(t, "coverage of the exponent, %", float64(exponent)/3, 87, 8)
	near(t, "coverage of a further run, %", float64(further)/3, 88, 7)
}

func TestFrontierBins(t *testing.T) {
	// Decades 0 to 3.9 and a tenth: four bins of one decade.
	points := []Point{{1, 9}, {5, 8}, {10, 7}, {99, 7.5}, {3000, 4}, {math.Pow(10, 3.9), 5}}
	got := must(Frontier(points, 4))(t)
	want := []Point{{math.Sqrt(10), 8}, {math.Sqrt(1000), 7}, {math.Pow(10, 3.5), 4}}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range got {
		near(t, "centre", got[i].X/want[i].X, 1, 1e-9)
		near(t, "least y", got[i].Y, want[i].Y, 0)
	}
}

func TestSameSeedSameFit(t *testing.T) {
	runs := jointRuns(Joint{E: 0.35, A: 90, Alpha: 0.45, B: 250, Beta: 0.55}, 0.02, 1)
	a := must(FitJoint(runs, &Options{Resamples: 5, Seed: 4}))(t)
	b := must(FitJoint(runs, &Options{Resamples: 5, Seed: 4}))(t)
	if !reflect.DeepEqual(a, b) {
		t.Error("two fits with one seed differ")
	}
}

func TestFitsRefuse(t *testing.T) {
	good := powerPoints(Power{1, 50, 0.5}, 8, 10, 1e4, 0, 1)
	change := func(f func(p []Point)) []Point { c := slices.Clone(good); f(c); return c }
	runs := jointRuns(Joint{E: 0.35, A: 90, Alpha: 0.45, B: 250, Beta: 0.55}, 0, 1)
	changed := func(f func(i int, r *Sample)) []Sample {
		c := slices.Clone(runs)
		for i := range c {
			f(i, &c[i])
		}
		return c
	}
	power := func(p []Point, o *Options) error { _, err := FitPower(p, o); return err }
	joint := func(r []Sample) error { _, err := FitJoint(r, nil); return err }
	frontier := func(p []Point, bins int) error { _, err := FitFrontier(p, bins, nil); return err }
	lines := func(p []Point) error { _, err := FitLine(p, nil); return err }
	for want, err := range map[string]error{
		"3 points, want 4 or more":               power(good[:3], nil),
		"2 points, want 3 or more":               lines(good[:2]),
		"points in 2 bins has 2, want 3 or more": frontier(good, 2),
		"0 points, want 3 or more":               lines(nil),
		"5 points, want 6 or more":               joint(runs[:5]),
		"x is 7 at every point": power(change(func(p []Point) {
			for i := range p {
				p[i].X = 7
			}
		}), nil),
		"y is 2 at every point": lines(change(func(p []Point) {
			for i := range p {
				p[i].Y = 2
			}
		})),
		"x has 2 different values, want 4": power(change(func(p []Point) {
			for i := range p {
				p[i].X = float64(1 + i%2)
			}
		}), nil),
		"y of point 5 is NaN":                power(change(func(p []Point) { p[5].Y = math.NaN() }), nil),
		"x of point 1 is +Inf":               power(change(func(p []Point) { p[1].X = math.Inf(1) }), nil),
		"y of point 0 is 0, want a positive": lines(change(func(p []Point) { p[0].Y = 0 })),
		"x of point 2 is -3":                 frontier(change(func(p []Point) { p[2].X = -3 }), 5),
		"y does not fall with x": power(change(func(p []Point) {
			for i := range p {
				p[i].Y = 1 + 0.1*float64(i)
			}
		}), nil),
		"N is 1000 at every point":            joint(changed(func(_ int, r *Sample) { r.N = 1000 })),
		"D has 2 different values, want 3":    joint(changed(func(i int, r *Sample) { r.D = float64(100 + i%2) })),
		"Y does not fall with N":              joint(changed(func(_ int, r *Sample) { r.Y = 1 + 1e3/r.D })),
		"Y does not fall with D":              joint(changed(func(_ int, r *Sample) { r.Y = 1 + 1e3/r.N })),
		"1 bins, want 2 to 1000":              frontier(good, 1),
		"Huber is -1, want a positive number": power(good, &Options{Huber: -1}),
		"Resamples is -1":                     power(good, &Options{Resamples: -1}),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "scaling: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}
