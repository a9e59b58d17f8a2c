package photos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/recordlog"
)

// Library is the photographs of a folder, open for writing by this process alone. Its methods
// are for one goroutine at a time.
type Library struct {
	rows   index.Rows // of the next save
	path   string
	folder string
	model  *encoder.Model
	x      *index.Index
	log    *recordlog.Writer
	size   int64 // of the index file
	fresh  int   // changes in the journal
	thumbs *Thumbs
	unlock func() error
	made   bool            // the index file is of this process's making
	failed map[string]seen // what could not be read, as it was then
	known  map[string][]string
	sizes  map[int64]int
}

// seen is a file's state.
type seen struct {
	size, modified int64
	err            error
}

// LibraryOptions say what may be replaced.
type LibraryOptions struct {
	Overwrite bool       // begin anew, in place of any other index
	Rows      index.Rows // how the index holds embeddings, from the next save on
}

// ErrAnother says that an index is no library of the folder: it is replaced only with
// [LibraryOptions].Overwrite.
var ErrAnother = errors.New("it is replaced only where that is asked for")

// OpenLibrary opens the library at path of the photographs in a folder, or begins one. One
// that another process writes to is an error that wraps [ErrInUse]; an index of another model
// or folder, or that no library made, is an [ErrAnother].
func OpenLibrary(path, folder string, m *encoder.Model, o LibraryOptions) (*Library, error) {
	if m == nil {
		return nil, errors.New("photos: the model is nil")
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("photos: %w", err)
	}
	unlock, err := journal.LockFile(path)
	if err != nil {
		return nil, fmt.Errorf("photos: %w", err)
	}
	l := &Library{rows: o.Rows, path: path, folder: folder, model: m, unlock: unlock, failed: map[string]seen{}}
	if err := l.open(o); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

func (l *Library) open(o LibraryOptions) (err error) {
	if _, err = os.Stat(l.path); errors.Is(err, fs.ErrNotExist) || o.Overwrite {
		err = l.begin(o)
	} else {
		err = l.goOn()
	}
	if err != nil {
		return err
	}
	if l.thumbs, err = appendThumbs(l.path); err != nil {
		return err
	}
	l.learn()
	return nil
}

// ErrInUse says that another process writes to a library.
var ErrInUse = journal.ErrLocked

// begin writes an empty index.
func (l *Library) begin(o LibraryOptions) error {
	l.x, l.made = index.Of(l.model), true
	if err := l.x.SaveWith(l.path, index.SaveOptions{Overwrite: o.Overwrite, Rows: o.Rows}); err != nil {
		return err
	}
	return l.newJournal()
}

// goOn opens an index with its journal.
func (l *Library) goOn() error {
	h, _, ok, err := readJournal(JournalPath(l.path), nil)
	if err != nil {
		return err
	}
	moved := ok && h.Folder != l.folder
	if _, err := os.Stat(h.Folder); moved && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("photos: %s exists and is of the photographs in %s, not of those in %s: %w", l.path, h.Folder, l.folder, ErrAnother)
	}
	if l.x, err = index.Read(l.path, l.model); err != nil {
		return fmt.Errorf("%w: %w", err, ErrAnother)
	}
	if !ok {
		for e := range l.x.Entries() {
			if _, is := Parse(e.Meta); !is {
				return fmt.Errorf("photos: %s exists and is an index of other things than a library: %w", l.path, ErrAnother)
			}
		}
		return l.newJournal()
	}
	base, err := stamp(l.path)
	if err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	if h.Base != base {
		return l.newJournal() // the index was written, and the journal not yet begun anew
	}
	_, end, _, err := readJournal(JournalPath(l.path), func(_ header, b []byte) error {
		c, err := parseChange(b, l.x.Dim())
		if err == nil {
			err = c.apply(l.x)
		}
		l.fresh++
		return err
	})
	if err != nil {
		return err
	}
	if l.log, err = recordlog.Continue(JournalPath(l.path), end); err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	if moved {
		return l.rewrite() // so that the journal names the folder that it has become
	}
	return l.measure()
}

func (l *Library) measure() error {
	info, err := os.Stat(l.path)
	if err == nil {
		l.size = info.Size()
	}
	return err
}

// newJournal begins a journal of changes to the index file as it is.
func (l *Library) newJournal() error {
	base, err := stamp(l.path)
	if err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	text, err := json.Marshal(header{Folder: l.folder, Base: base})
	if err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	if l.log != nil {
		err = l.log.Close()
		l.log = nil
	}
	path := JournalPath(l.path)
	w, errCreate := recordlog.Create(path+".new", journalKind)
	if err = errors.Join(err, errCreate); err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	_, err = w.Add(text)
	end := w.End()
	// It is closed before it is renamed: Windows keeps what is open where it is.
	if err := errors.Join(err, w.Sync(), w.Close(), os.Rename(path+".new", path)); err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	if l.log, err = recordlog.Continue(path, end); err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	l.fresh = 0
	return l.measure()
}

// learn notes what contents there are.
func (l *Library) learn() {
	l.known, l.sizes = map[string][]string{}, map[int64]int{}
	for e := range l.x.Entries() {
		if p, ok := Parse(e.Meta); ok {
			l.note(e.Key, p)
		}
	}
}

func (l *Library) note(key string, p Photo) {
	l.known[p.SHA256] = append(l.known[p.SHA256], key)
	l.sizes[p.Size]++
}

// write makes changes to the index, in memory and in the journal.
func (l *Library) write(changes []change) error {
	for _, c := range changes {
		if err := c.apply(l.x); err != nil {
			return err
		}
		if _, err := l.log.Add(c.record()); err != nil {
			return fmt.Errorf("photos: %s: %w", JournalPath(l.path), err)
		}
		l.fresh++
	}
	// Whoever reads a change finds its thumbnail.
	if err := errors.Join(l.thumbs.sync(), l.log.Sync()); err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	if l.log.End() > 1<<20+l.size/4 {
		return l.Save()
	}
	return nil
}

// Index is the library's index, which [Library.Update] and [Library.Remove] change.
func (l *Library) Index() *index.Index { return l.x }

// Save writes the index anew with all changes, after which the journal is empty. [Library.Close] does so too, and
// [Library.Update] from time to time.
func (l *Library) Save() error {
	if err := l.rewrite(); err != nil {
		return err
	}
	live := map[string]bool{}
	for e := range l.x.Entries() {
		if p, ok := Parse(e.Meta); ok {
			live[p.SHA256] = true
		}
	}
	return l.thumbs.shrink(live)
}

// rewrite writes the index, and begins a journal of what will come.
func (l *Library) rewrite() error {
	if err := l.x.SaveWith(l.path, index.SaveOptions{Overwrite: true, Rows: l.rows}); err != nil {
		return err
	}
	return l.newJournal()
}

// Remove takes photographs out of the library and returns how many there were. The next Update
// finds them again, if their files are still there.
func (l *Library) Remove(keys ...string) (int, error) {
	var changes []change
	for _, key := range keys {
		if _, ok := l.x.Get(key); ok {
			changes = append(changes, change{entry: index.Entry{Key: key}, removed: true})
		}
	}
	return len(changes), l.write(changes)
}

// Discard removes the files of a library that has nothing in it and that this process has
// begun; any other stays.
func (l *Library) Discard() error {
	if l.x.Len() > 0 || !l.made {
		return nil
	}
	l.made = false
	err := errors.Join(l.log.Close(), l.thumbs.Close())
	l.log = nil
	for _, path := range []string{l.path, JournalPath(l.path), ThumbsPath(l.path)} {
		if e := os.Remove(path); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Close saves what has changed and lets others write to the library.
func (l *Library) Close() error {
	var err error
	if l.log != nil && l.fresh > 0 {
		err = l.Save()
	}
	return errors.Join(err, l.release())
}

func (l *Library) release() error {
	var errs []error
	if l.log != nil {
		errs = append(errs, l.log.Close())
		l.log = nil
	}
	if l.thumbs != nil {
		errs = append(errs, l.thumbs.Close())
	}
	if l.x != nil {
		errs = append(errs, l.x.Close())
	}
	if l.unlock != nil {
		errs = append(errs, l.unlock())
		l.unlock = nil
	}
	return errors.Join(errs...)
}
