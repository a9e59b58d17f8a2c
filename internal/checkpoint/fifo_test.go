//go:build unix

package checkpoint_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
)

// TestPipesAreRefused: a pipe in a configuration's place would wait for a writer.
func TestPipesAreRefused(t *testing.T) {
	for _, c := range []struct{ layout, file string }{
		{checkpoint.Own, "goclip_config.json"},
		{checkpoint.OpenCLIP, "open_clip_config.json"},
		{checkpoint.HuggingFace, "config.json"},
		{checkpoint.HuggingFace, "preprocessor_config.json"},
	} {
		dir := saved(t, c.layout, tinySpec())
		path := filepath.Join(dir, c.file)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Skip(err)
		}
		_, err := checkpoint.Open(dir, nil)
		wantError(t, err, c.file+" is not a regular file")
	}
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "preprocessor_config.json"), 0o600); err != nil {
		t.Skip(err)
	}
	_, err := checkpoint.ReadPreprocess(os.DirFS(dir))
	wantError(t, err, "preprocessor_config.json is not a regular file")
}
