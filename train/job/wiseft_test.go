package job_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/job"
)

// TestWiseFT: the curve's ends are the exams of the model that training began with and of
// the tuned one, and the model that is saved is the one that the curve names.
func TestWiseFT(t *testing.T) {
	start := carryOut(t, drawn(t))
	p := drawn(t)
	p.From, p.LR, p.Compare = start, 1e-2, true
	set := shapes.Set{Seed: 1}
	known, err := set.Known(24)
	check(t, err)
	unseen, err := set.Unseen(24)
	check(t, err)
	p.Exam = job.Exam{Set: known, Classes: set.Classes(), Every: 1}
	alpha := 0.75
	p.WiseFT = &job.WiseFT{Keep: job.Exam{Set: unseen, Classes: set.Classes()}, Points: 3, Alpha: &alpha}
	training, err := p.Open(t.Context())
	check(t, err)
	r, err := training.Run(t.Context())
	check(t, err)
	check(t, training.Close())

	c := r.Outcome.WiseFT
	if c == nil || len(c.Points) != 3 || c.Alpha != alpha {
		t.Fatalf("got %+v, want three points and alpha 0.75", c)
	}
	for name, v := range r.Outcome.Before {
		if c.Points[0].Tuned[name] != v || c.Points[2].Tuned[name] != r.Outcome.After[name] {
			t.Errorf("%s: the curve goes from %g to %g, the exams from %g to %g", name, c.Points[0].Tuned[name], c.Points[2].Tuned[name], v, r.Outcome.After[name])
		}
	}
	var written job.Outcome
	text, err := os.ReadFile(filepath.Join(p.Out, job.OutcomeFile))
	check(t, err)
	check(t, json.Unmarshal(text, &written))
	if written.WiseFT.Alpha != alpha || len(written.Before) == 0 {
		t.Errorf("%s says %s", job.OutcomeFile, text)
	}

	// The tuned weights are those of the training's last checkpoint.
	a, err := encoder.Load(start, nil)
	check(t, err)
	plain := drawn(t)
	plain.From, plain.LR = start, 1e-2
	b, err := encoder.Load(carryOut(t, plain), nil)
	check(t, err)
	want, err := encoder.Load(start, &encoder.Options{Trainable: true})
	check(t, err)
	check(t, want.Blend(a, b, alpha))
	got, err := encoder.Load(p.Out, nil)
	check(t, err)
	if got.Fingerprint() != want.Fingerprint() {
		t.Error("the saved model is not the one between both")
	}
}

func TestWiseFTRefuses(t *testing.T) {
	for want, change := range map[string]func(*job.Plan){
		"it needs a model to fine-tune":     func(p *job.Plan) { p.WiseFT = &job.WiseFT{} },
		"KeepBest, Patience and Compare go": func(p *job.Plan) { p.KeepBest = true },
		"Patience is -1":                    func(p *job.Plan) { p.Patience, p.Exam.Set = -1, p.Set },
	} {
		p := drawn(t)
		change(&p)
		if _, err := p.Open(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
}

// TestBestIsSaved, and a run of more steps goes on where that is asked for.
func TestBestIsSaved(t *testing.T) {
	out := t.TempDir()
	run := func(steps int, longer bool) (job.Result, error) {
		j := toy(t, out, steps)
		j.Exam.Every, j.KeepBest, j.Longer = 2, true, longer
		j.Config.LR = train.Cosine(1e-3, 0, steps)
		training, err := job.New(j)
		check(t, err)
		return training.Run(t.Context())
	}
	r, err := run(6, false)
	check(t, err)
	best := 0.0
	log, err := os.ReadFile(filepath.Join(out, "events.jsonl"))
	check(t, err)
	for line := range strings.Lines(string(log)) {
		var e train.Event
		check(t, json.Unmarshal([]byte(line), &e))
		best = max(best, e.Test["top1"])
	}
	if r.Outcome.After["top1"] != best {
		t.Errorf("the saved model has %g, the best of the run %g", r.Outcome.After["top1"], best)
	}
	if _, err := run(8, false); !errors.Is(err, train.ErrSchedule) {
		t.Errorf("got error %v, want ErrSchedule", err)
	}
	if r, err = run(8, true); err != nil || r.Steps != 8 {
		t.Errorf("went on to step %d with error %v, want 8", r.Steps, err)
	}
}

// TestUnheard: classes of the exam that the training set never shows are told with the
// first step.
func TestUnheard(t *testing.T) {
	j := toy(t, t.TempDir(), 1)
	j.Exam.Classes = append(j.Exam.Classes, "purple_hippopotamus")
	var said []string
	j.Observers = []train.Observer{train.ObserverFunc(func(e train.Event) error {
		said = append(said, e.Warnings...)
		return nil
	})}
	training, err := job.New(j)
	check(t, err)
	_, err = training.Run(t.Context())
	check(t, err)
	if len(said) == 0 || !strings.Contains(said[0], "never occur in the training set") || !strings.Contains(said[0], "purple_hippopotamus") {
		t.Errorf("said %q", said)
	}
}

// TestImageFrom: a new text tower learns to read an image tower that stays as it was.
func TestImageFrom(t *testing.T) {
	start := carryOut(t, drawn(t))
	p := drawn(t)
	p.ImageFrom, p.Arch, p.Config.LockImage, p.LR = start, "small", true, 1e-2
	out := carryOut(t, p)
	a, err := encoder.Load(start, nil)
	check(t, err)
	b, err := encoder.Load(out, nil)
	check(t, err)
	if a.Config().Vision != b.Config().Vision || b.Config().Text.Dims().EmbedDim != a.Config().EmbedDim() {
		t.Errorf("the new model is %+v", b.Config())
	}
	for i, q := range a.Vision().Params() {
		if r := b.Vision().Params()[i]; r.Name != q.Name || !slices.Equal(r.Data, q.Data) {
			t.Errorf("%s is not that of the image tower", r.Name)
		}
	}
	p = drawn(t)
	p.ImageFrom, p.From = start, start
	if _, err := p.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "is for a new model, but From is") {
		t.Errorf("got error %v", err)
	}
	p = drawn(t)
	p.ImageFrom = filepath.Join(t.TempDir(), "gone")
	if _, err := p.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got error %v", err)
	}
}
