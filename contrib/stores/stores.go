// Package stores keeps embeddings in databases that search them: PostgreSQL with pgvector,
// Chroma, Weaviate and OpenSearch, each with the kind of index that it recommends, behind one interface.
// What databases differ in and what is wrong on all of them, such as a vector that is not
// normalised, is met here, before anything is sent.
package stores

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goclip/goclip/encoder"
)

// Entry is what a store holds beside an embedding.
type Entry struct {
	Key    string            `json:"key"`              // names the entry; not empty
	Meta   string            `json:"meta,omitempty"`   // returned with it
	Labels map[string]string `json:"labels,omitempty"` // what a [Filter] looks at
}

// Hit is one result of a query.
type Hit struct {
	Entry
	Score float64 `json:"score"` // cosine
}

// Filter chooses among entries. The zero Filter takes all.
type Filter struct {
	Keys   []string          // only these, where there are any
	Labels map[string]string // entries that have all of them
}

// Table names what the embeddings of one model are kept in.
type Table struct {
	Model  string // the model's fingerprint, so that embeddings of different models never meet
	Dim    int    // of the embeddings
	Create bool   // make what is missing; otherwise that is an error
}

// Of is the table of a model's embeddings.
func Of(m *encoder.Model, create bool) Table {
	return Table{Model: m.Fingerprint(), Dim: m.Config().EmbedDim(), Create: create}
}

var fingerprint = regexp.MustCompile(`^[0-9a-f]{16,128}$`)

// Name is that of the table in the database.
func (t Table) Name() (string, error) {
	switch {
	case !fingerprint.MatchString(t.Model):
		return "", fmt.Errorf("stores: Table.Model is %.40q, want a fingerprint of hexadecimal digits", t.Model)
	case t.Dim < 1 || t.Dim > mostNumbers:
		return "", fmt.Errorf("stores: Table.Dim is %d, want 1 to %d", t.Dim, mostNumbers)
	}
	return "goclip_" + t.Model[:16], nil
}

// ErrNoTable says that a database has no embeddings of a model.
var ErrNoTable = errors.New("there are no embeddings of this model")

// ErrExists says that an entry is there already.
var ErrExists = errors.New("the key is there already")

// Limits of what is sent.
const (
	mostNumbers = 2000 // that an HNSW index of pgvector takes
	mostHits    = 1000
	mostText    = 1 << 20 // bytes of a key or a meta
)

// Engine is a database. It is given what was checked, in batches of at most Batch entries, and
// may be used by several goroutines at once.
type Engine interface {
	// Put writes entries with the rows of their embeddings. One that is there is replaced, or
	// with replace unset is an error.
	Put(ctx context.Context, entries []Entry, rows [][]float32, replace bool) error
	Delete(ctx context.Context, keys []string) error
	// Query returns about the k nearest, the nearest first.
	Query(ctx context.Context, query []float32, k int, f Filter) ([]Hit, error)
	// Get returns the entries of the keys that are there, with their embeddings, in no order.
	Get(ctx context.Context, keys []string) ([]Entry, [][]float32, error)
	// Each gives all entries to yield, in no order.
	Each(ctx context.Context, yield func(Entry) error) error
	Len(ctx context.Context) (int, error)
	// Drop removes the table.
	Drop(ctx context.Context) error
	Batch() int
	Close() error
}

// Store is an engine with one table. It may be used by several goroutines at once.
type Store struct {
	engine Engine
	dim    int
}

// New returns the store of an engine for embeddings of dim numbers.
func New(e Engine, dim int) *Store { return &Store{e, dim} }

// Write adds entries, entries[i] naming row i of e. One whose key is there is [ErrExists], and
// of its batch nothing is written; batches before it were.
func (s *Store) Write(ctx context.Context, entries []Entry, e *encoder.Embeddings) error {
	return s.put(ctx, entries, e, false)
}

// Upsert is [Store.Write] that replaces entries which are there.
func (s *Store) Upsert(ctx context.Context, entries []Entry, e *encoder.Embeddings) error {
	return s.put(ctx, entries, e, true)
}

func (s *Store) put(ctx context.Context, entries []Entry, e *encoder.Embeddings, replace bool) error {
	if err := s.admissible(entries, e); err != nil {
		return fmt.Errorf("stores: %w", err)
	}
	for from := 0; from < len(entries); from += s.engine.Batch() {
		to := min(from+s.engine.Batch(), len(entries))
		rows := make([][]float32, to-from)
		for i := range rows {
			rows[i] = e.Row(from + i)
		}
		if err := s.engine.Put(ctx, entries[from:to], rows, replace); err != nil {
			return fmt.Errorf("stores: entries %d to %d (%q …): %w", from, to-1, entries[from].Key, err)
		}
	}
	return nil
}

func (s *Store) admissible(entries []Entry, e *encoder.Embeddings) error {
	switch {
	case e == nil:
		return errors.New("the embeddings are nil")
	case e.Dim != s.dim:
		return fmt.Errorf("embeddings of %d numbers, want %d", e.Dim, s.dim)
	case len(entries) != e.N:
		return fmt.Errorf("%d entries for %d embeddings", len(entries), e.N)
	}
	if err := e.Validate(); err != nil {
		return err
	}
	seen := make(map[string]bool, len(entries))
	for i, entry := range entries {
		if err := entry.valid(); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if seen[entry.Key] {
			return fmt.Errorf("entry %d: key %q is given twice", i, entry.Key)
		}
		seen[entry.Key] = true
		if err := normalised(e.Row(i)); err != nil {
			return fmt.Errorf("entry %d, %q: %w", i, entry.Key, err)
		}
	}
	return nil
}

func (e Entry) valid() error {
	if e.Key == "" {
		return errors.New("the key is empty")
	}
	texts := []string{e.Key, e.Meta}
	for name, value := range e.Labels {
		if name == "" || strings.Contains(name, "=") {
			return fmt.Errorf("%q: a label is called %q, want a name without =", e.Key, name)
		}
		texts = append(texts, name, value)
	}
	for _, text := range texts {
		if len(text) > mostText || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("%.60q: %.60q is not UTF-8, has a zero byte or is longer than %d bytes", e.Key, text, mostText)
		}
	}
	return nil
}

// normalised is an error where a row is not of length 1, as one with a NaN is not.
func normalised(row []float32) error {
	var sum float64
	for _, v := range row {
		sum += float64(v) * float64(v)
	}
	if length := math.Sqrt(sum); !(math.Abs(length-1) <= 1e-3) {
		return fmt.Errorf("the embedding has length %.4g, want 1: is it normalised?", length)
	}
	return nil
}

// Delete removes entries; keys that are not there are passed over.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	for from := 0; from < len(keys); from += s.engine.Batch() {
		to := min(from+s.engine.Batch(), len(keys))
		if err := s.engine.Delete(ctx, keys[from:to]); err != nil {
			return fmt.Errorf("stores: delete %q …: %w", keys[from], err)
		}
	}
	return nil
}

// Query returns the entries nearest to a normalised embedding, the nearest first, k of them or
// fewer where fewer pass the filter. Databases look through an approximate index, so now and
// then one of the nearest is missing: see [Recall].
func (s *Store) Query(ctx context.Context, query []float32, k int, f Filter) ([]Hit, error) {
	switch {
	case len(query) != s.dim:
		return nil, fmt.Errorf("stores: a query of %d numbers, want %d", len(query), s.dim)
	case k < 1 || k > mostHits:
		return nil, fmt.Errorf("stores: %d hits, want 1 to %d", k, mostHits)
	case len(f.Keys) > 10_000:
		return nil, fmt.Errorf("stores: a filter of %d keys, want 10000 or fewer", len(f.Keys))
	}
	if err := normalised(query); err != nil {
		return nil, fmt.Errorf("stores: the query: %w", err)
	}
	if err := (Entry{Key: "filter", Labels: f.Labels}).valid(); err != nil {
		return nil, fmt.Errorf("stores: %w", err)
	}
	hits, err := s.engine.Query(ctx, query, k, f)
	if err != nil {
		return nil, fmt.Errorf("stores: query: %w", err)
	}
	return hits, nil
}

// Get gives the entries of the keys that are there to yield, each with its embedding, in no order.
func (s *Store) Get(ctx context.Context, keys []string, yield func(Entry, []float32) error) error {
	for from := 0; from < len(keys); from += s.engine.Batch() {
		entries, rows, err := s.engine.Get(ctx, keys[from:min(from+s.engine.Batch(), len(keys))])
		if err != nil {
			return fmt.Errorf("stores: get %q …: %w", keys[from], err)
		}
		for i, e := range entries {
			if len(rows) != len(entries) || len(rows[i]) != s.dim {
				return fmt.Errorf("stores: get %q: its embedding does not have %d numbers", e.Key, s.dim)
			}
			if err := yield(e, rows[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Each gives all entries to yield, in no order, and ends with its first error.
func (s *Store) Each(ctx context.Context, yield func(Entry) error) error {
	if err := s.engine.Each(ctx, yield); err != nil {
		return fmt.Errorf("stores: entries: %w", err)
	}
	return nil
}

// Len returns the number of entries.
func (s *Store) Len(ctx context.Context) (int, error) {
	n, err := s.engine.Len(ctx)
	if err != nil {
		return 0, fmt.Errorf("stores: count: %w", err)
	}
	return n, nil
}

// Drop removes the table with all that is in it.
func (s *Store) Drop(ctx context.Context) error { return s.engine.Drop(ctx) }

// Close ends the connection.
func (s *Store) Close() error { return s.engine.Close() }
