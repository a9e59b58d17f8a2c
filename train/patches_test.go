package train_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/train"
)

// TestDrawnPatches are as many as asked for, ascending, depend on seed, step and
// pair, and leave no patch out more often than another.
func TestDrawnPatches(t *testing.T) {
	const n, k, draws = 16, 5, 8000
	var counts [n]int
	seen := make(map[string]bool)
	for i := range draws {
		kept := train.DrawPatches(k, n, uint64(i%2), i/200, i/2%100)
		if !slices.IsSorted(kept) || len(slices.Compact(slices.Clone(kept))) != k {
			t.Fatalf("drew %v, want %d ascending numbers", kept, k)
		}
		for _, p := range kept {
			counts[p]++
		}
		if i < 400 {
			seen[fmt.Sprint(kept)] = true
		}
	}
	// Each count is binomial: p = 5/16, so σ = √(draws·p·(1−p)) = 41; 5σ.
	for p, c := range counts {
		if want := draws * k / n; math.Abs(float64(c-want)) > 5*41 {
			t.Errorf("patch %d was kept %d times of %d, want about %d", p, c, draws, want)
		}
	}
	// 400 draws of 4368 sets: about 18 meet by chance.
	if len(seen) < 360 {
		t.Errorf("400 draws gave %d different sets", len(seen))
	}
	if a, b := train.DrawPatches(k, n, 7, 8, 9), train.DrawPatches(k, n, 7, 8, 9); !slices.Equal(a, b) {
		t.Errorf("the same seed, step and pair drew %v and %v", a, b)
	}
}

// TestPatchDropout: a step draws anew, also in micro-batches the same, and
// encoding afterwards sees whole images.
func TestPatchDropout(t *testing.T) {
	run := func(seed uint64, micro int) ([]float64, []float32) {
		m := model(t, 1)
		cfg := config(3)
		cfg.PatchDropout, cfg.Seed, cfg.MicroBatch = 0.5, seed, micro
		cfg.LR = func(int) float64 { return 0 } // so that steps differ in what they drew only
		cfg.WeightDecay = 0
		tr, err := train.New(m, cfg)
		check(t, err)
		b := noise(m, 8)
		var losses []float64
		for range 3 {
			s, err := tr.StepBatch(context.Background(), b)
			check(t, err)
			losses = append(losses, s.Loss)
		}
		e, err := m.ImageFeatures(context.Background(), b.Pixels)
		check(t, err)
		return losses, e.Data
	}
	losses, features := run(1, 0)
	if losses[0] == losses[1] || losses[1] == losses[2] {
		t.Errorf("losses %v: every step should draw other patches", losses)
	}
	if again, _ := run(1, 3); !slices.Equal(again, losses) {
		t.Errorf("in micro-batches the losses are %v, want %v", again, losses)
	}
	if other, _ := run(2, 0); other[0] == losses[0] {
		t.Errorf("another seed drew the same patches")
	}
	m := model(t, 1)
	want, err := m.ImageFeatures(context.Background(), noise(m, 8).Pixels)
	check(t, err)
	sameBits(t, "features after training at rate 0", features, want.Data)
}

func TestPatchDropoutErrors(t *testing.T) {
	for _, p := range []float64{-0.1, 1, math.NaN()} {
		cfg := config(1)
		cfg.PatchDropout = p
		if _, err := train.New(model(t, 1), cfg); err == nil || !strings.Contains(err.Error(), "train: PatchDropout is") {
			t.Errorf("PatchDropout %g: got error %v", p, err)
		}
	}
}
