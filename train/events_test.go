package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/observe"
)

// TestLogGoesOn: the log of a run that was stopped is that of one which was not,
// byte for byte, although it had gone further than the checkpoint.
func TestLogGoesOn(t *testing.T) {
	src := drawn(t, 120)
	dir := t.TempDir()
	logged := func(name string, steps, failAt int, folder string) string {
		path := filepath.Join(dir, name)
		log, err := observe.OpenJSONLines(path)
		check(t, err)
		run := plan(folder, steps)
		failed := errors.New("stopped")
		run.Observers = []train.Observer{log, train.ObserverFunc(func(e train.Event) error {
			if e.Step == failAt {
				return failed
			}
			return nil
		})}
		tr, _ := trainer(t)
		if err := tr.Fit(context.Background(), src, run); !errors.Is(err, failed) {
			check(t, err)
		}
		check(t, log.Close())
		content, err := os.ReadFile(path)
		check(t, err)
		return string(content)
	}
	want := logged("whole", 9, -1, "")
	if n := strings.Count(want, "\n"); n != 9 || !strings.HasPrefix(want, `{"step":0,"loss":`) || !strings.Contains(want, `,"bad":3}`) {
		t.Errorf("the log has %d lines, want 9 with steps, losses and bad samples:\n%s", n, want)
	}
	folder := filepath.Join(dir, "run")
	part := logged("parts", 9, 7, folder)
	if n := strings.Count(part, "\n"); n != 8 {
		t.Errorf("the stopped log has %d lines, want 8", n)
	}
	f, err := os.OpenFile(filepath.Join(dir, "parts"), os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = f.WriteString(`{"step":8,"lo`) // a line that was being written
	check(t, err)
	check(t, f.Close())
	if got := logged("parts", 9, -1, folder); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
