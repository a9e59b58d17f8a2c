package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/train"
)

// odd is a rank that does something before each exchange.
type odd struct {
	train.Ranks
	calls  int
	before func(call int)
}

func (o *odd) Exchange(ctx context.Context, send, receive []train.Message) error {
	o.calls++
	o.before(o.calls)
	return o.Ranks.Exchange(ctx, send, receive)
}

// TestRanksOverlap: weights travel, or wait for another rank to send them, while the last
// micro-batch's other gradients are still to be computed.
func TestRanksOverlap(t *testing.T) {
	early, late := train.FirstToTravel(t.Context())
	if !early || !late {
		t.Errorf("the parcel of a weight that is ready was sent before the other was: %v; the other one after it was: %v", early, late)
	}
}

// TestRanksInterrupted: a run that is cancelled on one rank, slower than the others, at any time
// of a step, stops on all after the same one, and goes on to the same bits.
func TestRanksInterrupted(t *testing.T) {
	whole := t.TempDir()
	check(t, errors.Join(ranked(t, 1, 4, whole, 1, nil)...))
	want := tensorsIn(t, filepath.Join(whole, "step-00000004.safetensors"))
	stopped := 0
	for at := 12; at < 48; at += 3 {
		dir := t.TempDir()
		steps := make([]int, 3)
		errs := onRanks(3, func(r *train.LocalRank) error {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			m := model(t, 1)
			cfg := config(100)
			cfg.EMA, cfg.PatchDropout, cfg.Seed, cfg.MicroBatch, cfg.Ranks = 0.9, 0.25, runSeed, 1, r
			if r.Rank() == 1 {
				cfg.Ranks = &odd{r, 0, func(call int) {
					time.Sleep(100 * time.Microsecond)
					if call == at {
						cancel()
					}
				}}
			}
			tr, err := train.New(m, cfg)
			if err != nil {
				return err
			}
			err = tr.Fit(ctx, drawn(t, 60), plan(dir, 4))
			steps[r.Rank()] = tr.Steps()
			return err
		})
		for rank, err := range errs {
			if (err == nil) != (errs[0] == nil) || err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled at exchange %d: rank %d: got error %v", at, rank, err)
			}
		}
		if steps[0] != steps[1] || steps[0] != steps[2] {
			t.Errorf("cancelled at exchange %d: the ranks stopped after steps %v, want one number", at, steps)
		}
		if errs[0] != nil {
			stopped++
		}
		check(t, errors.Join(ranked(t, 2, 4, dir, 1, nil)...))
		sameFiles(t, fmt.Sprintf("cancelled at exchange %d", at), tensorsIn(t, filepath.Join(dir, "step-00000004.safetensors")), want)
	}
	if stopped < 6 {
		t.Errorf("%d of 12 runs were interrupted, want most of them", stopped)
	}
}

// TestRanksGradientNotFinite: all ranks say so, and none has changed a weight.
func TestRanksGradientNotFinite(t *testing.T) {
	for rank, err := range onRanks(3, func(r *train.LocalRank) error {
		m := model(t, 1)
		before := weights(m)
		cfg := config(10)
		cfg.MicroBatch, cfg.Ranks = 2, r
		cfg.Loss = loss.ByRows("steep", func(row *loss.Row) float64 {
			row.Gradient[row.Image] = float32(math.Inf(1))
			return 1
		})
		tr, err := train.New(m, cfg)
		if err != nil {
			return err
		}
		_, err = tr.StepBatch(context.Background(), noise(m, 12))
		sameBits(t, "the weights", weights(m), before)
		return err
	}) {
		if err == nil || !strings.Contains(err.Error(), "not finite in the loss and the gradient of ") {
			t.Errorf("rank %d: got error %v", rank, err)
		}
	}
}

// TestRanksShareTheLoss: a batch so large that its loss is shared is trained on to the same bits.
func TestRanksShareTheLoss(t *testing.T) {
	const pairs = 2048 // of 16 numbers
	var want []float32
	for n := 1; n <= 3; n++ {
		models := make([]*encoder.Model, n)
		check(t, errors.Join(onRanks(n, func(r *train.LocalRank) error {
			m := model(t, 1)
			models[r.Rank()] = m
			cfg := config(10)
			cfg.MicroBatch, cfg.Ranks, cfg.ClipNorm = 500, r, 0.1
			tr, err := train.New(m, cfg)
			if err != nil {
				return err
			}
			_, err = tr.StepBatch(context.Background(), noise(m, pairs))
			if shares := train.SharesLoss(tr); shares != (n > 1) {
				t.Errorf("%d ranks share the loss: %v", n, shares)
			}
			return err
		})...))
		for rank, m := range models {
			if got := weights(m); want == nil {
				want = got
			} else {
				sameBits(t, fmt.Sprintf("rank %d of %d", rank, n), got, want)
			}
		}
	}
}
