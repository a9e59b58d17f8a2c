package train_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/augment"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/train"
)

const runSeed = 5

// drawn is n images of the drawn set, some of them bad, with two captions each.
func drawn(t testing.TB, n int) dataset.Source {
	t.Helper()
	src, err := shapes.Set{Seed: 1}.Train(n)
	check(t, err)
	return dataset.NewIndexed(n, func(i int) dataset.Sample {
		s := src.At(i)
		s.Captions = append(slices.Clip(s.Captions), "number "+fmt.Sprint(i%7))
		if i%17 == 3 {
			s.Decode = func() (image.Image, error) { return nil, errors.New("spoilt") }
		}
		return s
	})
}

// plan is a run in a folder, with everything random that there is.
func plan(dir string, steps int) train.Run {
	return train.Run{
		Steps: steps,
		Batches: dataset.BatchOptions{
			Size: 8, Shuffle: true, Seed: runSeed, Ledger: &dataset.Ledger{},
			Augment: augment.Chain(augment.Flip(0.5), augment.PadAndCrop(3), augment.ColorJitter(0.2, 0.2, 0.2, 0.1)),
		},
		Checkpoints: train.Checkpoints{Dir: dir, Every: 3},
	}
}

// trainer is a new process's: its model has not been trained.
func trainer(t testing.TB) (*train.Trainer, *encoder.Model) {
	t.Helper()
	m := model(t, 1)
	cfg := config(100)
	cfg.EMA = 0.9
	cfg.PatchDropout, cfg.Seed, cfg.MicroBatch = 0.25, runSeed, 5
	tr, err := train.New(m, cfg)
	check(t, err)
	return tr, m
}

// outcome is all that a run leaves.
func outcome(t testing.TB, tr *train.Trainer, m *encoder.Model) (trained, averaged []float32) {
	t.Helper()
	trained = weights(m)
	check(t, tr.Averaged(func() error { averaged = weights(m); return nil }))
	return trained, averaged
}

// TestStoppedAnywhere: a run that is interrupted after any step, by its context
// or by an observer's error, ends as one that was not.
func TestStoppedAnywhere(t *testing.T) {
	const steps = 20 // the set has 14 batches
	src := drawn(t, 120)
	whole := plan("", steps)
	var want []train.Event
	whole.Observers = []train.Observer{train.ObserverFunc(func(e train.Event) error { want = append(want, e); return nil })}
	tr, m := trainer(t)
	check(t, tr.Fit(context.Background(), src, whole))
	trained, averaged := outcome(t, tr, m)
	for stop := 1; stop < steps; stop++ {
		dir := filepath.Join(t.TempDir(), "run")
		ctx, cancel := context.WithCancel(context.Background())
		run := plan(dir, steps)
		abort := errors.New("enough")
		run.Observers = []train.Observer{train.ObserverFunc(func(e train.Event) error {
			if e.Step+1 < stop {
				return nil
			}
			cancel()
			if stop%2 == 0 {
				return abort
			}
			return nil
		})}
		tr, _ := trainer(t)
		if err := tr.Fit(ctx, src, run); !errors.Is(err, context.Canceled) && !errors.Is(err, abort) {
			t.Fatalf("stopped after %d steps: got error %v", stop, err)
		}
		cancel()

		var got []train.Event
		run = plan(dir, steps)
		run.Observers = []train.Observer{train.ObserverFunc(func(e train.Event) error { got = append(got, e); return nil })}
		tr, m := trainer(t)
		check(t, tr.Fit(context.Background(), src, run))
		trained2, averaged2 := outcome(t, tr, m)
		sameBits(t, fmt.Sprintf("weights, stopped after %d steps", stop), trained2, trained)
		sameBits(t, fmt.Sprintf("averages, stopped after %d steps", stop), averaged2, averaged)
		first := stop // interrupted: a checkpoint was written
		if stop%2 == 0 {
			first = stop - stop%3 // failed: the last one stands
			if stop%3 == 0 {
				first = stop - 3 // observers come before the checkpoint
			}
		}
		if want := want[first:]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("stopped after %d steps: got events\n%v\nwant\n%v", stop, got, want)
		}
		if got, want := run.Batches.Ledger.Len(), whole.Batches.Ledger.Len(); got != want {
			t.Errorf("stopped after %d steps: %d bad samples, want %d", stop, got, want)
		}
	}
}

const killDir = "GOCLIP_TRAIN_IN" // names the folder to the child

// TestKilled: a process that is killed ten times over, at random, ends with the
// weights of one that was not, bit for bit.
func TestKilled(t *testing.T) {
	const steps, kills = 120, 10
	dir := os.Getenv(killDir)
	if child := dir != ""; child {
		run := plan(dir, steps)
		run.Observers = []train.Observer{train.ObserverFunc(func(e train.Event) error {
			_, err := fmt.Println("step", e.Step)
			return err
		})}
		tr, m := trainer(t)
		check(t, tr.Fit(context.Background(), drawn(t, 300), run))
		check(t, tr.Averaged(func() error { return m.Save(filepath.Join(dir, "averaged")) }))
		check(t, m.Save(filepath.Join(dir, "trained")))
		return
	}
	tr, m := trainer(t)
	check(t, tr.Fit(context.Background(), drawn(t, 300), plan("", steps)))
	trained, averaged := outcome(t, tr, m)

	rng := rand.New(rand.NewPCG(1, 2))
	dir = filepath.Join(t.TempDir(), "run")
	resumed := 0
	for n := range kills + 1 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		check(t, err)
		check(t, cmd.Start())
		left := 1 + rng.IntN(9)
		for lines := bufio.NewScanner(out); lines.Scan(); left-- {
			var step int
			if _, err := fmt.Sscanf(lines.Text(), "step %d", &step); err == nil && left == 0 && n < kills {
				check(t, cmd.Process.Kill())
			}
		}
		err = cmd.Wait()
		switch {
		case n < kills && err == nil:
			t.Fatalf("child %d ended before it was killed", n)
		case n == kills && err != nil:
			t.Fatalf("the last child: %v", err)
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "step-*")); len(files) > 0 {
			resumed++
		}
	}
	if resumed < kills/2 {
		t.Errorf("only %d children left a checkpoint", resumed)
	}
	for name, want := range map[string][]float32{"trained": trained, "averaged": averaged} {
		m, err := encoder.Load(filepath.Join(dir, name), &encoder.Options{Trainable: true, Tokenizer: letters.Tokenizer{}})
		check(t, err)
		sameBits(t, name, weights(m), want)
		check(t, m.Close())
	}
}
