package journal

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Options change how a folder is written. Nil means the zero value.
type Options struct {
	// Wait is how long other writers are waited for; zero means ten minutes.
	Wait time.Duration

	disk disk
}

// Stage is the new state of a folder while it is made.
type Stage struct {
	dir    string // final
	name   string // of the hidden folder in it, which is made with the first file
	made   bool
	disk   disk
	record record
}

// Write makes a folder if need be, lets put make its new state, and changes all files
// at once: see the package's documentation. An error, of put say, leaves the folder as
// it was. Files that put does not name stay as they are. First Write brings to an end
// what killed processes left behind, and a put that does nothing is for that alone.
func Write(dir string, opts *Options, put func(s *Stage) error) (err error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	lockPath := filepath.Join(dir, writeLock)
	lock, err := waitLock(lockPath, cmp.Or(o.Wait, 10*time.Minute))
	if err != nil {
		return fmt.Errorf("journal: %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, unlock(lock, lockPath)) }()
	left, err := forward(o.disk, dir)
	if err != nil {
		return fmt.Errorf("journal: finishing an earlier change: %w", err)
	}
	if lock != nil { // what else is there is nobody's
		if err := sweep(o.disk, dir, left); err != nil {
			return fmt.Errorf("journal: removing what a killed process left: %w", err)
		}
	}
	s := &Stage{dir: dir, name: fmt.Sprintf("%s%016x", StagePrefix, rand.Uint64()), disk: o.disk}
	committed := false
	defer func() {
		if !committed && s.made {
			err = errors.Join(err, o.disk.removeAll(s.path()))
		}
	}()
	if err := put(s); err != nil || len(s.record.Files) == 0 {
		return err
	}
	if err := s.commit(left); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	committed = true
	left, err = forward(o.disk, dir)
	if err == nil && !left.uses(s.name) {
		err = ignoreInUse(o.disk.removeAll(s.path())) // it is still there if no file was in it
	}
	if err != nil {
		return fmt.Errorf("journal: the change is made, but not all files have their final names: %w", err)
	}
	return nil
}

func (s *Stage) path() string { return filepath.Join(s.dir, s.name) }

func (s *Stage) make() error {
	if s.made {
		return nil
	}
	s.made = true
	return s.disk.mkdir(s.path())
}

// Before returns a view of the folder as it is. No other writer changes it meanwhile.
func (s *Stage) Before() *View { return Open(s.dir) }

// Write makes a file of the new state from what write writes. Files get their final
// names in the order in which they were made here. It returns the finished file, by
// which [os.SameFile] knows it again under its final name.
func (s *Stage) Write(name string, write func(w io.Writer) error) (fs.FileInfo, error) {
	if err := s.add(entry{name, s.name}); err != nil {
		return nil, err
	}
	if info, err := os.Stat(filepath.Join(s.dir, name)); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("journal: %s: there is something else than a regular file", name)
	}
	if err := s.make(); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return s.write(name, write)
}

func (s *Stage) write(name string, write func(w io.Writer) error) (fs.FileInfo, error) {
	f, err := s.disk.create(filepath.Join(s.path(), name))
	if err != nil {
		return nil, err
	}
	err = f.sync(buffered(f, write))
	info, e := f.f.Stat()
	return info, f.close(errors.Join(err, e))
}

// Collect lets write fill an empty folder, within the hidden one, and returns the contents
// of the files there by their names. Nothing of it is part of the new state.
func (s *Stage) Collect(write func(dir string) error) (files map[string][]byte, err error) {
	if err := s.make(); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	dir := filepath.Join(s.path(), ".collected") // which is no name of a file of a new state
	if err := s.disk.mkdir(dir); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, s.disk.removeAll(dir)) }()
	if err := write(dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	files = make(map[string][]byte, len(entries))
	for _, e := range entries {
		if !e.Type().IsRegular() {
			return nil, fmt.Errorf("journal: %s is not a regular file", e.Name())
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
	}
	return files, nil
}

// Remove says that the new state has no file of that name, whether there is one now
// or not.
func (s *Stage) Remove(name string) error { return s.add(entry{Name: name}) }

func (s *Stage) add(e entry) error {
	if err := checkName(e.Name); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if _, there := s.record.find(e.Name); there {
		return fmt.Errorf("journal: file %q is there twice", e.Name)
	}
	s.record.Files = append(s.record.Files, e)
	return nil
}

// commit makes the change. Of an earlier one that could not be brought to its end it
// keeps what it does not replace.
func (s *Stage) commit(left *record) error {
	s.record.Format = format
	for _, e := range left.Files {
		if _, replaced := s.record.find(e.Name); !replaced {
			s.record.Files = append(s.record.Files, e)
		}
	}
	text, err := json.Marshal(s.record)
	if err != nil {
		return err
	}
	if err := s.make(); err != nil {
		return err
	}
	if _, err := s.write(Name, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return err
	}
	s.disk.syncDir(s.path())
	if err := s.disk.rename(filepath.Join(s.path(), Name), filepath.Join(s.dir, Name)); err != nil {
		return err
	}
	s.disk.syncDir(s.dir)
	return nil
}

// forward gives the files that the journal lists their final names and removes the
// journal. It returns what remains of it where a file is in use, and then moves no
// further one: programs that know no journal shall see one state for as long as
// possible.
func forward(d disk, dir string) (left *record, err error) {
	r, err := readRecord(dir)
	if err != nil || len(r.Files) == 0 {
		return r, err
	}
	for _, e := range r.Files {
		final := filepath.Join(dir, e.Name)
		if e.Stage == "" {
			err = d.remove(final)
		} else if err = isFolder(filepath.Join(dir, e.Stage)); err == nil {
			err = d.rename(filepath.Join(dir, e.Stage, e.Name), final)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // it has its name already
		case inUse(err) || errors.Is(err, errHeld):
			return r, nil
		case err != nil:
			return r, err
		}
	}
	d.syncDir(dir)
	if err := d.remove(filepath.Join(dir, Name)); err != nil {
		return r, ignoreInUse(err)
	}
	for _, e := range r.Files {
		if e.Stage != "" {
			if err := d.removeAll(filepath.Join(dir, e.Stage)); err != nil {
				return &record{}, ignoreInUse(err)
			}
		}
	}
	return &record{}, nil
}

// isFolder refuses a link to a folder elsewhere, which a journal from elsewhere might
// lead to.
func isFolder(path string) error {
	info, err := os.Lstat(path)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", path)
	}
	return err
}

// Names of what a killed process leaves behind: temporary files of [WriteFile], and
// folders that earlier versions wrote to.
var (
	tempName = regexp.MustCompile(`^\..+\.[0-9a-f]{16}\.tmp$`)
	oldStage = regexp.MustCompile(`^\.save-\d+$`)
)

// sweep removes what killed processes left in a folder, whose lock the caller holds,
// but nothing that the journal lists or that a process still writes.
func sweep(d disk, dir string, journal *record) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		path := filepath.Join(dir, name)
		switch {
		case e.IsDir() && (stageName.MatchString(name) && !journal.uses(name) || oldStage.MatchString(name)):
			err = d.removeAll(path)
		case e.Type().IsRegular() && tempName.MatchString(name):
			err = removeUnlocked(d, path)
		default:
			continue
		}
		if err := ignoreInUse(err); err != nil {
			return err
		}
	}
	return nil
}

// buffered hands write a buffer before w.
func buffered(w io.Writer, write func(w io.Writer) error) error {
	b := bufio.NewWriterSize(w, 1<<18)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}
