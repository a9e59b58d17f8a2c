package index_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// BenchmarkOpen opens an index of 100,000 photographs, 512 numbers and 400 bytes of what is
// known of each, 245 MB, that lies in memory already.
func BenchmarkOpen(b *testing.B) {
	const n, dim, part = 100_000, 512, 10_000
	s := space{dim, rand.New(rand.NewPCG(9, 9))}
	x := index.New(dim)
	for from := 0; from < n; from += part {
		e := &encoder.Embeddings{N: part, Dim: dim, Data: make([]float32, 0, part*dim)}
		entries := make([]index.Entry, part)
		for i := range entries {
			if e.Data = append(e.Data, s.photo(nil)...); i >= 0 {
				entries[i] = index.Entry{Key: fmt.Sprintf("2024/holidays/%06d.jpg", from+i), Meta: strings.Repeat("m", 400)}
			}
		}
		if err := x.Add(entries, e); err != nil {
			b.Fatal(err)
		}
	}
	path := filepath.Join(b.TempDir(), "index")
	if err := x.Save(path); err != nil {
		b.Fatal(err)
	}
	for name, open := range map[string]func() (*index.Index, error){
		"unread":  func() (*index.Index, error) { return index.OpenUnread(path, nil) },
		"checked": func() (*index.Index, error) { return index.Open(path, nil) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				x, err := open()
				if err != nil || x.Len() != n {
					b.Fatal(err)
				}
				if err := x.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
