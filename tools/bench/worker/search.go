package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// search looks for the ten nearest of the vectors in the folder, one query after
// another, and 32 queries, two at a time, since a search has one query.
func search(c *cases, root string) {
	const dim = 512
	load := sync.OnceValues(func() (*index.Index, error) {
		f, err := os.Open(filepath.Join(root, "vectors.f32"))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		x, r := index.New(dim), bufio.NewReaderSize(f, 1<<20)
		const part = 50_000
		for from := 0; ; from += part {
			e := &encoder.Embeddings{N: part, Dim: dim, Data: make([]float32, part*dim)}
			if err := binary.Read(r, binary.LittleEndian, e.Data); err != nil {
				break
			}
			entries := make([]index.Entry, part)
			for i := range entries {
				entries[i].Key = fmt.Sprintf("%08d", from+i)
			}
			if err := x.Add(entries, e); err != nil {
				return nil, err
			}
		}
		debug.FreeOSMemory()
		return x, nil
	})
	query := func(n, cores int) (work, error) {
		x, err := load()
		if err != nil {
			return work{}, err
		}
		q, err := numbers[float32](filepath.Join(root, "queries.f32"), 64*dim)
		if err != nil {
			return work{}, err
		}
		next := 0
		f := func() ([]float32, error) {
			ids := make([]float32, n*10)
			errs := make([]error, n)
			limit := make(chan bool, cores)
			var wait sync.WaitGroup
			for i := range n {
				limit <- true
				wait.Add(1)
				at := (next + i) % 64
				go func() {
					defer wait.Done()
					defer func() { <-limit }()
					hits, err := x.Search(q[at*dim:][:dim], 10, nil)
					errs[i] = err
					for j, h := range hits {
						id, _ := strconv.Atoi(h.Key)
						ids[i*10+j] = float32(id)
					}
				}()
			}
			wait.Wait()
			for _, err := range errs {
				if err != nil {
					return nil, err
				}
			}
			return ids, nil
		}
		return work{func() error { _, err := f(); next += n; return err }, func() ([]float32, error) { next = 0; return f() }}, nil
	}
	c.add("exact-f32/1", func() (work, error) { return query(1, 1) })
	c.add("exact-f32/32", func() (work, error) { return query(32, 1) })
	c.add("exact-f32-pairs/32", func() (work, error) { return query(32, 2) })
}
