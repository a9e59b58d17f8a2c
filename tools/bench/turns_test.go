package main

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestRow: a row tells of the quickest peer that counts, by shortest runs, of the median over
// the rounds of quotients within a round, of what is missed, and of who had more cores than it should.
func TestRow(t *testing.T) {
	all := []*timed{
		{p: &process{name: "goclip"}, shortest: 0.1, medians: []float64{0.1, 0.2, 0.4}},
		{p: &process{name: "ours too"}, shortest: 0.01, medians: []float64{0.01, 0.01, 0.01}},
		{p: &process{name: "quick"}, counts: true, shortest: 0.11, medians: []float64{0.12, 0.22, 0.4}, agrees: "agrees", cores: 1.05},
		{p: &process{name: "slow"}, counts: true, shortest: 0.3, medians: []float64{0.3, 0.6, 1.2}, cores: 1.86},
	}
	for wanted, want := range map[float64]string{
		1.1: "| row | 100 / 200 | ours too 0.10 / 0.05; quick 1.10 / 1.10; slow 3.00 / 3.00 | 1.10 | ≥ 1.10 | 0.0 | quick agrees; slow had 1.9 cores, not 1 |\n",
		1.2: "| row | 100 / 200 | ours too 0.10 / 0.05; quick 1.10 / 1.10; slow 3.00 / 3.00 | 1.10 | ≥ 1.20, missed | 0.0 | quick agrees; slow had 1.9 cores, not 1 |\n",
	} {
		var b strings.Builder
		if print(&b, row{name: "row", wanted: wanted}, all, 0, 1); b.String() != want {
			t.Errorf("got  %swant %s", b.String(), want)
		}
	}
	if got, want := verdict(0.6, 0.5, true), "0.60 | ≤ 0.50, missed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestAgreements: each lets through what is near enough, and nothing that is not a number.
func TestAgreements(t *testing.T) {
	want, nan := []float32{3, 4, 0}, float32(math.NaN())
	for name, f := range map[string]agreement{"near": near(0.01), "same": same(0.6), "cosine": cosineTo()} {
		for _, c := range []struct {
			got []float32
			ok  bool
		}{{want, true}, {[]float32{3, 4, 0.001}, true}, {[]float32{-3, 9, 5}, false}, {[]float32{nan, nan, 0}, false}} {
			if said, ok := f(c.got, want); ok != c.ok {
				t.Errorf("%s of %v: %s, %t, want %t", name, c.got, said, ok, c.ok)
			}
		}
	}
}

// TestSections: no two rows have the same name.
func TestSections(t *testing.T) {
	var names []string
	for _, s := range sections() {
		for _, r := range s.rows {
			names = append(names, s.name+"/"+r.name)
		}
	}
	slices.Sort(names)
	if n := len(slices.Compact(slices.Clone(names))); n != len(names) || n == 0 {
		t.Errorf("%d names of %d are different", n, len(names))
	}
}
