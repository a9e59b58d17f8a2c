package main

import (
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/all"
)

// draw writes an image whose colours follow from a number.
func draw(t *testing.T, file string, n uint8) {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range 256 {
		img.SetRGBA(i%16, i/16, color.RGBA{n * 37, uint8(i) * n, uint8(i/16) << (n % 5), 255})
	}
	check(t, os.MkdirAll(filepath.Dir(file), 0o777))
	f, err := os.Create(file)
	check(t, err)
	check(t, png.Encode(f, img))
	check(t, f.Close())
	then := time.Date(2020, 1, 1, int(n), 0, 0, 0, time.UTC) // the time of a file that has just been written says nothing
	check(t, os.Chtimes(file, then, then))
}

// TestGoclipIndex: "goclip index --store" brings each database in step with folders that share
// it, a bad file costs no other, and "goclip search --store" finds among them by like:, --path and --min.
func TestGoclipIndex(t *testing.T) {
	bin := t.TempDir()
	tried := 0
	for _, name := range []string{"postgres", "chroma", "weaviate", "opensearch"} {
		db := os.Getenv("GOCLIP_" + strings.ToUpper(name))
		if db == "" {
			continue
		}
		tried++
		for _, what := range []string{"cmd/goclip", "contrib/stores/cmd/goclip-store-" + name} {
			if said, err := exec.Command("go", "build", "-o", bin, "github.com/goclip/goclip/"+what).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
		}
		t.Run(name, func(t *testing.T) { folders(t, filepath.Join(bin, "goclip"), db) })
	}
	if tried == 0 {
		t.Skip("GOCLIP_POSTGRES, GOCLIP_CHROMA, GOCLIP_WEAVIATE and GOCLIP_OPENSEARCH name no database")
	}
}

func folders(t *testing.T, program, db string) {
	path, mine, yours := randomModel(t, 11), t.TempDir(), t.TempDir()
	model := load(t, path)
	s, err := all.Open(t.Context(), db, stores.Of(model, true))
	check(t, err)
	t.Cleanup(func() {
		check(t, s.Drop(context.Background()))
		check(t, s.Close())
	})
	for n := range uint8(20) {
		draw(t, filepath.Join(mine, "a", string('a'+rune(n))+".png"), n)
		draw(t, filepath.Join(yours, "b", string('a'+rune(n))+".png"), n+50)
	}
	check(t, os.WriteFile(filepath.Join(mine, "a", "bad.png"), []byte("no image"), 0o666))
	goclip := func(to any, args ...string) string {
		t.Helper()
		args = append(args[:1:1], append([]string{"--model", path, "--no-upright", "--store", db, "--json"}, args[1:]...)...)
		cmd := exec.CommandContext(t.Context(), program, args...)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if to != nil && err != nil {
			t.Fatalf("%q: %v\n%s", args, err, said.String())
		}
		if to != nil {
			check(t, json.Unmarshal(out, to))
		}
		return said.String()
	}
	type told struct {
		Store struct{ Written, Removed, Unchanged int }
	}
	index := func(folder, label string, written, removed, unchanged int) {
		t.Helper()
		var got, want told
		want.Store.Written, want.Store.Removed, want.Store.Unchanged = written, removed, unchanged
		goclip(&got, "index", "--data", folder, "--out", folder+".index", "--label", "of="+label)
		if got != want {
			t.Errorf("%s: %+v, want %+v", label, got, want)
		}
	}
	index(mine, "me", 20, 0, 0)
	index(yours, "you", 20, 0, 0)
	index(mine, "me", 0, 0, 20)
	check(t, os.Remove(filepath.Join(mine, "a", "c.png")))
	check(t, os.Rename(filepath.Join(mine, "a", "d.png"), filepath.Join(mine, "a", "z.png")))
	draw(t, filepath.Join(mine, "a", "e.png"), 99)
	check(t, s.Delete(t.Context(), "a/f.png")) // as if a run had ended before it
	index(mine, "me", 3, 2, 16)
	if n, err := s.Len(t.Context()); n != 39 || err != nil {
		t.Errorf("%d images, want 39 (%v)", n, err)
	}
	search := func(args ...string) (keys []string) {
		t.Helper()
		var found []struct {
			Hits []struct {
				Key      string
				Strength *float64
			}
		}
		goclip(&found, append([]string{"search"}, args...)...)
		for _, h := range found[0].Hits {
			keys = append(keys, h.Key)
			if slices.Contains(args, "--min") != (h.Strength != nil) || h.Strength != nil && *h.Strength < 0 {
				t.Errorf("%q: %s has strength %v", args, h.Key, h.Strength)
			}
		}
		return keys
	}
	if got := search("like:b/g.png", "-k", "1"); !slices.Equal(got, []string{"b/g.png"}) {
		t.Errorf("like one of the database: %v", got)
	}
	if got := search("a star", "--path", "a/[xyz].png", "--path", "b/[ab].png"); len(got) != 3 || slices.ContainsFunc(got, func(k string) bool { return !slices.Contains([]string{"a/z.png", "b/a.png", "b/b.png"}, k) }) {
		t.Errorf("of three paths: %v", got)
	}
	if got := search("a star", "--path", "none/*"); len(got) != 0 {
		t.Errorf("of no path: %v", got)
	}
	if got := search("a star", "--label", "of=me", "-k", "50", "--after", "2000"); len(got) != 19 {
		t.Errorf("of one label: %d, want 19", len(got))
	}
	all, some := search("a star", "-k", "50"), search("a star", "-k", "50", "--min", "0")
	if len(some) == 0 || len(some) > 25 || len(all) != 39 || !slices.Equal(all[:len(some)], some) {
		t.Errorf("above the middle: %v of %v", some, all)
	}
	if said := goclip(nil, "search", "like:none"); !strings.Contains(said, `the database has no image "none"`) {
		t.Errorf("like none: %s", said)
	}
}
