//go:build unix

package torchfile

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipe: what waits for a writer is refused without being opened.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.pt")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got error %v", err)
	}
}
