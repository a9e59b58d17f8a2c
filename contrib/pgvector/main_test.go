package main

import (
	"context"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// server is a database with pgvector, which `.ci/run pgvector` starts. Without it
// only what needs none is tested.
func server(t *testing.T) string {
	t.Helper()
	db := os.Getenv("GOCLIP_PGVECTOR")
	if db == "" {
		t.Skip("GOCLIP_PGVECTOR names no database")
	}
	return db
}

// fresh opens the table of a model, which it drops when the test ends.
func fresh(t *testing.T, model *encoder.Model) *table {
	t.Helper()
	x, err := open(context.Background(), server(t), model)
	check(t, err)
	t.Cleanup(func() {
		_, err := x.conn.Exec(context.Background(), "DROP TABLE "+x.name)
		check(t, err)
		check(t, x.close())
	})
	return x
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
	check(t, drawn.embed(ctx, model, keys, func(entries []index.Entry, e *encoder.Embeddings) error {
		queries = e
		return exact.Add(entries, e)
	}))
	_, err = x.conn.Exec(ctx, "ANALYZE "+x.name)
	check(t, err)
	_, err = x.conn.Exec(ctx, "SET enable_seqscan = off")
	check(t, err)
	var plan string
	rows, err := x.conn.Query(ctx, "EXPLAIN SELECT key FROM "+x.name+" ORDER BY embedding <=> (SELECT embedding FROM "+x.name+" LIMIT 1) LIMIT 3")
	check(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	if plan = strings.Join(lines, "\n"); !strings.Contains(plan, "_hnsw") {
		t.Errorf("the search does not use the index:\n%s", plan)
	}
	found, all := 0, 0
	for i := range queries.N {
		want, err := exact.Search(queries.Row(i), exact.Len(), nil)
		check(t, err)
		score := make(map[string]float64, len(want))
		for _, h := range want {
			score[h.Key] = h.Score
		}
		got, err := x.search(ctx, queries.Row(i), 10)
		check(t, err)
		if len(got) != 10 {
			t.Fatalf("query %d: %d hits, want 10", i, len(got))
		}
		for _, h := range got {
			// Both add eight products of numbers below 1, in float32 or better.
			if diff := math.Abs(h.Score - score[h.Key]); !(diff <= 16*0x1p-24) {
				t.Errorf("query %d: %s scores %.9f, want %.9f", i, h.Key, h.Score, score[h.Key])
			}
			if all++; h.Score >= want[9].Score-16*0x1p-24 {
				found++
			}
		}
	}
	if !(float64(found) >= 0.95*float64(all)) {
		t.Errorf("%d of the %d nearest were found, want 95 %%", found, all)
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

func TestRefuses(t *testing.T) {
	ctx := context.Background()
	path, gone := randomModel(t, 3), filepath.Join(t.TempDir(), "gone")
	fails(t, gone, run(ctx, options{model: gone}))
	fails(t, gone, run(ctx, options{model: path, data: gone}))
	fails(t, gone, run(ctx, options{model: path, db: "host=" + gone}))
	fails(t, "cannot parse", run(ctx, options{model: path, db: "postgres://%"}))
	x := fresh(t, load(t, path))
	for _, k := range []int{0, 1001} {
		_, err := x.search(ctx, make([]float32, 8), k)
		fails(t, fmt.Sprint(k, " hits, want 1 to 1000"), err)
	}
}
