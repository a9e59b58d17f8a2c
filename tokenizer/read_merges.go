package tokenizer

import (
	"fmt"
	"hash/maphash"

	"github.com/goclip/goclip/internal/parallel"
)

// A mergeReader gathers merges as they are written, and looks up their symbols at the end:
// on all cores, and many at once, since a vocabulary is larger than a core's caches.
type mergeReader struct {
	l       *lexicon
	prefix  string // that right symbols lose
	text    []byte // the symbols, without that
	written []writtenMerge
}

// A writtenMerge lies in the text: the left symbol to mid, the right one behind it.
type writtenMerge struct{ from, mid, to uint32 }

// newMergeReader expects so many bytes of a file's merges.
func newMergeReader(l *lexicon, prefix string, bytes int) *mergeReader {
	return &mergeReader{l: l, prefix: prefix, text: make([]byte, 0, bytes/2), written: make([]writtenMerge, 0, bytes/16)}
}

func (r *mergeReader) add(left, right []byte) error {
	if len(right) < len(r.prefix) {
		return fmt.Errorf("symbol %.40q is shorter than continuing_subword_prefix", right)
	}
	from := uint32(len(r.text))
	r.text = append(r.text, left...)
	mid := uint32(len(r.text))
	r.text = append(r.text, right[len(r.prefix):]...)
	r.written = append(r.written, writtenMerge{from, mid, uint32(len(r.text))})
	return nil
}

// lookups is how many merges are looked up together, mergeTask how many by one task.
const (
	lookups   = 32
	mergeTask = 128 * lookups
)

// merges returns them with the ids of their symbols and of what they make.
func (r *mergeReader) merges() ([]mergeSlot, error) {
	n := len(r.written)
	all := make([]mergeSlot, n)
	tasks := (n + mergeTask - 1) / mergeTask
	missing := make([]error, tasks)
	parallel.For(tasks, func(task int) {
		joined := joinedFinder{l: r.l}
		for from := task * mergeTask; from < min(n, (task+1)*mergeTask) && missing[task] == nil; from += lookups {
			missing[task] = r.resolve(all[from:min(n, from+lookups)], from, &joined)
		}
	})
	for _, err := range missing {
		if err != nil {
			return nil, fmt.Errorf("merges: %w", err)
		}
	}
	return all, nil
}

// resolve sets up to lookups merges, of which the first has the rank from.
func (r *mergeReader) resolve(dst []mergeSlot, from int, joined *joinedFinder) error {
	var symbols [2 * lookups][]byte
	var ids [2 * lookups]int32
	for i := range dst {
		symbols[2*i], symbols[2*i+1] = r.symbols(from + i)
	}
	r.l.findAll(ids[:2*len(dst)], symbols[:2*len(dst)])
	for i := range dst {
		w := r.written[from+i]
		left, right, both := ids[2*i], ids[2*i+1], r.text[w.from:w.to]
		id, ok := joined.find(both)
		if left < 0 || right < 0 || !ok {
			missing := symbols[2*i+1]
			if left < 0 {
				missing = symbols[2*i]
			} else if right >= 0 {
				missing = both
			}
			return fmt.Errorf("merge %d: %.40q and %.40q: there is no symbol %.80q", from+i, symbols[2*i], symbols[2*i+1], missing)
		}
		dst[i] = mergeSlot{pair: pairOf(left, right), rank: int32(from + i), joined: id}
	}
	return nil
}

func (r *mergeReader) symbols(i int) (left, right []byte) {
	w := r.written[i]
	left, right = r.text[w.from:w.mid], r.text[w.mid:w.to]
	if r.prefix != "" {
		right = append([]byte(r.prefix), right...)
	}
	return left, right
}

// findAll sets the ids of tokens, up to 2·lookups of them, -1 for what is none. It has
// read the slots of all before it looks at the first.
func (l *lexicon) findAll(ids []int32, tokens [][]byte) {
	var hashes [2 * lookups]uint64
	var slots [2 * lookups]slot
	for i, t := range tokens {
		hashes[i] = maphash.Bytes(l.seed, t)
	}
	for i := range tokens {
		slots[i] = l.slots[hashes[i]>>l.shift]
	}
	for i, t := range tokens {
		if s := &slots[i]; s.to != 0 && s.hash == uint32(hashes[i]) && l.text[s.from:s.to] == string(t) {
			ids[i] = s.id
			continue
		}
		id, ok := l.find(t)
		if !ok {
			id = -1
		}
		ids[i] = id
	}
}

// A joinedFinder finds what merges make: often the token of the merge before, or the next one.
type joinedFinder struct {
	l    *lexicon
	last int // entry
}

func (f *joinedFinder) find(token []byte) (id int32, ok bool) {
	for at := f.last; at < min(f.last+2, len(f.l.entries)); at++ {
		if e := f.l.entries[at]; f.l.text[e.from:e.to] == string(token) {
			f.last = at
			return e.id, true
		}
	}
	id, ok = f.l.find(token)
	if at := int(id); ok && at < len(f.l.entries) && f.l.entries[at].id == id {
		f.last = at
	}
	return id, ok
}
