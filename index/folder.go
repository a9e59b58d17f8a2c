package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/parallel"
)

// An index of several files is a folder of 00000.index, 00001.index and so on, each an index
// that is never written again: what is new, changed or gone is in the next file.

func partName(i int) string { return fmt.Sprintf("%05d.index", i) }

// mostParts bounds what is opened at once.
const mostParts = 10_000

// Append writes the entries of x as another file of the index in a folder, which is made where
// it is missing, and removes keys from the files before: those given, and those of x. Nothing
// else is written, so it takes time by what is new. All files are of one model and dimension,
// of images prepared in one way; an embedding may be held as o.Rows says. Readers see all of it
// or nothing. A second writer is refused while one is at work. [Open] opens the folder.
func Append(dir string, x *Index, removed []string, o SaveOptions) (err error) {
	if x == nil {
		return errClosed
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	unlock, err := journal.LockFile(filepath.Join(dir, "index"))
	if err != nil {
		return fmt.Errorf("index: %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	names, err := partsOf(dir)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.close == nil {
		return errClosed
	}
	gone := []Entry{} // not nil: this is one file of several
	if len(names) > 0 {
		before, err := openFolder(dir, nil, false)
		if err != nil {
			return err
		}
		if gone, err = before.replacedBy(x, removed); err != nil {
			return errors.Join(fmt.Errorf("index: %s: %w", dir, err), before.Close())
		}
		if o.Rows == AsBefore && x.rows == AsBefore {
			o.Rows = max(before.rows, Float32)
		}
		if err := before.Close(); err != nil {
			return err
		}
	}
	if x.dim < 1 || x.dim > maxDim {
		return fmt.Errorf("index: append: Dim is %d, want 1 to %d", x.dim, maxDim)
	}
	if err := x.write(filepath.Join(dir, partName(len(names))), o.Rows, gone); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// replacedBy are the keys of x that another index replaces, and those that are removed.
func (x *Index) replacedBy(other *Index, removed []string) ([]Entry, error) {
	if err := x.like(other); err != nil {
		return nil, err
	}
	gone := []Entry{}
	for _, row := range other.sorted() {
		if _, ok := x.find(other.entries[row].Key); ok {
			gone = append(gone, Entry{Key: other.entries[row].Key})
		}
	}
	for _, key := range removed {
		if _, ok := x.find(key); ok {
			gone = append(gone, Entry{Key: key})
		}
	}
	slices.SortFunc(gone, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return slices.CompactFunc(gone, func(a, b Entry) bool { return a.Key == b.Key }), nil
}

// like is an error where another index cannot be part of this one.
func (x *Index) like(other *Index) error {
	switch {
	case x.dim != other.dim:
		return fmt.Errorf("embeddings of %d numbers, want %d", other.dim, x.dim)
	case x.model != other.model:
		return fmt.Errorf("embeddings of model %.12q, want those of %.12q", other.model, x.model)
	case x.upright != other.upright:
		return fmt.Errorf("images with upright %t, want %t", other.upright, x.upright)
	case x.draft != other.draft:
		return fmt.Errorf("images with draft %t, want %t", other.draft, x.draft)
	}
	return nil
}

// partsOf lists the files of a folder, which are numbered without a gap. Others do not count.
func partsOf(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range all {
		if ok, _ := filepath.Match("[0-9][0-9][0-9][0-9][0-9].index", e.Name()); !ok {
			continue
		}
		if want := partName(len(names)); e.Name() != want {
			return nil, fmt.Errorf("%s has %s, but not %s", dir, e.Name(), want)
		}
		if names = append(names, filepath.Join(dir, e.Name())); len(names) > mostParts {
			return nil, fmt.Errorf("%s has more than %d files of an index", dir, mostParts)
		}
	}
	return names, nil
}

// openFolder joins the files of a folder into one index.
func openFolder(dir string, m *encoder.Model, whole bool) (_ *Index, err error) {
	names, err := partsOf(dir)
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s is a folder without files of an index (%s and further)", dir, partName(0))
	}
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	files, gone, failed := make([]*Index, len(names)), make([][]Entry, len(names)), make([]error, len(names))
	closeAll := func() (err error) {
		for _, f := range files {
			err = errors.Join(err, f.Close()) // a nil one is closed
		}
		return err
	}
	parallel.For(len(names), func(i int) { files[i], gone[i], failed[i] = openPart(names[i], m, whole) })
	if i := slices.IndexFunc(failed, func(err error) bool { return err != nil }); i >= 0 {
		return nil, fmt.Errorf("index: %w", errors.Join(failed[i], closeAll()))
	}
	x, rows := New(files[0].dim), 0
	x.head = files[0].head
	for _, f := range files {
		rows += f.live
	}
	x.entries, x.gone = make([]Entry, 0, rows), make([]bool, 0, rows)
	for i, f := range files {
		if err := x.like(f); err != nil {
			return nil, fmt.Errorf("index: %w", errors.Join(fmt.Errorf("%s: %w", names[i], err), closeAll()))
		}
		x.join(f, gone[i])
	}
	x.close = closeAll
	x.verify = func() (err error) {
		for i, f := range files {
			if failed := f.verify(); failed != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", names[i], failed))
			}
		}
		return err
	}
	return x, nil
}

// join takes a later file in.
func (x *Index) join(f *Index, gone []Entry) {
	for _, e := range gone {
		if row, ok := x.find(e.Key); ok {
			x.remove(row)
		}
	}
	p := *f.parts[0]
	p.first = x.first
	x.parts = append(x.parts, &p)
	x.entries, x.gone = append(x.entries, f.entries...), append(x.gone, f.gone...)
	x.first, x.live = x.first+p.n, x.live+p.n
	f.entries = nil
}
