package index_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// TestAppend: a folder of files that were written one after the other finds what one index
// with the same history finds, of any mixture of rows; no file is written twice.
func TestAppend(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "folder")
	entries, e := cloud("clusters", 900, 16, 5)
	_, queries := cloud("clusters", 9, 16, 6)
	want, files := index.New(16), map[string]string{}
	for i, step := range []struct {
		from, to int
		removed  []string
		rows     index.Rows
	}{
		{0, 300, nil, index.Int8}, {200, 500, []string{"00007", "00250", "none"}, index.AsBefore},
		{500, 500, []string{"00008", "00499"}, index.AsBefore}, {8, 9, nil, index.Float32}, {600, 900, []string{"00008"}, index.Int8},
	} {
		part, m := entries[step.from:step.to], &encoder.Embeddings{N: step.to - step.from, Dim: 16, Data: e.Data[16*step.from : 16*step.to]}
		x := index.New(16)
		check(t, x.Add(part, m))
		check(t, index.Append(dir, x, step.removed, index.SaveOptions{Rows: step.rows}))
		want.Delete(step.removed...)
		check(t, want.Add(part, m))
		for name, text := range files {
			if read(t, dir, name) != text {
				t.Errorf("%s was written again", name)
			}
		}
		name := fmt.Sprintf("%05d.index", i)
		files[name] = read(t, dir, name)
		for _, open := range []func(string, *encoder.Model) (*index.Index, error){index.Open, index.OpenUnread, index.Read} {
			x, err := open(dir, nil)
			check(t, err)
			if x.Len() != want.Len() {
				t.Fatalf("after %d: %d entries, want %d", i, x.Len(), want.Len())
			}
			same(t, name, x, want, queries.Data, 1000, nil)
			check(t, x.Verify())
			if _, ok := x.Get("00007"); ok != (i == 0) {
				t.Errorf("after %d: 00007 is there %t", i, ok)
			}
			check(t, x.Close())
		}
	}
	x, err := index.Open(dir, nil)
	check(t, err)
	one := filepath.Join(t.TempDir(), "one")
	check(t, x.SaveWith(one, index.SaveOptions{Rows: index.Float32}))
	check(t, want.Save(one+"2"))
	if read(t, filepath.Dir(one), "one") != read(t, filepath.Dir(one), "one2") {
		t.Error("joined into one, the file is another than that of one history")
	}
	fails(t, "regular file", x.Save(dir))
	check(t, x.Close())
}

// TestFolderRefuses: files of another kind, a gap, and a file of a folder on its own.
func TestFolderRefuses(t *testing.T) {
	dir := t.TempDir()
	entries, e := cloud("clusters", 20, 4, 5)
	x := index.New(4)
	check(t, x.Add(entries, e))
	_, err := index.Open(dir, nil)
	fails(t, "without files of an index", err)
	check(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o666))
	check(t, index.Append(dir, x, nil, index.SaveOptions{}))
	fails(t, "embeddings of 5 numbers, want 4", index.Append(dir, index.New(5), nil, index.SaveOptions{}))
	fails(t, "embeddings of model", index.Append(dir, index.Of(model(t, 4)), nil, index.SaveOptions{}))
	check(t, index.Append(dir, x, nil, index.SaveOptions{}))
	_, err = index.Open(filepath.Join(dir, "00001.index"), nil)
	fails(t, "00001.index is one of the files of an index: open their folder", err)
	other, err := index.Open(filepath.Join(dir, "00000.index"), nil)
	check(t, err)
	check(t, other.Close())
	check(t, index.New(7).Save(filepath.Join(dir, "00002.index")))
	_, err = index.Open(dir, nil)
	fails(t, "00002.index: embeddings of 7 numbers, want 4", err)
	check(t, os.Rename(filepath.Join(dir, "00002.index"), filepath.Join(dir, "00003.index")))
	_, err = index.Open(dir, nil)
	fails(t, "00003.index, but not ", err)
	fails(t, "closed", index.Append(dir, nil, nil, index.SaveOptions{}))
}

// FuzzOpenBytes: whatever a file of version 5 holds, with checksums right, opening it ends with
// an error or with an index whose bytes find what its embeddings do.
func FuzzOpenBytes(f *testing.F) {
	seeds := f.TempDir()
	entries, e := cloud("clusters", 9, 5, 5)
	for i, rows := range []index.Rows{index.Int8, index.Int8Float16} {
		x := index.New(5)
		if err := x.Add(entries, e); err != nil {
			f.Fatal(err)
		}
		path := filepath.Join(seeds, fmt.Sprint(i))
		if err := x.SaveWith(path, index.SaveOptions{Rows: rows}); err != nil {
			f.Fatal(err)
		}
		for at := range 6 {
			f.Add(i, at, uint16(3*at), byte(1<<at))
		}
	}
	f.Fuzz(func(t *testing.T, file, tensor int, at uint16, bits byte) {
		to, n := filepath.Join(t.TempDir(), "index"), 0
		rewrite(t, filepath.Join(seeds, fmt.Sprint(file&1)), to, func(x *tensorOf) {
			if n++; n == 1+tensor&7 && len(x.Raw) > 0 {
				x.Raw[int(at)%len(x.Raw)] ^= bits
			}
		})
		x, err := index.Open(to, nil)
		if err != nil {
			return
		}
		defer x.Close()
		plain := to + "2"
		check(t, x.SaveWith(plain, index.SaveOptions{Rows: index.Float32}))
		want, err := index.Open(plain, nil)
		if err != nil {
			return // rounded to float16 an embedding may be as far from length 1 again
		}
		defer want.Close()
		same(t, "fuzz", x, want, e.Data[:10], 3, nil)
	})
}
