package train_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/train"
)

// TestFolderInUse: two trainings do not write to one folder.
func TestFolderInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	src := drawn(t, 120)
	tr, _ := trainer(t)
	release, err := journal.Lock(dir)
	check(t, err)
	for what, err := range map[string]error{
		"Fit":  tr.Fit(context.Background(), src, plan(dir, 2)),
		"Save": train.Checkpoints{Dir: dir}.Save(tr, dataset.Cursor{}),
	} {
		if !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want ErrLocked with the folder", what, err)
		}
	}
	check(t, release())
	run := plan(dir, 2)
	run.Observers = append(run.Observers, train.ObserverFunc(func(train.Event) error {
		if _, err := journal.Lock(dir); !errors.Is(err, journal.ErrLocked) {
			t.Errorf("error %v in the middle of a run, want ErrLocked", err)
		}
		return nil
	}))
	check(t, tr.Fit(context.Background(), src, run))
	release, err = journal.Lock(dir)
	check(t, err)
	check(t, release())
}
