package train_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/train"
)

// weights are all weights of a model in one row.
func weights(m *encoder.Model) []float32 {
	var all []float32
	for _, p := range m.Params() {
		all = append(all, p.Data...)
	}
	return all
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: number %d is %g, want %g to the bit", what, i, got[i], want[i])
		}
	}
}

// TestAverageFollowsItsDefinition in float64, and neither changes the training
// nor outlives the call that asks for it.
func TestAverageFollowsItsDefinition(t *testing.T) {
	const steps, decay = 12, 0.6
	run := func(ema float64) (*train.Trainer, *encoder.Model, []float64) {
		m := model(t, 1)
		cfg := config(steps)
		cfg.EMA = ema
		tr, err := train.New(m, cfg)
		check(t, err)
		var mean []float64
		for _, v := range weights(m) {
			mean = append(mean, float64(v))
		}
		for n := range steps {
			_, err := tr.Step(context.Background(), pairs(t, 8*n, 8))
			check(t, err)
			d := math.Min(decay, float64(1+n)/float64(10+n))
			for i, v := range weights(m) {
				mean[i] = d*mean[i] + (1-d)*float64(v)
			}
		}
		return tr, m, mean
	}
	tr, m, want := run(decay)
	plain, other, _ := run(0)
	trained := weights(m)
	sameBits(t, "trained with an average beside", trained, weights(other))

	failed := errors.New("saving failed")
	err := tr.Averaged(func() error {
		for i, got := range weights(m) {
			// A float32 rounding for each of the steps, of numbers up to 5.
			if diff := math.Abs(float64(got) - want[i]); !(diff <= steps*5*6e-8) {
				t.Fatalf("mean %d is %g, want %g", i, got, want[i])
			}
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("got error %v, want %v", err, failed)
	}
	sameBits(t, "after the average was used", weights(m), trained)
	check(t, plain.Averaged(func() error {
		sameBits(t, "without an average", weights(other), trained)
		return nil
	}))
}

func TestAverageRefuses(t *testing.T) {
	for _, decay := range []float64{-0.1, 1, math.NaN()} {
		cfg := config(1)
		cfg.EMA = decay
		if _, err := train.New(model(t, 1), cfg); err == nil || !strings.Contains(err.Error(), "train: EMA") {
			t.Errorf("EMA %g: got error %v, want one that names EMA", decay, err)
		}
	}
}
