package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// disk is the file system. A test stops the process before any of its operations, or
// makes one fail.
type disk struct {
	before func(operation, path string) error // nil for nothing
}

// errHeld is how a test says that a file is in use.
var errHeld = errors.New("in use by another program")

func (d disk) do(operation, path string) error {
	if d.before == nil {
		return nil
	}
	return d.before(operation, path)
}

func (d disk) mkdir(path string) error {
	if err := d.do("mkdir", path); err != nil {
		return err
	}
	return os.Mkdir(path, 0o777)
}

// rename replaces what is at to. On Windows a program that reads all new files, such
// as a scanner, may be in the way for a moment.
func (d disk) rename(from, to string) error {
	if err := d.do("rename", to); err != nil {
		return err
	}
	err := os.Rename(from, to)
	for pause := 10 * time.Millisecond; inUse(err) && pause < time.Second; pause *= 2 {
		time.Sleep(pause)
		err = os.Rename(from, to)
	}
	return err
}

// remove does not mind if there is nothing to remove.
func (d disk) remove(path string) error {
	if err := d.do("remove", path); err != nil {
		return err
	}
	err := os.Remove(path)
	for pause := 10 * time.Millisecond; inUse(err) && pause < time.Second; pause *= 2 {
		time.Sleep(pause)
		err = os.Remove(path)
	}
	return ignore(err, fs.ErrNotExist)
}

// removeAll removes a folder of ours, which has no folders in it.
func (d disk) removeAll(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return ignore(err, fs.ErrNotExist)
	}
	for _, e := range entries {
		if err := d.remove(filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	return d.remove(path)
}

// syncDir makes what was renamed in a folder survive a loss of power. Not every
// system can, and for readers nothing depends on it, so a failure is not reported.
func (d disk) syncDir(path string) {
	if d.do("sync", path) != nil {
		return
	}
	if f, err := os.Open(path); err == nil {
		_ = f.Sync()
		_ = f.Close()
	}
}

// file is a new file that is being written.
type file struct {
	d disk
	f *os.File
}

// create makes a file where there is none.
func (d disk) create(path string) (file, error) {
	if err := d.do("create", path); err != nil {
		return file{}, err
	}
	f, err := openShared(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	return file{d, f}, err
}

func (f file) Write(b []byte) (int, error) {
	if err := f.d.do("write", f.f.Name()); err != nil {
		return 0, err
	}
	return f.f.Write(b)
}

// sync ends the writing, which failed with err or did not.
func (f file) sync(err error) error {
	if err != nil {
		return err
	}
	if err := f.d.do("sync", f.f.Name()); err != nil {
		return err
	}
	return f.f.Sync()
}

// close closes the file, whatever err is.
func (f file) close(err error) error { return errors.Join(err, f.f.Close()) }
