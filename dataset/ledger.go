package dataset

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Bad is a sample that could not be used, and why.
type Bad struct {
	File   string `json:"file"`
	Key    string `json:"key,omitempty"`
	Reason string `json:"reason"`
	Times  int    `json:"times"` // how often it was met: once per epoch
}

// SampleError is what is wrong with one sample, with the fields of [Bad].
type SampleError struct {
	File, Key string // File may be empty
	Err       error
}

// Error gives file, key and what is wrong.
func (e *SampleError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("%s: %v", e.Key, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.File, e.Key, e.Err)
}

// Unwrap returns Err.
func (e *SampleError) Unwrap() error { return e.Err }

// Ledger records the bad samples of a run. The zero value is ready to use. Its
// methods may be called from several goroutines. A nil Ledger records nothing.
type Ledger struct {
	// Limit is the largest number of different bad samples: one more ends
	// [Batches] with an error. 0 means any number.
	Limit int

	mu    sync.Mutex
	order []*Bad
	notes int          // of order, those that are no samples
	index map[Bad]*Bad // by what it says, without Times
}

// Add records a bad sample. It returns an error once there are more than Limit.
func (l *Ledger) Add(file, key, reason string) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id := Bad{File: file, Key: key, Reason: strings.ToValidUTF8(reason, "�")}
	known := l.index[id]
	if known == nil {
		if l.index == nil {
			l.index = map[Bad]*Bad{}
		}
		known = &Bad{File: id.File, Key: id.Key, Reason: id.Reason}
		l.index[id] = known
		l.order = append(l.order, known)
	}
	known.Times++
	if bad := len(l.order) - l.notes; l.Limit > 0 && bad > l.Limit {
		return fmt.Errorf("dataset: %d bad samples, more than the limit of %d; the last is %s", bad, l.Limit, id)
	}
	return nil
}

// note adds what is no sample, once, and whatever the limit.
func (l *Ledger) note(list []Bad) {
	if l == nil {
		return
	}
	for _, b := range list {
		l.mu.Lock()
		known := l.index[Bad{File: b.File, Key: b.Key, Reason: strings.ToValidUTF8(b.Reason, "\ufffd")}] != nil
		l.mu.Unlock()
		if !known {
			l.Add(b.File, b.Key, b.Reason)
			l.notes++
		}
	}
}

// String gives file, key and reason.
func (b Bad) String() string {
	if b.Key == "" {
		return b.File + ": " + b.Reason
	}
	return b.File + ": " + b.Key + ": " + b.Reason
}

// Len returns the number of different bad samples.
func (l *Ledger) Len() int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.order)
}

// Bad returns the bad samples in the order in which they were first met.
func (l *Ledger) Bad() []Bad {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Bad, len(l.order))
	for i, b := range l.order {
		list[i] = *b
	}
	return list
}

// Restore replaces the records by list, as [Ledger.Bad] returned it in an
// earlier run.
func (l *Ledger) Restore(list []Bad) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order, l.index = nil, make(map[Bad]*Bad, len(list))
	for _, b := range list {
		id := Bad{File: b.File, Key: b.Key, Reason: b.Reason}
		l.index[id] = &b
		l.order = append(l.order, &b)
	}
}

// WriteJSONLines writes one JSON object per line, with the fields of [Bad].
func (l *Ledger) WriteJSONLines(w io.Writer) error {
	if w == nil {
		return errors.New("dataset: ledger: the writer is nil")
	}
	out := bufio.NewWriter(w)
	encode := json.NewEncoder(out)
	encode.SetEscapeHTML(false)
	for _, b := range l.Bad() {
		if err := encode.Encode(b); err != nil {
			return fmt.Errorf("dataset: ledger: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("dataset: ledger: %w", err)
	}
	return nil
}
