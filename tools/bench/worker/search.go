package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

const dim = 512

// search looks for the ten nearest of the vectors, of as many queries as the case says.
func search(root string) (maker, error) {
	f, err := os.Open(filepath.Join(root, "vectors", "rows"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x, err := indexOf(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	return func(name string) (work, error) {
		_, n, err := caseOf(name)
		if err != nil {
			return nil, err
		}
		queries, err := numbers[float32](filepath.Join(root, "vectors", "queries"), n*dim)
		return func() ([]float32, error) {
			each, err := x.SearchEach(queries, 10, nil)
			var ids []float32
			for _, hits := range each {
				for _, h := range hits {
					id, _ := strconv.Atoi(h.Key)
					ids = append(ids, float32(id))
				}
			}
			return ids, err
		}, err
	}, nil
}

// indexOf reads an index of rows of dim numbers, of which there are a multiple of some
// thousands.
func indexOf(r io.Reader) (*index.Index, error) {
	const part = 10_000
	x := index.New(dim)
	for from := 0; ; from += part {
		e := &encoder.Embeddings{N: part, Dim: dim, Data: make([]float32, part*dim)}
		switch err := binary.Read(r, binary.LittleEndian, e.Data); {
		case errors.Is(err, io.EOF):
			return x, nil
		case err != nil:
			return nil, err
		}
		entries := make([]index.Entry, part)
		for i := range entries {
			entries[i].Key = fmt.Sprintf("%08d", from+i)
		}
		if err := x.Add(entries, e); err != nil {
			return nil, err
		}
	}
}
