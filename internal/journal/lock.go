package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrLocked is what [Lock] fails with while another holds the lock.
var ErrLocked = errors.New("in use")

// errBusy is what tryLock fails with while another holds the lock. Any other error
// means that nothing can be locked here.
var errBusy = errors.New("locked")

// Lock locks a folder, which it makes if need be, for something that writes to it
// for long, such as a training. It does not keep anybody from reading or from
// [Write]. While it is locked, by this process or another, Lock fails with an error
// that wraps [ErrLocked] and names the folder and the process. The lock ends with
// release or with the process. A folder that this process may not write to is not
// locked, which is no error here.
func Lock(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("journal: lock: %w", err)
	}
	path := filepath.Join(dir, runLock)
	f, err := lockFile(path)
	if errors.Is(err, errBusy) {
		return nil, fmt.Errorf("journal: %s is %w%s", dir, ErrLocked, holder(path))
	}
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("journal: lock: %w", err)
	}
	return func() error { return unlock(f, path) }, nil
}

// LockFile is [Lock] of one file instead of a folder, by a file beside it.
func LockFile(path string) (release func() error, err error) {
	beside := path + ".lock"
	f, err := lockFile(beside)
	if errors.Is(err, errBusy) {
		return nil, fmt.Errorf("journal: %s is %w%s", path, ErrLocked, holder(beside))
	}
	if err != nil {
		return nil, fmt.Errorf("journal: lock: %w", err)
	}
	return func() error { return unlock(f, beside) }, nil
}

// holder says which process holds a lock, if that is known.
func holder(path string) string {
	f, err := openShared(path, os.O_RDONLY)
	if err != nil {
		return ""
	}
	defer f.Close()
	text := make([]byte, 20)
	n, _ := f.ReadAt(text, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(": process %d writes there", pid)
}

// lockFile makes a file and locks it, or fails with errBusy. Where nothing can be
// locked the file is nil.
func lockFile(path string) (*os.File, error) {
	for attempt := 0; ; attempt++ {
		f, err := openShared(path, os.O_RDWR|os.O_CREATE)
		if err != nil {
			if inUse(err) && attempt < 20 { // its last holder may be removing it
				time.Sleep(5 * time.Millisecond)
				continue
			}
			return nil, err
		}
		err = tryLock(f)
		if err == nil {
			// Its last holder may have removed the file between the two calls, and a
			// third may have locked a new one.
			if isAt(f, path) {
				// The number is for people; the lock counts without it.
				_ = f.Truncate(0)
				_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
				return f, nil
			}
			_ = f.Close()
			continue
		}
		_ = f.Close()
		if errors.Is(err, errBusy) {
			return nil, err
		}
		// Nothing was locked, so nobody misses the file.
		return nil, ignore(os.Remove(path), fs.ErrNotExist)
	}
}

// unlock removes the file before it ends the lock: nobody can lock it in between.
func unlock(f *os.File, path string) error {
	if f == nil {
		return nil
	}
	return errors.Join(ignoreInUse(ignore(os.Remove(path), fs.ErrNotExist)), f.Close())
}

// isAt reports whether f is the file at path.
func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	g, err := openShared(path, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer g.Close()
	other, err := g.Stat()
	return err == nil && os.SameFile(mine, other)
}

// waitLock locks the file at path, when those who hold it before have done. The
// file is nil where nothing can be locked.
func waitLock(path string, limit time.Duration) (*os.File, error) {
	pause := time.Millisecond
	for end := time.Now().Add(limit); ; {
		f, err := lockFile(path)
		if !errors.Is(err, errBusy) {
			return f, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%w for %v%s", ErrLocked, limit, holder(path))
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// ignoreInUse returns err unless another program is to blame for it.
func ignoreInUse(err error) error {
	if inUse(err) {
		return nil
	}
	return err
}

// ignore returns err unless it is the one that does not matter.
func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
