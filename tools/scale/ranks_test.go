package main

import (
	"os"
	"testing"

	"github.com/goclip/goclip/scaling"
)

// TestStepsAsMeasured: what scaling.Step says of two ranks is within a quarter of what
// BENCHMARKS.md measured, with the bandwidth of the exchange that was measured beside it.
func TestStepsAsMeasured(t *testing.T) {
	page, err := os.ReadFile(root("BENCHMARKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	tables := parse(string(page))
	get := func(column string, cells ...string) float64 {
		v, err := value(tables, column, cells...)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const numbers = 150e6
	seconds := get("ours, s", "exchange of 150 M numbers", "MPICH")
	link := scaling.Link{Latency: 50e-6, Bandwidth: 4 * numbers / seconds} // as Ring's of two has it
	if got := scaling.Ring.AllReduce(2, 4*numbers, link); !(got >= seconds && got <= seconds*1.01) {
		t.Fatalf("an exchange is predicted to take %g s, was measured at %g s", got, seconds)
	}
	for name, params := range map[string]float64{"recipe cifar10, batch 64": 3.1e6, "ViT-B/32, batch 16": 151e6} {
		one, measured := get("1 rank of 2 cores, s", name, "MPICH"), get("2 ranks of 1 core, s", name, "MPICH")
		// A rank has one core. With processes on one machine nothing is gained by overlap: copying is
		// work of the same cores.
		s := scaling.Step{Seconds: 2 * one, Gradients: 4 * params, Link: link}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		if got := s.On(2); !(got <= 1.25*measured && got >= measured/1.25) {
			t.Errorf("%s: two ranks are predicted to take %.3f s, and took %.3f s: want within a quarter", name, got, measured)
		}
	}
}
