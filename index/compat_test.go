package index_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/golden"
)

// TestFirstVersion: an index that the first version wrote opens with its model, finds
// what it found, and is of no other model; saved again it stays so.
func TestFirstVersion(t *testing.T) {
	dir := golden.Shared(t, "compat")
	m, err := encoder.Load(filepath.Join(dir, "model"), nil)
	check(t, err)
	defer m.Close()
	photos, err := index.Open(filepath.Join(dir, "pics.index"), m)
	check(t, err)
	defer photos.Close()
	var want []struct {
		Query string
		Hits  []struct {
			Key, Caption string
			Score        float64
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "search.json"))
	check(t, err)
	check(t, json.Unmarshal(text, &want))
	found := func(photos *index.Index) {
		t.Helper()
		for _, w := range want {
			query, err := m.EncodeTexts(context.Background(), w.Query)
			check(t, err)
			hits, err := photos.Search(query.Data, len(w.Hits), nil)
			check(t, err)
			for i, h := range hits {
				if h.Key != w.Hits[i].Key || h.Meta != w.Hits[i].Caption || !(math.Abs(h.Score-w.Hits[i].Score) <= 1e-5) {
					t.Errorf("%s: hit %d is %+v, want %+v", w.Query, i, h, w.Hits[i])
				}
			}
		}
	}
	if len(want) != 2 {
		t.Fatalf("%d queries, want 2", len(want))
	}
	found(photos)

	again := filepath.Join(t.TempDir(), "again.index")
	check(t, photos.Save(again))
	other, err := index.Open(again, m)
	check(t, err)
	defer other.Close()
	found(other)

	tuned, err := encoder.Load(filepath.Join(dir, "tuned"), nil)
	check(t, err)
	defer tuned.Close()
	_, err = index.Open(filepath.Join(dir, "pics.index"), tuned)
	fails(t, "the index was made with model", err)
}
