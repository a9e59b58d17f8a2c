// Package index is exact nearest-neighbour search over embeddings by cosine
// similarity, in memory or in a memory-mapped file.
package index

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/unitrows"
)

// Entry is what an index holds beside an embedding.
type Entry struct {
	Key  string // names the entry; unique in an index
	Meta string // returned with the entry, such as a caption or JSON; may be empty
}

// Index is an exact search by cosine over embeddings, in memory or in a
// memory-mapped file. All methods may be called from several goroutines at
// once. A nil or zero Index is empty and closed.
type Index struct {
	mu  sync.RWMutex
	dim int
	// head is of the file: its version, which says how the fingerprint was made; the
	// fingerprint of the model whose embeddings these are, "" where it is not known; and
	// whether images were turned as they should be seen, and decoded as drafts.
	head

	// Rows are numbered through all parts. The first come from files, in each in the
	// order of their keys, and are never written to; a later file's replace an earlier's.
	parts   []*part
	added   []float32
	first   int            // row of added
	entries []Entry        // of each row
	gone    []bool         // rows that were deleted
	at      map[string]int // rows of added, by key
	free    []int          // rows of added that were deleted, to be used again
	live    int            // rows that were not
	close   func() error   // nil once the index is closed
	verify  func() error   // compares the files with their checksums; nil where there are none
	scored  atomic.Int64   // rows of which a search computed the score after it had looked at their bytes

	saving sync.Mutex
	own    fs.FileInfo // the file that it was opened from or saved to last
}

// New returns an empty index of embeddings of dim numbers. See [Of] for one that
// records which model its embeddings come from.
func New(dim int) *Index {
	return &Index{dim: dim, head: head{version: indexVersion}, at: make(map[string]int), close: func() error { return nil }}
}

// Of returns an empty index of a model's embeddings. It carries the model's
// Fingerprint, which [Open] compares. That of a nil Model has embeddings of size 0.
func Of(m *encoder.Model) *Index {
	x := New(dimOf(m))
	x.model = m.Fingerprint()
	if p := m.Config().Preprocess; p != nil {
		x.upright, x.draft = p.Upright, p.Draft
	}
	return x
}

// Upright reports whether photographs were turned as they should be seen before they were
// embedded, which is then to be done with an image that is searched for, and with those
// that are added: [encoder.Options].Upright. An index that does not say so, as those of
// earlier versions do not, is of images as they are stored.
func (x *Index) Upright() bool { return x != nil && x.upright }

// Draft reports whether JPEG files were decoded at a part of their size before they were
// embedded, see [encoder.Options].Draft; an index that was saved before version 4 of its file
// does not say so.
func (x *Index) Draft() bool { return x != nil && x.draft }

// Rows says how the file that the index was opened from or saved to holds embeddings.
func (x *Index) Rows() Rows {
	if x == nil {
		return Float32
	}
	return max(x.rows, Float32)
}

// dimOf is zero for an empty Model.
func dimOf(m *encoder.Model) int {
	if c := m.Config(); c.Vision != nil || c.Text != nil {
		return c.EmbedDim()
	}
	return 0
}

// Dim returns the size of the embeddings.
func (x *Index) Dim() int {
	if x == nil {
		return 0
	}
	return x.dim
}

// Len returns the number of entries.
func (x *Index) Len() int {
	if x == nil {
		return 0
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.live
}

// Get returns the entry of a key.
func (x *Index) Get(key string) (Entry, bool) {
	if x == nil {
		return Entry{}, false
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	row, ok := x.find(key)
	if !ok {
		return Entry{}, false
	}
	return x.entries[row], true
}

// Embedding returns a copy of the embedding of a key's entry.
func (x *Index) Embedding(key string) ([]float32, bool) {
	if x == nil {
		return nil, false
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	row, ok := x.find(key)
	if !ok {
		return nil, false
	}
	return slices.Clone(x.row(row)), true
}

// Cosine is that of the entries of two keys.
func (x *Index) Cosine(key, other string) (float64, bool) {
	if x == nil {
		return 0, false
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	a, ok := x.find(key)
	b, okToo := x.find(other)
	if !ok || !okToo {
		return 0, false
	}
	return float64(kernel.Dot(x.row(a), x.row(b))), true
}

// Entries yields the entries in the order of their keys, as they were when the
// loop began.
func (x *Index) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		if x == nil {
			return
		}
		x.mu.RLock()
		rows := x.sorted()
		entries := make([]Entry, len(rows))
		for i, row := range rows {
			entries[i] = x.entries[row]
		}
		x.mu.RUnlock()
		for _, e := range entries {
			if !yield(e) {
				return
			}
		}
	}
}

// Add puts normalised embeddings into the index, entries[i] naming row i of e. An
// entry whose key exists already replaces the old one. On an error nothing
// changes.
func (x *Index) Add(entries []Entry, e *encoder.Embeddings) error {
	if x == nil {
		return errClosed
	}
	if err := x.admissible(entries, e); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.close == nil {
		return errClosed
	}
	x.added = slices.Grow(x.added, max(0, len(entries)-len(x.free))*x.dim)
	for i, entry := range entries {
		if row, ok := x.find(entry.Key); ok {
			x.remove(row)
		}
		x.put(entry, e.Row(i))
	}
	return nil
}

func (x *Index) admissible(entries []Entry, e *encoder.Embeddings) error {
	switch {
	case e == nil:
		return errors.New("add: Embeddings is nil")
	case e.Dim != x.dim:
		return fmt.Errorf("embeddings of %d numbers, want %d", e.Dim, x.dim)
	case len(entries) != e.N:
		return fmt.Errorf("%d entries for %d embeddings", len(entries), e.N)
	}
	if err := e.Validate(); err != nil {
		return err
	}
	if i := unitrows.First(e.Data, e.Dim); i >= 0 {
		return fmt.Errorf("%q %s", entries[i].Key, unitrows.Fault(e.Row(i)))
	}
	seen := make(map[string]bool, len(entries))
	for _, entry := range entries {
		if seen[entry.Key] {
			return fmt.Errorf("key %q is given twice", entry.Key)
		}
		seen[entry.Key] = true
	}
	return nil
}

// Delete removes the entries of the keys and returns how many there were.
func (x *Index) Delete(keys ...string) int {
	if x == nil {
		return 0
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, key := range keys {
		if row, ok := x.find(key); ok {
			x.remove(row)
			n++
		}
	}
	return n
}

// Close releases the file of an index that was opened. The index is empty
// afterwards, and cannot be added to, searched or saved.
func (x *Index) Close() error {
	if x == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.close == nil {
		return nil
	}
	err := x.close()
	x.parts, x.added, x.first, x.entries, x.gone, x.free, x.live = nil, nil, 0, nil, nil, nil, 0
	x.at, x.close = nil, nil
	return err
}

var errClosed = errors.New("index: closed")

// find returns the row of a key.
func (x *Index) find(key string) (int, bool) {
	if row, ok := x.at[key]; ok {
		return row, true
	}
	for _, p := range slices.Backward(x.parts) {
		entries := x.entries[p.first : p.first+p.n]
		if p.n == 0 || key < entries[0].Key || key > entries[p.n-1].Key { // so in most files where names rise with time
			continue
		}
		at, ok := slices.BinarySearchFunc(entries, key, func(e Entry, key string) int {
			return strings.Compare(e.Key, key)
		})
		if ok && !x.gone[p.first+at] {
			return p.first + at, true
		}
	}
	return 0, false
}

// row returns the embedding of a row.
func (x *Index) row(i int) []float32 { return x.rowInto(nil, i) }

// rowInto is row, with memory for one that is not there as float32.
func (x *Index) rowInto(buffer []float32, i int) []float32 {
	if i >= x.first {
		return x.added[(i-x.first)*x.dim : (i+1-x.first)*x.dim]
	}
	p := x.parts[0]
	if len(x.parts) > 1 {
		at, _ := slices.BinarySearchFunc(x.parts, i+1, func(p *part, i int) int { return p.first + p.n - i })
		p = x.parts[at]
	}
	return p.row(buffer, i-p.first)
}

func (x *Index) put(entry Entry, embedding []float32) {
	row := len(x.entries)
	if n := len(x.free); n > 0 {
		row, x.free = x.free[n-1], x.free[:n-1]
	} else {
		x.entries, x.gone = append(x.entries, Entry{}), append(x.gone, false)
		x.added = append(x.added, embedding...)
	}
	x.entries[row], x.gone[row], x.at[entry.Key] = entry, false, row
	copy(x.row(row), embedding)
	x.live++
}

func (x *Index) remove(row int) {
	x.gone[row] = true
	x.live--
	if row >= x.first { // the file's keys stay, for find
		delete(x.at, x.entries[row].Key)
		x.entries[row] = Entry{}
		x.free = append(x.free, row)
	}
}

// sorted returns the rows that are there in the order of their keys.
func (x *Index) sorted() []int {
	rows := make([]int, 0, x.live)
	for row := range x.entries {
		if !x.gone[row] {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b int) int { return strings.Compare(x.entries[a].Key, x.entries[b].Key) })
	return rows
}
