package job_test

import (
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/nothing"
	"github.com/goclip/goclip/train/job"
)

// TestNothing: what is missing is an error that names it, and no panic.
func TestNothing(t *testing.T) {
	made := func(change func(*job.Job)) error {
		j := toy(t, t.TempDir(), 1)
		change(&j)
		_, err := job.New(j)
		return err
	}
	_, run := new(job.Training).Run(t.Context())
	_, fresh := job.Fresh(nil, nil, false, 1)
	arch, _, err := job.FindArchitecture("toy")
	check(t, err)
	_, wordless := job.Fresh(arch, nil, false, 1)
	_, vocabulary := job.Vocabulary(t.Context(), nil, 300)
	for want, err := range map[string]error{
		"job: Model is missing":                       made(func(j *job.Job) { *j = job.Job{} }),
		"job: Batches.Size is 0, want 1 or more":      made(func(j *job.Job) { j.Batches.Size = 0 }),
		"job: the Training is empty, want one of New": run,
		"job: fresh: Architecture is nil":             fresh,
		"job: architecture: the tokenizer is nil":     wordless,
		"job: dataset: captions: Source is nil":       vocabulary,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
	if n := new(job.Training).Steps(); n != 0 {
		t.Errorf("an empty Training has done %d steps, want 0", n)
	}
}

// TestNothingPanics: no exported function and no method of a nil or zero value panics of
// itself when it is called with nothing.
func TestNothingPanics(t *testing.T) {
	for _, panicked := range nothing.Panics(
		job.ArchitectureNames, job.Augment, job.AugmentNames, job.Fresh, job.Steps, job.Vocabulary, job.Warmup, job.FindArchitecture, job.New,
		(*job.Training)(nil), &job.Training{}, job.Plan{}, job.Schedule(77),
	) {
		t.Error(panicked)
	}
}
