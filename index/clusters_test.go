package index_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// TestClusters: what shows one subject comes together, and has its word for a name, whatever the
// cores and the history.
func TestClusters(t *testing.T) {
	s := space{32, rand.New(rand.NewPCG(6, 6))}
	sizes := []int{70, 50, 30, 20}
	rows := map[string][]float32{}
	for subject, n := range sizes {
		for i := range n {
			rows[fmt.Sprintf("%d/%d", subject, i)] = s.photo(map[int]float64{subject: 5})
		}
	}
	words := &encoder.Embeddings{N: 8, Dim: s.dim}
	for subject := range 8 {
		words.Data = append(words.Data, s.word(subject)...)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first []index.Cluster
	for _, procs := range []int{1, 3} {
		runtime.GOMAXPROCS(procs)
		x := index.New(s.dim)
		for key, row := range rows { // in any order
			s.add(t, x, key, row)
		}
		clusters, err := x.Clusters(context.Background(), 4, 1)
		check(t, err)
		names, err := index.NameClusters(clusters, words, 2)
		check(t, err)
		for i, c := range clusters {
			if len(c.Keys) != sizes[i] || names[i][0] != i || len(names[i]) != 2 {
				t.Errorf("cluster %d has %d images and the names %v, want %d and subject %d", i, len(c.Keys), names[i], sizes[i], i)
			}
			for _, key := range c.Keys {
				if key[0] != c.Keys[0][0] {
					t.Errorf("%s and %s are in one cluster", key, c.Keys[0])
				}
			}
			if first != nil && (!slices.Equal(c.Keys, first[i].Keys) || !slices.Equal(c.Mean, first[i].Mean)) {
				t.Errorf("cluster %d depends on cores or history", i)
			}
		}
		first = clusters
		many, err := x.Clusters(context.Background(), 1000, 1)
		check(t, err)
		total := 0
		for _, c := range many {
			total += len(c.Keys)
		}
		if total != len(rows) || len(many) > len(rows) {
			t.Errorf("%d clusters of %d images, want all %d", len(many), total, len(rows))
		}
	}
	same := index.New(s.dim)
	for i := range 5 {
		s.add(t, same, fmt.Sprint(i), s.word(1))
	}
	clusters, err := same.Clusters(context.Background(), 3, 1)
	if err != nil || len(clusters) != 1 {
		t.Errorf("of entries that are all the same: %d clusters, %v", len(clusters), err)
	}
	_, err = index.New(4).Clusters(context.Background(), 3, 1)
	fails(t, "empty", err)
	_, err = same.Clusters(context.Background(), 0, 1)
	fails(t, "0 clusters", err)
	_, err = index.NameClusters(clusters, halves3(4), 1)
	fails(t, "words of 4 numbers, want 32", err)
}
