//go:build unix

package safetensors

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipe: what waits for a writer is refused without being opened, and no file
// takes its place.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got error %v", err)
	}
	err := WriteFile(path, []Tensor{{Name: "a", Float32: []float32{1}}}, nil)
	if err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("writing: got error %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("the pipe is %v, %v", info, err)
	}
}
