package train_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/goclip/goclip/train"
)

// TestRecomputedIsBits: with gradient checkpointing, towers of every family have after some
// steps the weights that they have without, whole and in micro-batches, to the last bit.
func TestRecomputedIsBits(t *testing.T) {
	all := families()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		if f.several {
			continue
		}
		t.Run(name, func(t *testing.T) {
			run := func(again bool, micro int) []float32 {
				m := f.model(t)
				cfg := config(3)
				cfg.GradCheckpointing, cfg.MicroBatch = again, micro
				tr, err := train.New(m, cfg)
				check(t, err)
				for range 3 {
					_, err = tr.StepBatch(context.Background(), noise(m, 4))
					check(t, err)
				}
				return weights(m)
			}
			sameBits(t, "weights", run(true, 0), run(false, 0))
			sameBits(t, "weights in micro-batches", run(true, 3), run(false, 3))
		})
	}
}
