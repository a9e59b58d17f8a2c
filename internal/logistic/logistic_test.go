package logistic

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// noisy is n examples around one centre for each class.
func noisy(n, d, classes int, noise float64) ([]float32, []int) {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	centres := make([]float64, classes*d)
	for i := range centres {
		centres[i] = rng.NormFloat64()
	}
	x, y := make([]float32, 0, n*d), make([]int, n)
	for i := range n {
		y[i] = i % classes
		for j := range d {
			x = append(x, float32(centres[y[i]*d+j]+noise*rng.NormFloat64()))
		}
	}
	return x, y
}

func regression(t *testing.T, n, d, classes int) *Regression {
	t.Helper()
	x, y := noisy(n, d, classes, 1.5)
	r, err := New(x, d, y, classes)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func random(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 5))
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64()
	}
	return out
}

// defined is the objective word for word.
func defined(r *Regression, c Config, theta []float64) float64 {
	var cost float64
	for i, y := range r.y {
		var sum, right float64
		for k := range r.classes {
			var z float64
			if c.Bias {
				z = theta[r.classes*r.d+k]
			}
			for j := range r.d {
				z += theta[k*r.d+j] * r.x[i*r.d+j]
			}
			sum += math.Exp(z)
			if k == y {
				right = z
			}
		}
		cost += (math.Log(sum) - right) / float64(r.n)
	}
	for i := range r.classes * r.d {
		diff := theta[i]
		if c.Prior != nil {
			diff -= c.Prior.W[i]
		}
		cost += c.L2 / 2 * diff * diff
	}
	return cost
}

// TestGradient compares with the definition and its central differences, whose
// error at this step is about 1e-9.
func TestGradient(t *testing.T) {
	r := regression(t, 17, 5, 3)
	for _, c := range []Config{
		{L2: 0.3}, {L2: 0.3, Bias: true}, {L2: 2, Bias: true, Prior: &Weights{W: random(2, 15)}},
	} {
		theta := random(3, 15)
		if c.Bias {
			theta = random(3, 18)
		}
		obj := newObjective(r, c)
		obj.moveTo(theta)
		if want := defined(r, c, theta); !(math.Abs(obj.cost-want) <= 1e-12*want) {
			t.Errorf("%+v: the value is %.15g, want %.15g", c, obj.cost, want)
		}
		for i := range theta {
			const h = 1e-5
			at := theta[i]
			theta[i] = at + h
			up := defined(r, c, theta)
			theta[i] = at - h
			down := defined(r, c, theta)
			theta[i] = at
			if want := (up - down) / (2 * h); !(math.Abs(obj.grad[i]-want) <= 1e-8) {
				t.Errorf("%+v: gradient %d is %.12g, want %.12g", c, i, obj.grad[i], want)
			}
		}
	}
}

// TestOptimum: no small step from the result lowers the objective, whatever the
// start was, and both starts find the same weights.
func TestOptimum(t *testing.T) {
	r := regression(t, 40, 6, 4)
	c := Config{L2: 0.01, Bias: true}
	fit := func(start *Weights) []float64 {
		c := c
		c.Start = start
		w, err := r.Fit(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		return append(w.W, w.B...)
	}
	found := fit(nil)
	best := defined(r, c, found)
	for seed := range uint64(50) {
		other := random(seed, len(found))
		for i := range other {
			other[i] = found[i] + 1e-3*other[i]
		}
		if got := defined(r, c, other); got <= best {
			t.Errorf("a step away the objective is %.12g, at the result %.12g", got, best)
		}
	}
	// The penalty's curvature is at least L2, so W is off by at most |gradient|/L2.
	for i, v := range fit(&Weights{W: random(7, 24), B: random(8, 4)})[:24] {
		if !(math.Abs(v-found[i]) <= 2e-3) {
			t.Errorf("weight %d is %g from another start, want %g within 2e-3", i, v, found[i])
		}
	}
}

// TestStrongPenaltyGivesThePrior, and a weak one learns the classes.
func TestStrongPenaltyGivesThePrior(t *testing.T) {
	x, y := noisy(30, 5, 3, 0.1)
	r, err := New(x, 5, y, 3)
	if err != nil {
		t.Fatal(err)
	}
	prior := &Weights{W: random(4, 15)}
	w, err := r.Fit(context.Background(), Config{L2: 1e6, Prior: prior})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range w.W {
		if !(math.Abs(v-prior.W[i]) <= 1e-5) {
			t.Errorf("weight %d is %g, want %g of the prior within 1e-5", i, v, prior.W[i])
		}
	}
	w, err = r.Fit(context.Background(), Config{L2: 1e-4, Prior: prior, Start: w})
	if err != nil {
		t.Fatal(err)
	}
	if cost := defined(r, Config{}, w.W); !(cost <= 0.05) {
		t.Errorf("the cross-entropy is %g after a fit with a weak penalty, want at most 0.05", cost)
	}
}

func TestRefuses(t *testing.T) {
	nan := float32(math.NaN())
	fails := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %s", err, want)
		}
	}
	for _, c := range []struct {
		x    []float32
		dim  int
		y    []int
		want string
	}{
		{nil, 1, nil, "0 examples"},
		{[]float32{1, 2}, 0, []int{0}, "0 features"},
		{[]float32{1, 2}, 2, []int{0, 1}, "2 numbers, want 2 examples × 2 features"},
		{[]float32{1, 2}, 1, []int{0, 3}, "example 1 has class 3, want 0 to 2"},
		{[]float32{1, 2, 3, nan}, 2, []int{0, 1}, "feature 1 of example 1 is NaN"},
	} {
		_, err := New(c.x, c.dim, c.y, 3)
		fails(c.want, err)
	}
	r := regression(t, 9, 2, 3)
	for _, l2 := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		_, err := r.Fit(context.Background(), Config{L2: l2})
		fails("want a positive number", err)
	}
	_, err := r.Fit(context.Background(), Config{L2: 1, Prior: &Weights{W: make([]float64, 5)}})
	fails("want 3 × 2 weights", err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Fit(ctx, Config{L2: 1e-3}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled fit: %v", err)
	}
}
