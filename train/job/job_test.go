package job_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/job"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// toy is a job on the drawn set.
func toy(t *testing.T, out string, steps int) job.Job {
	t.Helper()
	drawn := shapes.Set{Seed: 1}
	set, err := drawn.Train(200)
	check(t, err)
	arch, found, err := job.FindArchitecture("toy")
	check(t, err)
	if !found {
		t.Fatal("toy is not known")
	}
	tok, err := job.Vocabulary(t.Context(), set, 300)
	check(t, err)
	m, err := job.Fresh(arch, tok, false, 1)
	check(t, err)
	test, err := drawn.Known(40)
	check(t, err)
	return job.Job{
		Out: out, Model: m, Set: set, Steps: steps, CheckpointEvery: 3,
		Config:  train.Config{LR: train.Constant(1e-3, 0)},
		Batches: dataset.BatchOptions{Size: 8, Shuffle: true, Seed: 1, Augment: job.Augment([]string{"flip", "grey"}, [2]int{32, 32}, 0.5)},
		Exam:    job.Exam{Set: test, Classes: drawn.Classes(), Every: 5},
	}
}

// TestGoesOn: a job that is stopped goes on to the files of one that was not.
func TestGoesOn(t *testing.T) {
	whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
	j, err := job.New(toy(t, whole, 10))
	check(t, err)
	r, err := j.Run(context.Background())
	check(t, err)
	if r.Steps != 10 || r.LeftOut != 0 || r.Last.Step != 9 || len(r.Last.Test) != 2 {
		t.Errorf("got %+v, want 10 steps with a test", r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := toy(t, parts, 10)
	stopped.Observers = []train.Observer{train.ObserverFunc(func(e train.Event) error {
		if e.Step == 4 {
			cancel()
		}
		return nil
	})}
	j, err = job.New(stopped)
	check(t, err)
	if _, err := j.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	if j.Steps() != 5 {
		t.Errorf("stopped after %d steps, want 5", j.Steps())
	}
	j, err = job.New(toy(t, parts, 10))
	check(t, err)
	_, err = j.Run(context.Background())
	check(t, err)
	want, err := os.ReadFile(filepath.Join(whole, "open_clip_model.safetensors"))
	check(t, err)
	got, err := os.ReadFile(filepath.Join(parts, "open_clip_model.safetensors"))
	check(t, err)
	if string(got) != string(want) {
		t.Error("the weights differ from those of a training that was not stopped")
	}
	m, err := encoder.Load(parts, nil)
	check(t, err)
	check(t, m.Close())
}

func TestRefuses(t *testing.T) {
	for want, change := range map[string]func(*job.Job){
		"Out is missing":             func(j *job.Job) { j.Out = "" },
		"Set is missing":             func(j *job.Job) { j.Set = nil },
		"Steps is 0, want 1 or more": func(j *job.Job) { j.Steps = 0 },
		"train: LR is missing":       func(j *job.Job) { j.Config.LR = nil },
	} {
		j := toy(t, t.TempDir(), 3)
		change(&j)
		if _, err := job.New(j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
	if _, found, err := job.FindArchitecture("VIT-B-32"); found || err != nil {
		t.Errorf("VIT-B-32: found %t, error %v", found, err)
	}
	if _, _, err := job.FindArchitecture("none.json"); err == nil {
		t.Error("none.json: no error")
	}
}

// TestHugeArchitecture: a model that no memory holds is refused before it is made.
func TestHugeArchitecture(t *testing.T) {
	tok, err := tokenizer.TrainBPE(slices.Values([]string{"a cat"}), tokenizer.TrainOptions{VocabSize: 260})
	check(t, err)
	for _, tower := range []string{
		`{"image_size": 256, "patch_size": 1, "width": 262144, "layers": 1}`,
		`{"image_size": 32, "patch_size": 8, "width": 1048576, "layers": 1000}`,
	} {
		path := filepath.Join(t.TempDir(), "huge.json")
		check(t, os.WriteFile(path, []byte(`{"embed_dim": 64, "vision_cfg": `+tower+`, "text_cfg": {"width": 64, "heads": 2, "layers": 1}}`), 0o666))
		arch, _, err := job.FindArchitecture(path)
		check(t, err)
		if _, err := job.Fresh(arch, tok, false, 1); err == nil || !strings.Contains(err.Error(), "parameters, more than 8589934592") {
			t.Errorf("%s: got error %v", tower, err)
		}
	}
}
