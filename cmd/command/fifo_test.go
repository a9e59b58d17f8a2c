//go:build unix

package command

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipes: where a file is wanted, a pipe without a writer is refused.
func TestPipes(t *testing.T) {
	data := tree(t, 3)
	model := tiny(t, data)
	pipe := filepath.Join(t.TempDir(), "p.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for _, args := range [][]string{
		{"classify", "--model", model, "--labels", "red,green", pipe},
		{"classify", "--model", model, "--labels-file", pipe, filepath.Join(data, "red", "0.png")},
		{"classify", "--model", model, "--labels", "red,green", "--templates", pipe, filepath.Join(data, "red", "0.png")},
		{"eval", "--model", model, "--data", data, "--log", pipe},
		{"eval", "--config", pipe},
		{"train", "--data", data, "--out", filepath.Join(t.TempDir(), "m"), "--steps", "1", "--batch-size", "8", "--arch", pipe},
	} {
		if _, stderr, code := goclip(t, args...); code == 0 || !strings.Contains(stderr, pipe+" is not a regular file") {
			t.Errorf("%v: exit code %d\n%s", args, code, stderr)
		}
	}
}
