package main

import (
	"context"
	"encoding/json"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/all"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// server is a database, which `.ci/run stores` starts. Without it only what needs none is tested.
func server(t *testing.T) string {
	t.Helper()
	db := os.Getenv("GOCLIP_POSTGRES")
	if db == "" {
		t.Skip("GOCLIP_POSTGRES names no database")
	}
	return db
}

// fresh opens the table of a model, which it drops when the test ends.
func fresh(t *testing.T, model *encoder.Model) *stores.Store {
	t.Helper()
	s, err := all.Open(context.Background(), server(t), stores.Of(model, true))
	check(t, err)
	t.Cleanup(func() {
		check(t, s.Drop(context.Background()))
		check(t, s.Close())
	})
	return s
}

func load(t *testing.T, dir string) *encoder.Model {
	t.Helper()
	m, err := encoder.Load(dir, nil)
	check(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// TestNearestAreExact compares with an exact index over the same 2,000 images:
// the scores of what is found are right, and nearly all of the ten nearest are
// found, through the approximate index.
func TestNearestAreExact(t *testing.T) {
	ctx := context.Background()
	model := load(t, randomModel(t, 1))
	x := fresh(t, model)
	drawn, err := openSet("")
	check(t, err)
	check(t, fill(ctx, x, model, drawn))
	exact, queries := index.Of(model), (*encoder.Embeddings)(nil)
	var keys []string
	for _, e := range drawn.entries() {
		keys = append(keys, e.Key)
	}
	check(t, drawn.embed(ctx, model, keys, func(entries []stores.Entry, e *encoder.Embeddings) error {
		queries = e
		named := make([]index.Entry, len(entries))
		for i, e := range entries {
			named[i].Key = e.Key
		}
		return exact.Add(named, e)
	}))
	got, err := stores.Recall(ctx, x, exact, queries.Data, 10)
	check(t, err)
	if !(got.Recall >= 0.95) {
		t.Errorf("%.3f of the nearest were found, want 0.95", got.Recall)
	}
}

// TestFollowsTheFolder: a second run embeds what is new, and deletes what is gone.
func TestFollowsTheFolder(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	db, path := server(t), randomModel(t, 2)
	fresh(t, load(t, path))
	set, err := shapes.Set{}.Known(3)
	check(t, err)
	write := func(name string, i int) {
		p, err := set.At(i).Pair(0)
		check(t, err)
		f, err := os.Create(filepath.Join(dir, name))
		check(t, err)
		defer f.Close()
		check(t, png.Encode(f, p.Image))
	}
	write("a.png", 0)
	write("it's \"b\".png", 1)
	o := options{model: path, data: dir, db: db, k: 5, queries: []string{"a star"}}
	found := func(want ...string) {
		t.Helper()
		said, err := stdout(t, func() error { return run(ctx, o) })
		check(t, err)
		if n := strings.Count(said, "\n  "); n != len(want) {
			t.Errorf("%d hits, want %d:\n%s", n, len(want), said)
		}
		for _, w := range want {
			if !strings.Contains(said, "  "+w+"  ") {
				t.Errorf("want %s, got\n%s", w, said)
			}
		}
	}
	found("a.png", "it's \"b\".png")
	check(t, os.Remove(filepath.Join(dir, "a.png")))
	write("c.png", 2)
	found("it's \"b\".png", "c.png")
}

// TestUprightIsApart: photographs that are turned and those that are not never meet.
func TestUprightIsApart(t *testing.T) {
	path, tables := randomModel(t, 4), map[string]bool{}
	for _, upright := range []bool{false, true} {
		m, err := encoder.Load(path, &encoder.Options{Upright: &upright})
		check(t, err)
		name, err := stores.Of(m, true).Name()
		check(t, err)
		check(t, m.Close())
		tables[name] = true
	}
	if len(tables) != 2 {
		t.Errorf("tables %v, want two", tables)
	}
}

func TestFlags(t *testing.T) {
	o, err := parse([]string{"-db", "postgres:///x", "-upright=false", "-k", "3", "a dog"})
	check(t, err)
	if want := (options{"goclip-toy", "", "postgres:///x", 3, false, []string{"a dog"}}); !reflect.DeepEqual(o, want) {
		t.Errorf("got %+v, want %+v", o, want)
	}
	if o, err = parse(nil); err != nil || len(o.queries) != 2 || !o.upright {
		t.Errorf("without arguments: %+v, %v", o, err)
	}
}

func TestRefuses(t *testing.T) {
	ctx := context.Background()
	path, gone := randomModel(t, 3), filepath.Join(t.TempDir(), "gone")
	fails(t, gone, run(ctx, options{model: gone}))
	fails(t, gone, run(ctx, options{model: path, data: gone}))
	fails(t, gone, run(ctx, options{model: path, db: "postgres:///x?host=" + gone}))
	fails(t, "cannot parse", run(ctx, options{model: path, db: "postgres://%"}))
	fails(t, "want an address", run(ctx, options{model: path, db: "host=" + gone}))
}

// TestGoclipSearch: "goclip search --store" finds what the store does, through the program for
// the database beside it or on the path; without it, the error says what is missing.
func TestGoclipSearch(t *testing.T) {
	db, path, bin := server(t), randomModel(t, 5), t.TempDir()
	model := load(t, path)
	s := fresh(t, model)
	drawn, err := openSet("")
	check(t, err)
	check(t, fill(t.Context(), s, model, drawn))
	build := func(what string) {
		t.Helper()
		cmd := exec.Command("go", "build", "-o", bin, what)
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
	}
	build("github.com/goclip/goclip/cmd/goclip")
	goclip := func(args ...string) (string, error) {
		args = append([]string{"search", "--model", path, "--no-upright", "--store", db, "--json", "-k", "3"}, args...)
		said, err := exec.CommandContext(t.Context(), filepath.Join(bin, "goclip"), args...).CombinedOutput()
		return string(said), err
	}
	said, err := goclip("a star")
	if err == nil || !strings.Contains(said, "goclip-store-postgres is not installed") {
		t.Errorf("without the program: %v, %s", err, said)
	}
	build("github.com/goclip/goclip/contrib/stores/cmd/goclip-store-postgres")
	said, err = goclip("a star", "2*star -circle")
	if err != nil {
		t.Fatal(said)
	}
	var found []struct {
		Query string
		Hits  []struct {
			Key   string
			Score float64
		}
	}
	check(t, json.Unmarshal([]byte(said), &found))
	words, err := model.EncodeTexts(t.Context(), "a star")
	check(t, err)
	want, err := s.Query(t.Context(), words.Row(0), 3, stores.Filter{})
	check(t, err)
	if len(found) != 2 || len(found[1].Hits) != 3 {
		t.Fatalf("got %s", said)
	}
	for i, h := range found[0].Hits {
		// A query that may have several parts is normalised once more.
		if diff := h.Score - want[i].Score; h.Key != want[i].Key || !(max(diff, -diff) <= 1e-6) {
			t.Errorf("hit %d is %v, want %v", i, h, want[i])
		}
	}
	said, err = goclip("a star", "--upright")
	if err == nil || !strings.Contains(said, "there are no embeddings of this model") {
		t.Errorf("of photographs that were turned: %v, %s", err, said)
	}
}
