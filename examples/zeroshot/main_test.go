package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/examples/internal/exampletest"
)

func TestRun(t *testing.T) {
	ctx := context.Background()
	model, page := exampletest.Model(t, 1), filepath.Join(t.TempDir(), "sheet.png")
	said, err := exampletest.Stdout(t, func() error { return run(ctx, model, "a {}", page, "", nil) })
	exampletest.Check(t, err)
	if n := strings.Count(said, " %  "); n != 12*3 {
		t.Errorf("%d lines of predictions, want three for each of 12 drawn images:\n%s", n, said)
	}
	exampletest.PNG(t, page)
	args := []string{"cat,dog", page, page}
	said, err = exampletest.Stdout(t, func() error { return run(ctx, model, "a {}", page+"2", args[0], args) })
	exampletest.Check(t, err)
	if strings.Count(said, "cat\n") != 2 || strings.Count(said, "dog\n") != 2 {
		t.Errorf("want cat and dog for two images, got\n%s", said)
	}
	exampletest.PNG(t, page+"2")
	gone := filepath.Join(t.TempDir(), "gone")
	exampletest.Fails(t, gone, run(ctx, gone, "a {}", page, "", nil))
	exampletest.Fails(t, gone, run(ctx, model, "a {}", page, "cat", []string{"cat", gone}))
	exampletest.Fails(t, `template "a photo" has no {}`, run(ctx, model, "a photo", page, "", nil))
}
