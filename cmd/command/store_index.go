package command

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

// storeReport is what was done in a database.
type storeReport struct {
	Written   int `json:"written"`
	Removed   int `json:"removed"`
	Unchanged int `json:"unchanged"`
}

// storeBatch is how many entries are sent at once.
const storeBatch = 256

// sharing is a database on the way to an index's state.
type sharing struct {
	*store
	session *session
	labels  map[string]string
	x       *index.Index
	done    storeReport
	entries []storeEntry
	refused []error
}

// share brings the database of --store in step with the index: what is not there, or was of
// another file, is written; what has the labels and is not in the index any more is removed. It may end
// at any moment, and the next run goes on.
func (c *indexCommand) share(s *session, m *encoder.Model, x *index.Index) (err error) {
	if c.Store == "" {
		return nil
	}
	t, err := openStore(s, c.Store, m, true)
	if err != nil {
		return err
	}
	h := &sharing{store: t, session: s, labels: c.Label, x: x}
	if err := h.sync(); err != nil {
		_ = t.close()
		return err
	}
	c.shared = &h.done
	s.leftOut(h.refused)
	if err := t.close(); err != nil {
		return input(fmt.Errorf("%s: %w %s", t.program, err, strings.TrimSpace(t.said.String())))
	}
	return nil
}

func (h *sharing) sync() error {
	there := map[string]uint64{} // what is known of each key
	var gone []string
	err := h.each(storeRequest{Op: "each"}, func(e storeEntry, _ []float32) error {
		_, wanted := h.x.Get(e.Key)
		if !wanted && h.ours(e) {
			gone = append(gone, e.Key)
		} else if wanted && maps.Equal(e.Labels, h.labels) {
			there[e.Key] = hashed(e.Meta)
		}
		return nil
	})
	if err != nil {
		return err
	}
	told, n := h.session.counter("store", "images"), 0
	for e := range h.x.Entries() {
		n++
		told(n, h.x.Len())
		was, is := there[e.Key]
		_, photo := photos.Parse(e.Meta) // which says what was in the file
		switch {
		case is && photo && was == hashed(e.Meta):
			h.done.Unchanged++
			continue
		case !utf8.ValidString(e.Key):
			h.refused = append(h.refused, fmt.Errorf("%q: a name that is not UTF-8 cannot be in a database", e.Key))
			continue
		}
		if h.entries = append(h.entries, storeEntry{e.Key, e.Meta, h.labels}); len(h.entries) == storeBatch {
			if err := h.flush(); err != nil {
				return err
			}
		}
	}
	if err := h.flush(); err != nil {
		return err
	}
	if len(gone) > 0 { // last, so that one by another name is there before
		if _, err := h.ask(storeRequest{Op: "delete", Keys: gone}); err != nil {
			return err
		}
		h.done.Removed = len(gone)
	}
	return nil
}

// ours tells whether an entry has all labels.
func (h *sharing) ours(e storeEntry) bool {
	for name, value := range h.labels {
		if v, ok := e.Labels[name]; !ok || v != value {
			return false
		}
	}
	return true
}

func hashed(meta string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(meta))
	return h.Sum64()
}

// flush writes what has come together. One entry that is refused does not cost the others.
func (h *sharing) flush() error {
	if len(h.entries) == 0 {
		return nil
	}
	failed := h.upsert(h.entries)
	if failed != nil && h.session.Err() == nil && h.alive() {
		before := len(h.refused)
		for _, e := range h.entries {
			if err := h.upsert([]storeEntry{e}); err != nil {
				h.refused = append(h.refused, fmt.Errorf("%s: %w", e.Key, err))
			}
		}
		if len(h.refused)-before < len(h.entries) {
			failed = nil
		}
	}
	h.entries = h.entries[:0]
	return failed
}

// alive tells whether the program still answers.
func (h *sharing) alive() bool {
	_, err := h.ask(storeRequest{Op: "len"})
	return err == nil
}

func (h *sharing) upsert(entries []storeEntry) error {
	r := storeRequest{Op: "upsert", Entries: entries}
	for _, e := range entries {
		v, ok := h.x.Embedding(e.Key)
		if !ok {
			return errors.New("the index changed meanwhile")
		}
		r.Vectors = append(r.Vectors, v)
	}
	if _, err := h.ask(r); err != nil {
		return err
	}
	h.done.Written += len(entries)
	return nil
}
