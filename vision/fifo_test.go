//go:build unix

package vision

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDecodeFileOfPipe: a pipe would wait for a writer.
func TestDecodeFileOfPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.png")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := DecodeFile(path, nil); err == nil || !strings.Contains(err.Error(), path+" is not a regular file") {
		t.Errorf("a pipe: %v", err)
	}
}
