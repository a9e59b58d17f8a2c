package job_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/job"
)

// onRanks runs the toy job on n ranks.
func onRanks(t *testing.T, n int, out string, change func(*job.Job)) (results []job.Result, errs []error) {
	t.Helper()
	results, errs = make([]job.Result, n), make([]error, n)
	jobs := make([]job.Job, n)
	for i := range jobs {
		jobs[i] = toy(t, out, 6)
	}
	var all sync.WaitGroup
	for i, r := range train.LocalRanks(n) {
		all.Add(1)
		go func() {
			defer all.Done()
			defer r.Close()
			j := jobs[i]
			j.Config.Ranks = r
			change(&j)
			training, err := job.New(j)
			if err == nil {
				results[i], err = training.Run(context.Background())
			}
			errs[i] = train.Agree(context.Background(), r, err)
		}()
	}
	all.Wait()
	return results, errs
}

// TestRanks: a job on several ranks comes to the files of one on one, and only the first of
// them writes.
func TestRanks(t *testing.T) {
	var want map[string][]byte
	for n := 1; n <= 3; n++ {
		out := filepath.Join(t.TempDir(), "model")
		results, errs := onRanks(t, n, out, func(j *job.Job) { j.KeepBest, j.Exam.Every = true, 2 })
		check(t, errors.Join(errs...))
		for rank, r := range results {
			if told := r.Last.Step > 0; r.Steps != 6 || told != (rank == 0) {
				t.Errorf("rank %d of %d has %+v", rank, n, r)
			}
		}
		got := make(map[string][]byte)
		for _, name := range []string{"open_clip_model.safetensors", "model.safetensors", "events.jsonl", "outcome.json", "checkpoints/step-00000006.safetensors", "checkpoints/best.safetensors"} {
			data, err := os.ReadFile(filepath.Join(out, name))
			if err == nil {
				got[name] = data
			}
		}
		if n == 1 {
			want = got
		}
		if len(got) < 5 || len(got) != len(want) {
			t.Fatalf("%d ranks: %d files, want those of one rank, %d", n, len(got), len(want))
		}
		for name := range want {
			if !bytes.Equal(got[name], want[name]) {
				t.Errorf("%d ranks: %s has other bytes", n, name)
			}
		}
	}
}

// TestRanksRefuse: what the first rank refuses ends all, with one text.
func TestRanksRefuse(t *testing.T) {
	out := filepath.Join(t.TempDir(), "notes")
	check(t, os.MkdirAll(out, 0o777))
	check(t, os.WriteFile(filepath.Join(out, "diary.txt"), []byte("dear"), 0o666))
	_, errs := onRanks(t, 2, out, func(*job.Job) {})
	for rank, err := range errs {
		if err == nil || !strings.HasPrefix(err.Error(), "rank 0 of 2: ") || err.Error() != errs[0].Error() {
			t.Errorf("rank %d: got error %v, want that of rank 0", rank, err)
		}
	}
	_, errs = onRanks(t, 5, filepath.Join(t.TempDir(), "model"), func(j *job.Job) { j.Config.MicroBatch = 2 })
	for _, err := range errs {
		if want := "job: 5 ranks, but a batch of 8 pairs has 4 micro-batches of 2: want a smaller MicroBatch"; err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
