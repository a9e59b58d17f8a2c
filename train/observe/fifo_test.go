//go:build unix

package observe_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/goclip/goclip/train/observe"
)

// TestPipe: one in the place of a log is refused, and not waited for.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	check(t, syscall.Mkfifo(path, 0o600))
	if _, err := observe.OpenJSONLines(path); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("got error %v", err)
	}
}
