package fewshot

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestDrawsDoNotOverlap(t *testing.T) {
	of := make([]int, 100)
	for i := range of {
		of[i] = i % 4
	}
	a, b, err := Draw(of, 4, 7, 3, 1)
	check(t, err)
	count := make([]int, 4)
	for _, i := range a {
		count[of[i]]++
	}
	if !slices.Equal(count, []int{7, 7, 7, 7}) || len(b) != 12 {
		t.Errorf("%v examples a class and %d validation images, want 7 each and 12", count, len(b))
	}
	all := slices.Sorted(slices.Values(append(slices.Clone(a), b...)))
	if len(slices.Compact(all)) != 40 {
		t.Error("an image was drawn twice")
	}
	again, _, _ := Draw(of, 4, 7, 3, 1)
	other, _, _ := Draw(of, 4, 7, 3, 2)
	if !slices.Equal(a, again) || slices.Equal(a, other) {
		t.Error("want the same draw from one seed and another from the next")
	}
	for want, draw := range map[string][3]int{
		"class 0 has 25 images, want 20 examples and 6": {4, 20, 6},
		"class 4 has 0 images":                          {5, 1, 1},
		"has class 3, want 0 to 2":                      {3, 1, 1},
		"0 examples":                                    {4, 0, 1},
	} {
		if _, _, err := Draw(of, draw[0], draw[1], draw[2], 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %s", err, want)
		}
	}
}

// TestInterval against a table: the 97.5th percentile of t is 2.776 for 4 degrees
// of freedom and 12.706 for one.
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		values     []float64
		mean, half float64
	}{
		{[]float64{1, 2, 3, 4, 5}, 3, 2.77645 * math.Sqrt(2.5) / math.Sqrt(5)},
		{[]float64{0, 2}, 1, 12.7062},
		{[]float64{4, 4, 4}, 4, 0},
	} {
		mean, half, err := Interval(c.values)
		check(t, err)
		if !(math.Abs(mean-c.mean) <= 1e-12 && math.Abs(half-c.half) <= 1e-4) {
			t.Errorf("%v: %g ± %g, want %g ± %g", c.values, mean, half, c.mean, c.half)
		}
	}
	if _, _, err := Interval([]float64{1}); err == nil {
		t.Error("an interval of one measurement")
	}
}

func TestStudy(t *testing.T) {
	w := newWorld(8, 0.3)
	s := Study{Text: w.text, Scale: 20, Pool: w.set(12, 0.3), Test: w.set(30, 0.3), Shots: []int{1, 8}, Seeds: 3}
	var told []Result
	results, err := s.Run(context.Background(), func(r Result) { told = append(told, r) })
	check(t, err)
	if len(results) != 8 || len(told) != 8 {
		t.Fatalf("%d results, %d told, want 8", len(results), len(told))
	}
	for i, r := range results {
		if r.Method != told[i].Method || len(r.Runs) != 3 || r.Shots != []int{1, 8}[i/4] {
			t.Errorf("result %d is of %s, %d examples, %d draws", i, r.Method, r.Shots, len(r.Runs))
		}
		for _, run := range r.Runs {
			right := 0
			for c := range classes {
				if run.Of[c] != 30 || run.Right[c] > 30 {
					t.Errorf("%d of %d, want at most 30 of 30", run.Right[c], run.Of[c])
				}
				right += run.Right[c]
			}
			if got, want := run.Accuracy(), float64(right)/150; got != want {
				t.Errorf("accuracy %g, want %g", got, want)
			}
			if got, want := run.Accuracy(1, 3), float64(run.Right[1]+run.Right[3])/60; got != want {
				t.Errorf("accuracy of two classes %g, want %g", got, want)
			}
		}
	}
	for want, spoil := range map[string]func(*Study){
		"Seeds -1":                          func(s *Study) { s.Seeds = -1 },
		"class 0 has 12":                    func(s *Study) { s.Shots = []int{9} },
		"Val: no images (of Pool and Test)": func(s *Study) { s.Test = Set{} },
	} {
		s := s
		spoil(&s)
		if _, err := s.Run(context.Background(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %s", err, want)
		}
	}
}
