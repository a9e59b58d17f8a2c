package observe_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/observe"
)

// TestLogOverwritesNothingElse: a file that is no log stays as it is.
func TestLogOverwritesNothingElse(t *testing.T) {
	for _, content := range []string{"dear diary\nnothing\n", "{\"a\":1}\n", "[]\n{\"step\":1}\n"} {
		path := filepath.Join(t.TempDir(), "file")
		check(t, os.WriteFile(path, []byte(content), 0o666))
		log, err := observe.OpenJSONLines(path)
		check(t, err)
		err = log.Observe(train.Event{})
		if err == nil || !strings.Contains(err.Error(), "line 1 is not an event of a training") {
			t.Errorf("got error %v, want …line 1 is not an event of a training…", err)
		}
		check(t, log.Close())
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("got %q, want %q (error %v)", got, content, err)
		}
	}
	log, err := observe.OpenJSONLines(filepath.Join(t.TempDir(), "log"))
	check(t, err)
	if err := log.Observe(train.Event{Stats: train.Stats{Loss: math.NaN()}}); err == nil {
		t.Error("a NaN in JSON: got no error")
	}
	check(t, log.Close())
}
