package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrChanged is what reading fails with when a writer changed the folder meanwhile:
// see [Again].
var ErrChanged = errors.New("the files were replaced while they were read")

// View is a folder as a reader sees it. What was found through it is of one state of
// the folder if [View.Check] says so afterwards. Its methods may be called from several
// goroutines at once.
//
// It holds each file it has found open until Close, so that no other file can be taken
// for it. Each write makes new files; if all names still lead to the files that they
// led to at first, they led to them together at the moment in between.
type View struct {
	dir   string
	mu    sync.Mutex
	found map[string]place // nil after Close
}

// place is what a name leads to.
type place struct {
	path string
	info fs.FileInfo // nil where there is no such file
	hold *os.File    // nil where it cannot be opened, or is something else than a file
}

// Open opens a view of a folder. It reads nothing yet.
func Open(dir string) *View { return &View{dir: dir, found: map[string]place{}} }

// Dir returns the folder.
func (v *View) Dir() string { return v.dir }

// Path returns where a file lies, and fails with [fs.ErrNotExist] where there is none.
func (v *View) Path(name string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p, known := v.found[name]
	if !known {
		var err error
		if p, err = lookUp(v.dir, name); err != nil {
			return "", err
		}
		if v.found == nil {
			p.release()
		} else {
			v.found[name] = p
		}
	}
	if p.info == nil {
		return "", &fs.PathError{Op: "open", Path: p.path, Err: fs.ErrNotExist}
	}
	return p.path, nil
}

// Exists reports whether there is a file of that name, or a folder.
func (v *View) Exists(name string) bool {
	_, err := v.Path(name)
	return err == nil
}

// Open opens a file to read, and fails with [ErrChanged] where it is not of one state
// with all that was found before. With it a View is an [fs.FS].
func (v *View) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) || name == "." || strings.Contains(name, "/") {
		return os.DirFS(v.dir).Open(name)
	}
	path, err := v.Path(name)
	if err != nil {
		if e := v.Check(); e != nil {
			err = e
		}
		return nil, err
	}
	f, err := openShared(path, os.O_RDONLY)
	if e := v.Check(); e != nil {
		if err == nil {
			_ = f.Close()
		}
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Check fails with [ErrChanged] unless all that was found in the folder is still
// there, in its place.
func (v *View) Check() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, p := range v.found {
		now, err := lookUp(v.dir, name)
		if err != nil {
			return err
		}
		same := p.same(now)
		now.release()
		if !same {
			return fmt.Errorf("%w: %s", ErrChanged, filepath.Join(v.dir, name))
		}
	}
	return nil
}

// Close releases the files. A View may be used further, without memory of what was
// found before.
func (v *View) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.found {
		p.release()
	}
	v.found = nil
	return nil
}

// lookUp finds a file of the folder: where the journal says or in its final place.
func lookUp(dir, name string) (place, error) {
	r, err := readRecord(dir)
	if err != nil {
		return place{}, err
	}
	final := filepath.Join(dir, name)
	if e, listed := r.find(name); listed {
		if e.Stage == "" {
			return place{path: final}, nil
		}
		if isFolder(filepath.Join(dir, e.Stage)) == nil {
			if p, err := hold(filepath.Join(dir, e.Stage, name)); err != nil || p.info != nil {
				return p, err
			}
		}
		// It is not there any more, so it has got its final name.
	}
	return hold(final)
}

// hold describes a file and keeps it open.
func hold(path string) (place, error) {
	info, err := os.Stat(path) // before it is opened: on a pipe that would wait for a writer
	if errors.Is(err, fs.ErrNotExist) {
		return place{path: path}, nil
	}
	if err != nil {
		return place{}, err
	}
	if !info.Mode().IsRegular() {
		return place{path, info, nil}, nil
	}
	f, err := openShared(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return place{path: path}, nil // it is being replaced, or moved
	}
	if err != nil {
		return place{path, info, nil}, nil // whoever reads it will see why
	}
	if info, err = f.Stat(); err != nil {
		return place{}, errors.Join(err, f.Close())
	}
	return place{path, info, f}, nil
}

func (p place) release() {
	if p.hold != nil {
		_ = p.hold.Close()
	}
}

// same reports whether p and q are one file in one place.
func (p place) same(q place) bool {
	if p.info == nil || q.info == nil {
		return p.info == nil && q.info == nil
	}
	return p.path == q.path && os.SameFile(p.info, q.info) && p.info.Size() == q.info.Size() && p.info.ModTime().Equal(q.info.ModTime())
}

// attempts of [Again], which last some five seconds altogether.
const attempts = 100

// Again calls read until it fails with something else than [ErrChanged], or not at
// all. It gives up where a writer is in the way each time.
func Again(read func() error) error {
	pause := time.Millisecond
	for i := 1; ; i++ {
		err := read()
		if !errors.Is(err, ErrChanged) {
			return err
		}
		if i == attempts {
			return fmt.Errorf("read %d times, and a writer keeps changing it: %v", i, err)
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}
