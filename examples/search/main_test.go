package main

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/examples/internal/exampletest"
)

// hits runs a search and returns its lines of results.
func hits(t *testing.T, o options) []string {
	t.Helper()
	said, err := exampletest.Stdout(t, func() error { return run(context.Background(), o) })
	exampletest.Check(t, err)
	exampletest.PNG(t, o.out)
	var lines []string
	for _, line := range strings.Split(said, "\n") {
		if strings.HasPrefix(line, "  ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// folder writes n drawn images.
func folder(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	exampletest.Check(t, os.Mkdir(filepath.Join(dir, "more"), 0o777))
	set, err := shapes.Set{Seed: 5}.Known(n)
	exampletest.Check(t, err)
	for i := range n {
		p, err := set.At(i).Pair(0)
		exampletest.Check(t, err)
		f, err := os.Create(filepath.Join(dir, []string{"", "more"}[i%2], fmt.Sprint(i, ".png")))
		exampletest.Check(t, err)
		exampletest.Check(t, errors.Join(png.Encode(f, p.Image), f.Close()))
	}
	return dir
}

func TestDrawn(t *testing.T) {
	o := options{model: exampletest.Model(t, 1), out: filepath.Join(t.TempDir(), "sheet.png"), k: 3, queries: []string{"a red circle", "a star"}}
	if got := hits(t, o); len(got) != 2*3 {
		t.Errorf("%d hits, want three for each of two queries:\n%s", len(got), got)
	}
}

// TestFolder: an image is the nearest to itself; what is added, changed, removed
// or damaged between two runs is found, found anew, and not found.
func TestFolder(t *testing.T) {
	dir := folder(t, 10)
	o := options{
		model: exampletest.Model(t, 1), data: dir, index: filepath.Join(t.TempDir(), "index"),
		out: filepath.Join(t.TempDir(), "sheet.png"), k: 20, like: filepath.Join(dir, "more", "3.png"),
	}
	first := hits(t, o)
	if len(first) != 10 || !strings.HasSuffix(first[0], "  more/3.png") {
		t.Errorf("want ten hits, more/3.png first, got %q", first)
	}
	before, err := os.Stat(o.index)
	exampletest.Check(t, err)
	if again := hits(t, o); fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("from the file: got %q, want %q", again, first)
	}
	if after, err := os.Stat(o.index); err != nil || !os.SameFile(before, after) {
		t.Errorf("an index that was up to date was written again, %v", err)
	}
	o.only = "more/"
	if got := hits(t, o); len(got) != 5 {
		t.Errorf("want the five of folder more, got %q", got)
	}
	o.only = ""
	exampletest.Check(t, os.Rename(filepath.Join(dir, "0.png"), filepath.Join(dir, "new.png")))
	exampletest.Check(t, os.Rename(filepath.Join(dir, "more", "1.png"), filepath.Join(dir, "2.png")))
	exampletest.Check(t, os.WriteFile(filepath.Join(dir, "4.png"), []byte("no image"), 0o666))
	o.like = filepath.Join(dir, "2.png")
	var got []string
	said, err := exampletest.Stderr(t, func() error { got = hits(t, o); return nil })
	exampletest.Check(t, err)
	list := strings.Join(got, "\n") + "\n"
	if len(got) != 9 || strings.Contains(list, " 0.png\n") || !strings.Contains(list, " new.png\n") || !strings.HasSuffix(got[0], "  2.png") {
		t.Errorf("want 2.png, as it is now, first of nine, new.png among them and not 0.png, got %q", got)
	}
	if !strings.Contains(said, "left out: ") || !strings.Contains(said, "4.png") {
		t.Errorf("standard error is %q, want 4.png left out", said)
	}
	o.model = exampletest.Model(t, 2)
	exampletest.Fails(t, "the index was made with model", run(context.Background(), o))
}

// stopping is a context that ends when it has been asked often enough.
type stopping struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func (c *stopping) Err() error {
	if c.left.Add(-1) == 0 {
		c.cancel()
	}
	return c.Context.Err()
}

// TestInterrupted: what was embedded before an interruption is kept, and the next
// run gives what one without it gives.
func TestInterrupted(t *testing.T) {
	o := options{model: exampletest.Model(t, 1), out: filepath.Join(t.TempDir(), "sheet.png"), k: 5, queries: []string{"a star"}}
	want := hits(t, o)
	o.index = filepath.Join(t.TempDir(), "index")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := &stopping{Context: ctx, cancel: cancel}
	c.left.Store(20) // once a pass of 32 images
	if err := run(c, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want an interruption", err)
	}
	if _, err := os.Stat(o.index); err != nil {
		t.Errorf("nothing was kept: %v", err)
	}
	if got := hits(t, o); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTable(t *testing.T) {
	dir := folder(t, 2)
	table := filepath.Join(dir, "set.csv")
	exampletest.Check(t, os.WriteFile(table, []byte("image,caption\n0.png,a sheet\ngone.png,nothing\n"), 0o666))
	o := options{model: exampletest.Model(t, 1), data: table, out: filepath.Join(t.TempDir(), "sheet.png"), k: 3, queries: []string{"a sheet"}}
	var got []string
	said, err := exampletest.Stderr(t, func() error { got = hits(t, o); return nil })
	exampletest.Check(t, err)
	if len(got) != 1 || !strings.HasSuffix(got[0], "  0.png") {
		t.Errorf("want one hit, 0.png, got %q", got)
	}
	if !strings.Contains(said, "left out: ") || !strings.Contains(said, "gone.png") {
		t.Errorf("standard error is %q, want gone.png left out", said)
	}
}

func TestRefuses(t *testing.T) {
	ctx, model, gone := context.Background(), exampletest.Model(t, 1), filepath.Join(t.TempDir(), "gone")
	exampletest.Fails(t, "-k 0, want 1 or more", run(ctx, options{model: model}))
	exampletest.Fails(t, gone, run(ctx, options{k: 1, model: gone}))
	exampletest.Fails(t, gone, run(ctx, options{k: 1, model: model, data: gone}))
	exampletest.Fails(t, "no image is in this folder", run(ctx, options{k: 1, model: model, data: t.TempDir()}))
	exampletest.Fails(t, gone, run(ctx, options{k: 1, model: model, like: gone}))
	bad := filepath.Join(t.TempDir(), "a.png")
	exampletest.Check(t, os.WriteFile(bad, []byte("no image"), 0o666))
	exampletest.Fails(t, bad, run(ctx, options{k: 1, model: model, index: bad}))
	said, err := exampletest.Stderr(t, func() error { return run(ctx, options{k: 1, model: model, data: filepath.Dir(bad)}) })
	exampletest.Fails(t, "none of the images could be indexed", err)
	if !strings.Contains(said, "left out: ") {
		t.Errorf("standard error is %q", said)
	}
}

// TestClosedFolder is named where a part of it cannot be read.
func TestClosedFolder(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("permissions do not bind this user")
	}
	folder := t.TempDir()
	exampletest.Check(t, os.Mkdir(filepath.Join(folder, "closed"), 0))
	exampletest.Fails(t, folder+": ", run(t.Context(), options{k: 1, model: exampletest.Model(t, 1), data: folder}))
}
