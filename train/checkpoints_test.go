package train_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/train"
)

// names lists a folder.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func checkpoint(dir string, step int) string {
	return filepath.Join(dir, fmt.Sprintf("step-%08d.safetensors", step))
}

// TestRotation keeps the newest and every n-th, and clears away what a killed
// process left.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, ".step-00000003.safetensors.0123456789abcdef.tmp"), []byte("half"), 0o666))
	check(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o666))
	run := plan(dir, 14)
	run.Checkpoints = train.Checkpoints{Dir: dir, Every: 2, Keep: 2, KeepEvery: 6}
	tr, _ := trainer(t)
	check(t, tr.Fit(context.Background(), drawn(t, 120), run))
	want := []string{"notes.txt"}
	for _, step := range []int{6, 10, 12, 14} {
		want = append(want, filepath.Base(checkpoint(dir, step)))
	}
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("got files %v, want %v", got, want)
	}
}

// TestUserLoop: whoever writes the loop saves and resumes with two calls.
func TestUserLoop(t *testing.T) {
	src, folder := drawn(t, 120), train.Checkpoints{Dir: t.TempDir()}
	loop := func(from, steps int) []float32 {
		tr, m := trainer(t)
		r, err := folder.Resume(tr)
		check(t, err)
		if tr.Steps() != from {
			t.Fatalf("goes on after %d steps, want %d", tr.Steps(), from)
		}
		options := dataset.BatchOptions{Size: 8, Shuffle: true, Seed: 1, Ledger: &dataset.Ledger{}, Start: r.Next}
		for batch, err := range dataset.Batches(context.Background(), src, options) {
			check(t, err)
			_, err = tr.Step(context.Background(), batch.Pairs)
			check(t, err)
			if tr.Steps() == steps {
				check(t, folder.Save(tr, batch.Next))
				break
			}
		}
		return weights(m)
	}
	loop(0, 5)
	got := loop(5, 9)
	folder.Dir = t.TempDir()
	sameBits(t, "in two parts", got, loop(0, 9))
}

// TestOtherRunIsRefused with all that differs.
func TestOtherRunIsRefused(t *testing.T) {
	dir := t.TempDir()
	src := drawn(t, 120)
	tr, _ := trainer(t)
	check(t, tr.Fit(context.Background(), src, plan(dir, 3)))

	cfg := config(100)
	cfg.EMA, cfg.Beta2, cfg.LR, cfg.Freeze = 0.8, 0.95, train.Cosine(2e-3, 2, 90), []string{"logit_scale"}
	m := model(t, 1)
	other, err := train.New(m, cfg)
	check(t, err)
	run := plan(dir, 6)
	run.Batches.Seed, run.Batches.Size, run.Batches.Augment = 6, 4, nil
	before := weights(m)
	err = other.Fit(context.Background(), drawn(t, 100), run)
	for _, want := range []string{
		"step-00000003.safetensors is of another run:",
		"train.EMA: the checkpoint has 0.9, this run 0.8\n",
		"train.Beta2: the checkpoint has 0.98, this run 0.95\n",
		"train.Freeze: the checkpoint has not set, this run [logit_scale]\n",
		"train.LR at step 00000003: the checkpoint has 0.0019",
		"data.Seed: the checkpoint has 5, this run 6\n",
		"data.Size: the checkpoint has 8, this run 4\n",
		"data.Augment: the checkpoint has set, this run not set\n",
		"data.samples: the checkpoint has 120, this run 100\n",
	} {
		if err == nil || !strings.Contains(err.Error()+"\n", want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
	if err != nil && strings.Count(err.Error(), "train.LR") != 1 {
		t.Errorf("the schedule more than once: %v", err)
	}
	sameBits(t, "weights after the refusal", weights(m), before)
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("the folder has %v", got)
	}
	// The same set in another order of files.
	reversed := dataset.NewIndexed(120, func(i int) dataset.Sample { return drawn(t, 120).(*dataset.Indexed).At(119 - i) })
	tr, _ = trainer(t)
	err = tr.Fit(context.Background(), reversed, plan(dir, 6))
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "data.first samples: ") {
		t.Errorf("got error %v, want one about the first samples only", err)
	}
}

// TestDamage: wherever a checkpoint is cut or changed, the one before is found,
// and what is wrong with the other is told.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	src := drawn(t, 120)
	tr, m := trainer(t)
	check(t, tr.Fit(context.Background(), src, plan(dir, 3)))
	before := weights(m)
	tr, m = trainer(t)
	check(t, tr.Fit(context.Background(), src, plan(dir, 6)))
	newest := checkpoint(dir, 6)
	whole, err := os.ReadFile(newest)
	check(t, err)

	resume := func(what string, content []byte) {
		t.Helper()
		check(t, os.WriteFile(newest, content, 0o666))
		tr, m := trainer(t)
		check(t, tr.Fit(context.Background(), src, plan(dir, 3))) // has nothing left to do
		if tr.Steps() != 3 {
			t.Fatalf("%s: goes on after step %d, want 3", what, tr.Steps())
		}
		sameBits(t, what, weights(m), before)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	header := 8 + int(whole[0]) + int(whole[1])<<8 + int(whole[2])<<16
	for _, n := range []int{0, 1, 7, 8, 100, header - 1, header, header + 1, len(whole) / 2, len(whole) - 1} {
		resume(fmt.Sprintf("cut to %d bytes", n), whole[:n])
	}
	for i := range 120 {
		at := rng.IntN(len(whole))
		if i < 60 {
			at = rng.IntN(header)
		}
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << rng.IntN(8)
		resume(fmt.Sprintf("byte %d flipped", at), flipped)
	}

	// The run goes on from the one before, says so, and writes the other anew.
	check(t, os.WriteFile(newest, whole[:1000], 0o666))
	var events []train.Event
	run := plan(dir, 6)
	run.Observers = []train.Observer{train.ObserverFunc(func(e train.Event) error { events = append(events, e); return nil })}
	tr, again := trainer(t)
	check(t, tr.Fit(context.Background(), src, run))
	sameBits(t, "after a damaged checkpoint", weights(again), weights(m))
	if got, err := os.ReadFile(newest); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("the checkpoint written anew differs (error %v)", err)
	}
	if len(events) != 3 || len(events[0].Warnings) != 1 || !strings.Contains(events[0].Warnings[0], "step-00000006.safetensors") || len(events[1].Warnings) != 0 {
		t.Errorf("got events %v, want the damage told with the first", events)
	}

	// Nothing whole is left: no training from the beginning behind one's back.
	for _, step := range []int{3, 6} {
		check(t, os.WriteFile(checkpoint(dir, step), whole[:2000], 0o666))
	}
	tr, m = trainer(t)
	fresh := weights(m)
	err = tr.Fit(context.Background(), src, plan(dir, 9))
	for _, want := range []string{"no checkpoint in", "step-00000006", "step-00000003", "damaged"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
	sameBits(t, "weights", weights(m), fresh)
}

func TestRunRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o666))
	for want, change := range map[string]func(*train.Run){
		"want one of them to be positive": func(r *train.Run) { r.Steps = 0 },
		"Steps -1":                        func(r *train.Run) { r.Steps = -1 },
		"Keep -2":                         func(r *train.Run) { r.Checkpoints.Keep = -2 },
		"not a directory":                 func(r *train.Run) { r.Checkpoints.Dir = filepath.Join(file, "run") },
		"the set has only 120 samples":    func(r *train.Run) { r.Batches.Size = 121 },
	} {
		run := plan(t.TempDir(), 3)
		change(&run)
		tr, _ := trainer(t)
		if err := tr.Fit(context.Background(), drawn(t, 120), run); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
	tr, _ := trainer(t)
	if err := (train.Checkpoints{}).Save(tr, dataset.Cursor{}); err == nil || !strings.Contains(err.Error(), "Dir is missing") {
		t.Errorf("got error %v, want …Dir is missing…", err)
	}
}
