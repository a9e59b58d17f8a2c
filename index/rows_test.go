package index_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
)

// cloud are n normalised vectors of one kind, and keys for them.
func cloud(kind string, n, dim int, seed uint64) ([]index.Entry, *encoder.Embeddings) {
	r := rand.New(rand.NewPCG(seed, 1))
	centres := make([]float32, 20*dim)
	for i := range centres {
		centres[i] = float32(r.NormFloat64())
	}
	e := &encoder.Embeddings{N: n, Dim: dim, Data: make([]float32, n*dim)}
	entries := make([]index.Entry, n)
	for i := range n {
		entries[i] = index.Entry{Key: fmt.Sprintf("%05d", i), Meta: fmt.Sprint(i % 3)}
		row, centre := e.Row(i), centres[r.IntN(20)*dim:]
		switch kind {
		case "clusters": // in a cone, with one number that is large in all of them
			for j := range row {
				row[j] = centre[j] + 0.3*float32(r.NormFloat64()) + 1
			}
			row[0] += 20
		case "alike": // a few last places apart, in groups of equals
			for j := range row {
				row[j] = 1 + 1e-7*float32((i/7+j)%5)
			}
		case "corners": // one number and signs
			row[r.IntN(dim)] = float32(2*r.IntN(2) - 1)
		case "tiny": // most numbers far below what a byte can say beside the largest
			for j := range row {
				row[j] = float32(math.Exp(-20*r.Float64()) * r.NormFloat64())
			}
			row[i%dim] += 1
		}
		var sum float64
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		for j := range row {
			row[j] = float32(float64(row[j]) / math.Sqrt(sum))
		}
	}
	return entries, e
}

// same fails where an index finds other than what another does, to the bit.
func same(t *testing.T, name string, got, want *index.Index, queries []float32, k int, keep func(index.Entry) bool) {
	t.Helper()
	a, err := got.SearchEach(queries, k, keep)
	check(t, err)
	b, err := want.SearchEach(queries, k, keep)
	check(t, err)
	for q := range b {
		if !slices.Equal(a[q], b[q]) {
			t.Fatalf("%s: query %d, %d hits: got %v, want %v", name, q, k, a[q], b[q])
		}
	}
	if len(a) != len(b) {
		t.Fatalf("%s: %d rows of hits, want %d", name, len(a), len(b))
	}
}

func halves16(e *encoder.Embeddings) *encoder.Embeddings {
	h := &encoder.Embeddings{N: e.N, Dim: e.Dim, Data: slices.Clone(e.Data)}
	parallel.For(h.N, func(i int) {
		row := h.Row(i)
		for j, v := range row {
			row[j] = tensorfile.Float16(tensorfile.ToFloat16(v))
		}
	})
	return h
}

// TestBytesFindTheSame: with bytes beside the embeddings a search finds what it finds without,
// with the same scores: of vectors of all kinds, filtered, after additions and deletions, of
// one query and of many, on every instruction set.
func TestBytesFindTheSame(t *testing.T) {
	isas := []string{"go", kernel.ISA()}
	for _, kind := range []string{"clusters", "alike", "corners", "tiny"} {
		for _, dim := range []int{1, 3, 16, 33, 512} {
			n := 1500
			if dim == 512 {
				n = 3000
			}
			entries, e := cloud(kind, n, dim, 7)
			for _, rows := range []index.Rows{index.Int8, index.Int8Float16} {
				name := fmt.Sprintf("%s of %d, %v", kind, dim, rows)
				path := filepath.Join(t.TempDir(), "bytes")
				x := index.New(dim)
				check(t, x.Add(entries, e))
				check(t, x.SaveWith(path, index.SaveOptions{Rows: rows}))
				x, err := index.Open(path, nil)
				check(t, err)
				want := index.New(dim)
				if rows == index.Int8Float16 {
					check(t, want.Add(entries, halves16(e)))
				} else {
					check(t, want.Add(entries, e))
				}
				more, m := cloud(kind, 70, dim, 8)
				for _, y := range []*index.Index{x, want} {
					y.Delete(entries[3].Key, entries[n-1].Key, entries[n/2].Key)
					check(t, y.Add(more, m))
				}
				_, queries := cloud(kind, 33, dim, 9)
				for _, isa := range isas {
					restore, err := kernel.ForceISA(isa)
					check(t, err)
					for _, c := range [][2]int{{1, 1}, {1, 10}, {9, 10}, {33, 3}, {1, n}, {0, 3}, {2, 0}} {
						if isa == "go" && (dim == 512 || c[0] == 33) {
							continue
						}
						same(t, name+" "+isa, x, want, queries.Data[:c[0]*dim], c[1], nil)
					}
					same(t, name+" filtered", x, want, queries.Data[:2*dim], 5, func(e index.Entry) bool { return e.Meta == "1" })
					restore()
				}
				check(t, x.Close())
			}
		}
	}
}

// TestFewAreScored: bytes leave few rows open.
func TestFewAreScored(t *testing.T) {
	entries, e := cloud("clusters", 20_000, 256, 3)
	path := filepath.Join(t.TempDir(), "bytes")
	x := index.New(256)
	check(t, x.Add(entries, e))
	check(t, x.SaveWith(path, index.SaveOptions{Rows: index.Int8Float16}))
	x, err := index.Open(path, nil)
	check(t, err)
	_, queries := cloud("clusters", 32, 256, 4)
	_, err = x.SearchEach(queries.Data, 10, nil)
	check(t, err)
	if got := index.Scored(x); !(got >= 320 && got <= 32*200) {
		t.Errorf("32 queries had %d rows scored, want 10 to 200 each", got)
	}
	check(t, x.Close())
}

// TestBytesAreVerified: an index whose bytes are of other embeddings, or whose bounds say less
// than the rounding was, is refused although every checksum is right.
func TestBytesAreVerified(t *testing.T) {
	entries, e := cloud("clusters", 40, 6, 3)
	path := filepath.Join(t.TempDir(), "bytes")
	x := index.New(6)
	check(t, x.Add(entries, e))
	check(t, x.SaveWith(path, index.SaveOptions{Rows: index.Int8}))
	for name, change := range map[string]func(t *safetensors.Tensor){
		"bytes":  func(t *safetensors.Tensor) { t.Raw[2] ^= 0x40 },
		"wrong":  func(t *safetensors.Tensor) { clear(t.Raw) },
		"steps":  func(t *safetensors.Tensor) { t.Raw[3] ^= 0x80 },
		"centre": func(t *safetensors.Tensor) { t.Raw[3] ^= 0x80 },
	} {
		changed := path + name
		rewrite(t, path, changed, func(x *safetensors.Tensor) {
			if x.Name == name {
				change(x)
			}
		})
		_, err := index.Open(changed, nil)
		fails(t, "from its embedding, want at most", err)
		unread, err := index.OpenUnread(changed, nil)
		check(t, err)
		_, err = unread.Search(e.Row(0), 3, nil)
		check(t, err)
		fails(t, "from its embedding", unread.Verify())
		check(t, unread.Close())
	}
	for name, change := range map[string]func(t *safetensors.Tensor){
		"bytes":      func(t *safetensors.Tensor) { t.Shape = []int{20, 16} },
		"wrong":      func(t *safetensors.Tensor) { t.Shape = []int{20, 2} },
		"embeddings": func(t *safetensors.Tensor) { t.Shape, t.DType, t.Raw = []int{40, 6}, tensorfile.F16, t.Raw[:480] },
		"gone_ends":  func(t *safetensors.Tensor) { t.Shape = []int{0, 1} },
		"gone":       func(t *safetensors.Tensor) { t.Shape, t.Raw = []int{1}, []byte("a") },
	} {
		changed := path + name
		rewrite(t, path, changed, func(x *safetensors.Tensor) {
			if x.Name == name {
				change(x)
			}
		})
		_, err := index.Open(changed, nil)
		fails(t, changed+": ", err)
	}
}

// rewrite writes a safetensors file once more, with other tensors and their checksums right.
func rewrite(t testing.TB, path, to string, change func(*safetensors.Tensor)) {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var tensors []safetensors.Tensor
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		raw, err := f.Bytes(name)
		if err != nil {
			t.Fatal(err)
		}
		x := safetensors.Tensor{Name: name, DType: info.DType, Shape: info.Shape, Raw: raw}
		change(&x)
		tensors = append(tensors, x)
	}
	meta := f.Metadata()
	if meta[safetensors.ChecksumKey], err = safetensors.Checksums(tensors); err == nil {
		err = safetensors.WriteFile(to, tensors, meta)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRowsStay: an index that is opened and saved keeps its rows; saved as float32 it is the
// file of an index that never had others, unless they were rounded.
func TestRowsStay(t *testing.T) {
	dir := t.TempDir()
	entries, e := cloud("clusters", 300, 8, 3)
	x := index.New(8)
	check(t, x.Add(entries, e))
	check(t, x.Save(filepath.Join(dir, "float32")))
	for _, rows := range []index.Rows{index.Int8, index.Int8Float16} {
		path := filepath.Join(dir, rows.String())
		check(t, x.SaveWith(path, index.SaveOptions{Rows: rows}))
		y, err := index.Open(path, nil)
		check(t, err)
		if y.Rows() != rows {
			t.Errorf("rows %v, want %v", y.Rows(), rows)
		}
		check(t, y.Save(path+"2"))
		if read(t, dir, rows.String()+"2") != read(t, dir, rows.String()) {
			t.Errorf("%v: saved again, the file differs", rows)
		}
		check(t, y.SaveWith(path+"3", index.SaveOptions{Rows: index.Float32}))
		if same := read(t, dir, rows.String()+"3") == read(t, dir, "float32"); same != (rows == index.Int8) {
			t.Errorf("%v as float32: the same file %t", rows, same)
		}
		check(t, y.Close())
		copied, err := index.Read(path, nil)
		check(t, err)
		check(t, os.Remove(path))
		same(t, "copied", copied, x, e.Data[:8], 0, nil)
		check(t, copied.Close())
	}
	large := index.New(1<<15 + 4)
	fails(t, "want 32768 or fewer", large.SaveWith(filepath.Join(dir, "large"), index.SaveOptions{Rows: index.Int8}))
	fails(t, "is 9, want float32, int8 or int8+float16", x.SaveWith(filepath.Join(dir, "other"), index.SaveOptions{Rows: 9}))
}

type tensorOf = safetensors.Tensor
