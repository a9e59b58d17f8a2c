package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// WriteFile gives the file at path the content that write writes, at once: at every
// moment it is what it was before or the complete new file, also after a crash. On an
// error the old file, if any, stays and nothing else is left behind. What a process
// left that was killed while it wrote this file is removed.
func WriteFile(path string, write func(w io.Writer) error) error {
	return writeFile(disk{}, path, write)
}

func writeFile(d disk, path string, write func(w io.Writer) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: there is something else than a regular file", path) // renaming would replace even a device
	}
	clean(d, path)
	f, err := temporary(d, path)
	if err != nil {
		return err
	}
	temp := f.f.Name()
	err = f.sync(buffered(f, write))
	if err == nil {
		err = d.rename(temp, path)
	}
	if err != nil {
		// Before it is closed, and its lock with it: as long as it is there it is ours.
		return errors.Join(err, d.remove(temp), f.f.Close())
	}
	d.syncDir(filepath.Dir(path))
	return f.f.Close()
}

// Probe tells before long work whether [WriteFile] could write a file.
func Probe(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: there is something else than a regular file", path)
	}
	f, err := temporary(disk{}, path)
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(f.f.Name()), f.f.Close())
}

// temporary makes a hidden file beside path, locked as a sign that its process lives.
func temporary(d disk, path string) (file, error) {
	for {
		dir, base := filepath.Split(path)
		f, err := d.create(filepath.Join(dir, fmt.Sprintf(".%s.%016x.tmp", base, rand.Uint64())))
		if err != nil {
			return file{}, err
		}
		// Another process may take it for a dead one's between the two calls.
		err = tryLock(f.f)
		if err == nil && !isAt(f.f, f.f.Name()) || errors.Is(err, errBusy) {
			_ = f.f.Close()
			continue
		}
		return f, nil
	}
}

// clean removes temporary files of path that nobody writes. It is no matter if it
// cannot.
func clean(d disk, path string) {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return
	}
	for _, e := range entries {
		rest, mine := strings.CutPrefix(e.Name(), "."+base+".")
		if mine && len(rest) == 16+len(".tmp") && tempName.MatchString(e.Name()) && e.Type().IsRegular() {
			_ = removeUnlocked(d, filepath.Join(dir, e.Name()))
		}
	}
}

// Sweep removes from a folder the temporary files of [WriteFile] that killed processes
// left, of whatever name.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignore(err, fs.ErrNotExist)
	}
	var errs []error
	for _, e := range entries {
		if e.Type().IsRegular() && tempName.MatchString(e.Name()) {
			errs = append(errs, removeUnlocked(disk{}, filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// removeUnlocked removes a temporary file unless its process lives, or nothing can be
// known of that.
func removeUnlocked(d disk, path string) error {
	f, err := openShared(path, os.O_RDWR)
	if err != nil {
		return ignoreInUse(ignore(err, fs.ErrNotExist))
	}
	defer f.Close()
	if tryLock(f) != nil {
		return nil
	}
	return ignoreInUse(d.remove(path))
}
