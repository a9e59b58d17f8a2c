package scaling_test

import (
	"math"
	"strings"
	"testing"

	"github.com/goclip/goclip/scaling"
)

func step() scaling.Step {
	return scaling.Step{Seconds: 100, Fixed: 0.05, Gradients: 6e8, Embeddings: 6.7e7, Overlap: 0.5, Link: scaling.Link{Latency: 5e-5, Bandwidth: 1.25e9}}
}

// TestAllReduceSimulated: the formulas are the times that come of passing the pieces.
func TestAllReduceSimulated(t *testing.T) {
	l := scaling.Link{Latency: 1e-3, Bandwidth: 1e8}
	for n := 1; n <= 33; n++ {
		const bytes = 1e7
		near(t, "ring", scaling.Ring.AllReduce(n, bytes, l), ring(n, bytes, l), 1e-9)
		near(t, "tree", scaling.Tree.AllReduce(n, bytes, l), tree(n, bytes, l), 1e-9)
	}
}

// ring passes pieces on until each machine has added to, and then received, every one.
func ring(n int, bytes float64, l scaling.Link) float64 {
	clock := make([]float64, n)
	for range 2 * (n - 1) {
		next := make([]float64, n)
		for from := range n {
			to := (from + 1) % n
			next[to] = max(clock[from], clock[to]) + l.Latency + bytes/float64(n)/l.Bandwidth
		}
		clock = next
	}
	latest := 0.0
	for _, c := range clock {
		latest = max(latest, c)
	}
	return latest
}

// tree adds in pairs at growing distances, and sends the sum back.
func tree(n int, bytes float64, l scaling.Link) float64 {
	clock, far := make([]float64, n), 1
	for ; far < n; far *= 2 {
		for to := 0; to+far < n; to += 2 * far {
			clock[to] = max(clock[to], clock[to+far]) + l.Latency + bytes/l.Bandwidth
		}
	}
	latest := clock[0]
	for far /= 2; far >= 1; far /= 2 {
		for from := 0; from+far < n; from += 2 * far {
			clock[from+far] = clock[from] + l.Latency + bytes/l.Bandwidth
			clock[from] = clock[from+far]
			latest = max(latest, clock[from])
		}
	}
	return latest
}

func TestStep(t *testing.T) {
	s := step()
	near(t, "one machine", s.On(1), 100.05, 1e-12)
	near(t, "two", s.On(2), 50+0.05+(5e-5+3.35e7/1.25e9)+2*(5e-5+3.35e7/1.25e9), 1e-12) // gradients fit beside the backward pass
	s.Overlap = 0
	near(t, "two, nothing at once", s.On(2), 50+0.05+3*(5e-5+3.35e7/1.25e9)+2*(5e-5+3e8/1.25e9), 1e-12)
}

// TestWorth: no other number of machines is worth more, and a slower link makes fewer worth while.
func TestWorth(t *testing.T) {
	last := math.MaxInt
	for _, bandwidth := range []float64{1e11, 1e10, 1e9, 1e8, 1e7} {
		s := step()
		s.Link.Bandwidth = bandwidth
		n, err := s.Worth(0.5, 4096)
		if err != nil || n > last {
			t.Errorf("%g bytes a second: %d machines after %d, %v", bandwidth, n, last, err)
		}
		last = n
		value := func(n int) float64 { return s.On(1)/s.On(n) - 0.5*float64(n) }
		for m := 1; m <= 4096; m++ {
			if value(m) > value(n) {
				t.Fatalf("%g bytes a second: %d machines are worth more than %d", bandwidth, m, n)
			}
		}
	}
	if last != 1 {
		t.Errorf("over a line of 10 MB/s %d machines pay, want one", last)
	}
	for _, bad := range []scaling.Step{{}, {Seconds: 1}, {Seconds: 1, Link: scaling.Link{Bandwidth: 1}, Overlap: 2}, {Seconds: math.NaN(), Link: scaling.Link{Bandwidth: 1}}} {
		if _, err := bad.Worth(0.5, 10); err == nil || !strings.Contains(err.Error(), "scaling: Step.") {
			t.Errorf("%+v: error %v", bad, err)
		}
	}
	if _, err := step().Worth(1, 10); err == nil {
		t.Error("a share of 1: no error")
	}
}
