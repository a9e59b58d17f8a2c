package job_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/train/job"
	"github.com/goclip/goclip/vision"
)

// drawn is a plan of two steps on the drawn set.
func drawn(t *testing.T) job.Plan {
	t.Helper()
	set, err := shapes.Set{Seed: 1}.Train(64)
	check(t, err)
	return job.Plan{
		Job: job.Job{Out: t.TempDir(), Set: set, Batches: dataset.BatchOptions{Size: 8}, Steps: 2}, Vocab: 300, Seed: 1, LR: 1e-3,
	}
}

func carryOut(t *testing.T, p job.Plan) string {
	t.Helper()
	training, err := p.Open(t.Context())
	check(t, err)
	r, err := training.Run(t.Context())
	check(t, err)
	check(t, training.Close())
	if r.Steps != 2 {
		t.Errorf("%d steps, want 2", r.Steps)
	}
	return p.Out
}

// TestPlans: a new model, one that learns from it, and adapters to it.
func TestPlans(t *testing.T) {
	teacher := carryOut(t, drawn(t))
	taught := drawn(t)
	taught.Teacher, taught.Augment, taught.Schedule, taught.Steps, taught.Epochs = teacher, []string{"flip"}, job.ScheduleLinear, 0, 1
	taught.Batches.Size = 32 // two batches an epoch
	carryOut(t, taught)
	adapted := drawn(t)
	adapted.From, adapted.LoRA, adapted.LR = teacher, encoder.LoRA{Rank: 2}, 1e-2
	out := carryOut(t, adapted)
	for _, name := range []string{"lora.safetensors", "events.jsonl", "left-out.jsonl", "vocab.json"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	m, err := encoder.Load(out, nil)
	check(t, err)
	before, err := encoder.Load(teacher, nil)
	check(t, err)
	if m.Fingerprint() == before.Fingerprint() {
		t.Error("the adapters changed nothing")
	}
	check(t, errors.Join(m.Close(), before.Close()))
}

// TestPlansRefused: an error names the field, and whether something could not be used.
func TestPlansRefused(t *testing.T) {
	negative := -1
	for _, c := range []struct {
		field    string
		unusable bool
		want     string
		change   func(*job.Plan)
	}{
		{"From", true, "no such file", func(p *job.Plan) { p.From = "/nowhere" }},
		{"Teacher", true, "no such file", func(p *job.Plan) { p.Teacher = "/nowhere" }},
		{"Arch", true, "no such file", func(p *job.Plan) { p.Arch = "none.json" }},
		{"Arch", false, "VIT is not known", func(p *job.Plan) { p.Arch = "VIT" }},
		{"Arch", false, "toy is for a new model", func(p *job.Plan) { p.Arch, p.From = "toy", "model" }},
		{"Vocab", false, "3: tokenizer: VocabSize is 3", func(p *job.Plan) { p.Vocab = 3 }},
		{"LoRA", false, "it needs a model to adapt", func(p *job.Plan) { p.LoRA.Rank = 1 }},
		{"Set", true, "it has 64 samples, fewer than the batch size of 128", func(p *job.Plan) { p.Batches.Size = 0 }},
		{"Batches", false, "Size is 1, want 2 or more", func(p *job.Plan) { p.Batches.Size = 1 }},
		{"Warmup", false, "is -1, want 0 or more", func(p *job.Plan) { p.Warmup = &negative }},
		{"CropScale", false, "is 2, want a fraction", func(p *job.Plan) { p.CropScale = 2 }},
		{"Schedule", false, "is 9, want cosine, linear or constant", func(p *job.Plan) { p.Schedule = 9 }},
	} {
		p := drawn(t)
		c.change(&p)
		_, err := p.Open(t.Context())
		var field *job.FieldError
		if !errors.As(err, &field) || field.Field != c.field || field.Unusable != c.unusable || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one about %s: %s", err, c.field, c.want)
		}
	}
	if _, err := (job.Plan{}).Open(context.Background()); err == nil || err.Error() != "job: Set is missing" {
		t.Errorf("an empty plan: got error %v", err)
	}
}

// ownViT is a custom family of image towers.
type ownViT struct{ vision.ViT }

func (ownViT) Family() string { return "own-vit" }

// TestAdaptersOfACustomTower: a model that no path tells how to load again is trained with
// adapters, and saved with them.
func TestAdaptersOfACustomTower(t *testing.T) {
	j := toy(t, t.TempDir(), 2)
	cfg := j.Model.Config()
	cfg.Vision = ownViT{cfg.Vision.(vision.ViT)}
	m, err := encoder.New(cfg, j.Model.Tokenizer(), 1)
	check(t, err)
	check(t, m.AddLoRA(encoder.LoRA{Rank: 2}, 1))
	j.Model = m
	training, err := job.New(j)
	check(t, err)
	_, err = training.Run(t.Context())
	check(t, err)
	again, err := encoder.Load(j.Out, &encoder.Options{Families: encoder.Families{Vision: []vision.Config{ownViT{}}}})
	check(t, err)
	check(t, m.MergeLoRA())
	if again.Fingerprint() != m.Fingerprint() {
		t.Error("what was saved is not the model with its adapters merged")
	}
	check(t, again.Close())
	if _, err := os.Stat(filepath.Join(j.Out, "lora.safetensors")); err != nil {
		t.Error(err)
	}
}
