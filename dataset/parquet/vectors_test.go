package parquet_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	lib "github.com/parquet-go/parquet-go"

	"github.com/goclip/goclip/dataset/parquet"
)

type vectorRow struct {
	Path   string    `parquet:"image_path,snappy"`
	Vector []float32 `parquet:"embedding,list"`
	Other  []float64 `parquet:"other,list"`
	Score  *int64    `parquet:"score,optional"`
}

func vectorRows(n int) []vectorRow {
	rows := make([]vectorRow, n)
	for i := range rows {
		rows[i] = vectorRow{Path: fmt.Sprint("größe/", i), Vector: []float32{float32(i), 0.1, -1e-30}}
		if i%3 > 0 {
			score := int64(i)
			rows[i].Score, rows[i].Other = &score, []float64{0.5, float64(i)}
		}
	}
	return rows
}

// TestVectors: rows come back as they were written, across pages and groups, and the same
// rows give the same bytes.
func TestVectors(t *testing.T) {
	rows := vectorRows(70000)
	var b, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&b, &again} {
		if err := parquet.Write(w, rows); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("the same rows gave other bytes")
	}
	v, err := parquet.OpenVectors(bytes.NewReader(b.Bytes()), int64(b.Len()), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	plain, lists := v.Columns()
	if !slices.Equal(plain, []string{"image_path", "score"}) || !slices.Equal(lists, []string{"embedding", "other"}) {
		t.Fatalf("got columns %q and %q", plain, lists)
	}
	i := 0
	err = v.Rows(plain, lists, func(texts []string, vectors [][]float32) error {
		want := rows[i]
		score := ""
		if want.Score != nil {
			score = fmt.Sprint(*want.Score)
		}
		if texts[0] != want.Path || texts[1] != score || !slices.Equal(vectors[0], want.Vector) || len(vectors[1]) != len(want.Other) || len(want.Other) > 0 && vectors[1][1] != float32(i) {
			return fmt.Errorf("row %d: got %q %v, want %+v", i, texts, vectors, want)
		}
		i++
		return nil
	})
	if err != nil || i != len(rows) || v.NumRows() != len(rows) {
		t.Errorf("%d rows of %d: %v", i, len(rows), err)
	}
}

// TestHalves: a list of Float16, as pandas writes float16, and a missing number.
func TestHalves(t *testing.T) {
	schema := lib.NewSchema("x", lib.Group{"v": lib.List(lib.Optional(lib.Leaf(lib.FixedLenByteArrayType(2))))})
	var b bytes.Buffer
	w := lib.NewWriter(&b, schema)
	rows := []lib.Row{
		{lib.FixedLenByteArrayValue([]byte{0, 0x3c}).Level(0, 2, 0), lib.FixedLenByteArrayValue([]byte{0, 0xc0}).Level(1, 2, 0)},
		{lib.FixedLenByteArrayValue([]byte{0, 0x3c}).Level(0, 2, 0), lib.NullValue().Level(1, 1, 0)},
	}
	if _, err := w.WriteRows(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	v, err := parquet.OpenVectors(bytes.NewReader(b.Bytes()), int64(b.Len()), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]float32
	if err := v.Rows(nil, []string{"v"}, func(_ []string, vectors [][]float32) error {
		got = append(got, slices.Clone(vectors[0]))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !slices.Equal(got[0], []float32{1, -2}) || len(got[1]) != 2 || !math.IsNaN(float64(got[1][1])) {
		t.Errorf("got %v, want 1 and -2, and 1 and a NaN", got)
	}
}

// FuzzOpenVectors: damaged files give errors.
func FuzzOpenVectors(f *testing.F) {
	var b bytes.Buffer
	if err := parquet.Write(&b, vectorRows(4)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[b.Len()/2:])
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := parquet.OpenVectors(bytes.NewReader(data), int64(len(data)), 1<<20)
		if err != nil {
			return
		}
		plain, lists := v.Columns()
		v.Rows(plain, lists, func([]string, [][]float32) error { return nil })
	})
}
