//go:build unix

package scaling

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipe: one in the place of a log is refused, and not waited for.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.jsonl")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLog(path); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("got error %v", err)
	}
}
