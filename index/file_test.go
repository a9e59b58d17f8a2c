package index_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/safetensors"
)

// filed saves an index of three entries and returns its path and bytes.
func filed(t testing.TB, x *index.Index) (string, []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index")
	err := x.Add([]index.Entry{{"b", "a meta"}, {"a", ""}, {"", "of the empty key"}}, halves3(x.Dim()))
	if err == nil {
		err = x.Save(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

// halves3 are three unit vectors.
func halves3(dim int) *encoder.Embeddings {
	e := &encoder.Embeddings{N: 3, Dim: dim, Data: make([]float32, 3*dim)}
	for i := range 3 {
		e.Row(i)[i] = 1
	}
	return e
}

// TestIndexFileIsItsEntries: the bytes depend on the entries, not on how they
// came, nor on whether the file was opened and saved again.
func TestIndexFileIsItsEntries(t *testing.T) {
	path, want := filed(t, index.New(4))
	x := index.New(4)
	rows := halves3(4)
	for _, i := range []int{1, 2, 0, 0} {
		check(t, x.Add([]index.Entry{{"extra", ""}}, &encoder.Embeddings{N: 1, Dim: 4, Data: rows.Row(i)}))
		check(t, x.Add([]index.Entry{{[]string{"b", "a", ""}[i], []string{"a meta", "", "of the empty key"}[i]}},
			&encoder.Embeddings{N: 1, Dim: 4, Data: rows.Row(i)}))
	}
	x.Delete("extra", "none")
	check(t, x.SaveWith(path, index.SaveOptions{Overwrite: true}))
	if got := read(t, filepath.Dir(path), "index"); got != string(want) {
		t.Error("another history gave another file")
	}
	opened, err := index.Open(path, nil)
	check(t, err)
	check(t, opened.Save(path+"2"))
	check(t, opened.Close())
	if got := read(t, filepath.Dir(path), "index2"); got != string(want) {
		t.Error("opened and saved, the file differs")
	}
	none := index.New(7)
	check(t, none.SaveWith(path, index.SaveOptions{Overwrite: true}))
	none, err = index.Open(path, nil)
	check(t, err)
	if none.Len() != 0 || none.Dim() != 7 {
		t.Errorf("an empty index came back with %d entries of dimension %d", none.Len(), none.Dim())
	}
}

// TestIndexDamage: no bit of the header or of the data may change, and no byte
// may be missing. Only the case of a checksum's digits may; then the index is
// whole.
func TestIndexDamage(t *testing.T) {
	path, good := filed(t, index.New(4))
	refused := func(what string, at int, bad []byte) {
		t.Helper()
		x, err := index.Parse(bad)
		if err != nil {
			return
		}
		check(t, x.SaveWith(path, index.SaveOptions{Overwrite: true}))
		if got := read(t, filepath.Dir(path), "index"); got != string(good) || !bytes.EqualFold(bad, good) {
			t.Errorf("%s %d: opened", what, at)
		}
	}
	for at := range good {
		for bit := range 8 {
			bad := slices.Clone(good)
			bad[at] ^= 1 << bit
			refused("a changed bit of byte", at, bad)
		}
		refused("cut at", at, good[:at])
	}
	refused("with more than", len(good), append(slices.Clone(good), 0))
	good[len(good)-1]++
	check(t, os.WriteFile(path, good, 0o666))
	for _, gone := range []string{path, path + " none", filepath.Dir(path)} {
		_, err := index.Open(gone, nil)
		fails(t, gone, err)
	}
}

// TestIndexOfAnother refuses another version, dimension and model by name, and
// files whose parts do not fit although every checksum is right.
func TestIndexOfAnother(t *testing.T) {
	m := model(t, 10)
	path, _ := filed(t, index.Of(m))
	x, err := index.Open(path, m)
	check(t, err)
	check(t, x.Close())
	m.Vision().Params()[0].Data[0]++
	_, err = index.Open(path, m)
	fails(t, path+": the index was made with model ", err)
	_, err = index.Open(path, model(t, 16))
	fails(t, "an index of dimension 10, but the model's is 16", err)
	path, _ = filed(t, index.New(10))
	_, err = index.Open(path, m)
	fails(t, "does not say which model", err)

	unit, ends := []float32{1, 0, 0, 1}, []int64{1, 1, 2, 2}
	for _, c := range []struct {
		change func(p *parts)
		want   string
	}{
		{func(*parts) {}, ""},
		{func(p *parts) { p.version = "6" }, `an index of version "6", want one of ["1" "2" "3" "4" "5"]`},
		{func(p *parts) { p.version = "4" }, `is "", want`},
		{func(p *parts) { delete(p.meta, "goclip.index") }, "not an index"},
		{func(p *parts) { p.meta["more"] = "" }, `"more"`},
		{func(p *parts) { p.names[0] = "rows" }, `tensors ["ends" "rows" "text"], want ["embeddings" "ends" "text"]`},
		{func(p *parts) { p.shape = []int{4} }, "embeddings are F32[4], want F32 of entries by 1 to 1048576"},
		{func(p *parts) { p.shape, p.rows = []int{2, 0}, []float32{} }, "embeddings are F32[2 0]"},
		{func(p *parts) { p.shape, p.rows, p.ends, p.text = []int{0, 1 << 30}, []float32{}, nil, "" }, "embeddings are F32[0 1073741824]"},
		{func(p *parts) { p.shape = []int{1, 4} }, "ends are I64[2 2], want I64[1 2]"},
		{func(p *parts) { p.ends = []int64{1, 0, 2, 2} }, "entry 0 ends at [1 0] of 2 bytes"},
		{func(p *parts) { p.ends = []int64{-1, 1, 2, 2} }, "entry 0 ends at [-1 1]"},
		{func(p *parts) { p.ends = []int64{1, 1, 2, 1 << 62} }, "entry 1 ends at"},
		{func(p *parts) { p.ends = []int64{1, 1, 1, 2} }, `key "" after "a": want rising keys`},
		{func(p *parts) { p.text = "aa" }, `key "a" after "a": want rising keys`},
		{func(p *parts) { p.text = "abc" }, "the entries end at byte 2 of 3"},
		{func(p *parts) { p.rows = []float32{1, 0, 0, 2} }, `"b" has an embedding of length 2`},
	} {
		p := &parts{
			version: "2", meta: map[string]string{"goclip.index": "", "goclip.index.model": "", "goclip.index.header": ""},
			names: []string{"embeddings", "ends", "text"}, shape: []int{2, 2}, rows: unit, ends: ends, text: "ab",
		}
		c.change(p)
		check(t, os.WriteFile(path, p.file(t), 0o666))
		x, err := index.Open(path, nil)
		if c.want != "" {
			fails(t, path+": ", err)
			fails(t, c.want, err)
			continue
		}
		check(t, err)
		check(t, x.Close())
	}
}

// parts are what an index file is made of.
type parts struct {
	version, text string
	meta          map[string]string
	names         []string
	shape         []int
	rows          []float32
	ends          []int64
}

// file joins the parts with the header's checksum right.
func (p *parts) file(t testing.TB) []byte {
	t.Helper()
	if _, ok := p.meta["goclip.index"]; ok {
		p.meta["goclip.index"] = p.version
	}
	p.meta["goclip.index.header"] = index.HeaderSum(p.version, p.meta["goclip.index.model"], p.shape)
	raw := []byte{}
	for _, e := range p.ends {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(e))
	}
	var b strings.Builder
	err := safetensors.Write(&b, []safetensors.Tensor{
		{Name: p.names[0], Shape: p.shape, Float32: p.rows},
		{Name: p.names[1], DType: "I64", Shape: []int{len(p.ends) / 2, 2}, Raw: raw},
		{Name: p.names[2], DType: "U8", Shape: []int{len(p.text)}, Raw: []byte(p.text)},
	}, p.meta)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// FuzzOpenIndex: whatever a file holds, opening it ends with an error or with an
// index that can be searched, and that is saved as the same entries.
func FuzzOpenIndex(f *testing.F) {
	_, good := filed(f, index.New(4))
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add((&parts{
		version: "2", meta: map[string]string{"goclip.index": "", "goclip.index.model": "", "goclip.index.header": ""},
		names: []string{"embeddings", "ends", "text"}, shape: []int{2, 2}, rows: []float32{1, 0, 0, 1}, ends: []int64{1, 1, 2, 2}, text: "ab",
	}).file(f))
	path := filepath.Join(f.TempDir(), "index")
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := index.Parse(data)
		if err != nil {
			return
		}
		defer x.Close()
		query := make([]float32, x.Dim())
		query[0] = 1
		hits, err := x.Search(query, x.Len()+1, nil)
		check(t, err)
		if len(hits) != x.Len() {
			t.Errorf("%d hits of %d entries", len(hits), x.Len())
		}
		check(t, x.SaveWith(path, index.SaveOptions{Overwrite: true}))
		again, err := index.Open(path, nil)
		check(t, err)
		defer again.Close()
		if got, want := slices.Collect(again.Entries()), slices.Collect(x.Entries()); !slices.Equal(got, want) {
			t.Errorf("saved and opened: got %q, want %q", got, want)
		}
	})
}

// TestRead: what is read into memory outlives its file.
func TestRead(t *testing.T) {
	x := index.New(4)
	check(t, x.Add([]index.Entry{{"a", ""}, {"b", ""}}, halves(2)))
	path, _ := filed(t, x)
	copied, err := index.Read(path, nil)
	check(t, err)
	check(t, os.Truncate(path, 10))
	want, err := x.Search(halves(1).Data, 2, nil)
	check(t, err)
	got, err := copied.Search(halves(1).Data, 2, nil)
	check(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	check(t, copied.Close())
	_, err = index.Read(path, nil)
	fails(t, path, err)
}

// TestNoOtherFileIsReplaced: an index replaces the file that it is, another only where
// that is asked for, and what is no index never.
func TestNoOtherFileIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path, table := filepath.Join(dir, "index"), filepath.Join(dir, "table.csv")
	check(t, os.WriteFile(table, []byte("image,caption\n"), 0o666))
	x, other := index.New(2), index.New(2)
	for range 2 {
		check(t, x.Save(path))
	}
	opened, err := index.Read(path, nil)
	check(t, err)
	check(t, opened.Save(path))
	if err := other.Save(path); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("over another index: got error %v", err)
	}
	check(t, other.SaveWith(path, index.SaveOptions{Overwrite: true}))
	for _, overwrite := range []bool{false, true} {
		if err := x.SaveWith(table, index.SaveOptions{Overwrite: overwrite}); err == nil || !strings.Contains(err.Error(), "is not an index") {
			t.Errorf("over a table: got error %v", err)
		}
	}
	if text, err := os.ReadFile(table); err != nil || string(text) != "image,caption\n" {
		t.Errorf("the table is %q, %v", text, err)
	}
}
