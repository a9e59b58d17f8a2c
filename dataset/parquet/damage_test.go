package parquet_test

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/goclip/goclip/dataset/parquet"
)

// TestDamage changes files at random: each is read or refused, in little memory and without
// looking for ever. The library alone took 3.6 GB for one of them, and never ended for another.
func TestDamage(t *testing.T) {
	var vectors bytes.Buffer
	if err := parquet.Write(&vectors, vectorRows(4)); err != nil {
		t.Fatal(err)
	}
	images := written(t, []sample{{&picture{pngOf(t, 2), "x.png"}, []string{"a", "b"}, 1}, {nil, nil, 0}})
	for n := range uint64(6000) {
		rng := rand.New(rand.NewPCG(n/2, 1))
		data := bytes.Clone([][]byte{vectors.Bytes(), images}[n%2])
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(data))
			switch rng.IntN(3) {
			case 0:
				data[at] = byte(rng.IntN(256))
			case 1:
				data[at] ^= 1 << rng.IntN(8)
			case 2:
				data = append(data[:at], data[min(len(data), at+1+rng.IntN(4)):]...)
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		readAll(data)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 512<<20 {
			t.Fatalf("file %d of %d bytes took %d MB", n, len(data), took>>20)
		}
	}
}

// readAll reads what can be read.
func readAll(data []byte) {
	if v, err := parquet.OpenVectors(bytes.NewReader(data), int64(len(data)), 1<<20); err == nil {
		plain, lists := v.Columns()
		v.Rows(plain, lists, func([]string, [][]float32) error { return nil })
	}
	table, err := parquet.Format{}.OpenTable(bytes.NewReader(data), int64(len(data)), 1<<20)
	if err != nil {
		return
	}
	var names []string
	for _, c := range table.Columns() {
		names = append(names, c.Name)
		if c.Image {
			table.Image(c.Name, 0)
		}
	}
	table.Cells(names, func(int, [][]string) error { return nil })
}
