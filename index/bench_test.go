package index_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// BenchmarkIndexSearch looks for the ten nearest of a million vectors of 512
// numbers, 2 GB. Before each search it only reads them, on the same number of
// cores, in the two plainest ways there are: adding up 0·x, and adding up x·x.
// What a search takes over what the faster of them takes, all medians, is the
// metric search/read. 32 queries at once are a fourth way.
func BenchmarkIndexSearch(b *testing.B) {
	const n, dim, part = 1_000_000, 512, 50_000
	x := index.New(dim)
	rng := rand.New(rand.NewPCG(6, 6))
	for from := 0; from < n; from += part {
		e := &encoder.Embeddings{N: part, Dim: dim, Data: make([]float32, part*dim)}
		for i := 0; i < len(e.Data); i += 64 {
			for j, signs := 0, rng.Uint64(); j < 64; j, signs = j+1, signs>>1 {
				e.Data[i+j] = float32(1-2*float64(signs&1)) / float32(math.Sqrt(dim))
			}
		}
		entries := make([]index.Entry, part)
		for i := range entries {
			entries[i].Key = fmt.Sprintf("%08d", from+i)
		}
		if err := x.Add(entries, e); err != nil {
			b.Fatal(err)
		}
	}
	rows := index.Added(x)
	query := slices.Clone(rows[dim : 2*dim])
	var sums [n / part]float32
	ways := []func(){
		func() {
			if !kernel.AllFinite(rows) {
				b.Fatal("a number is not finite")
			}
		},
		func() {
			parallel.For(len(sums), func(i int) {
				block := rows[i*part*dim : (i+1)*part*dim]
				sums[i] = kernel.Dot(block, block)
			})
		},
		func() {
			hits, err := x.Search(query, 10, nil)
			if err != nil || len(hits) != 10 || hits[0].Key != "00000001" {
				b.Fatal(hits, err)
			}
		},
	}
	many := slices.Clone(rows[:32*dim])
	ways = append(ways, func() {
		hits, err := x.SearchEach(many, 10, nil)
		if err != nil || len(hits) != 32 || hits[31][0].Key != "00000031" {
			b.Fatal(hits, err)
		}
	})
	times := make([][]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			start := time.Now()
			way()
			times[i] = append(times[i], time.Since(start))
		}
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return d[len(d)/2].Seconds()
	}
	reading, searching := min(median(times[0]), median(times[1])), median(times[2])
	b.ReportMetric(searching/reading, "search/read")
	b.ReportMetric(1e3*searching, "ms/search")
	b.ReportMetric(1e3*median(times[3]), "ms/32-searches")
	b.ReportMetric(1e-9*n*dim*4/reading, "read-GB/s")
	b.ReportMetric(0, "ns/op") // of all three together
}
