// Package output keeps what is the user's from being overwritten. Whatever writes a file
// or a folder that somebody named asks [Free] first.
package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Kind is what is written, and how older ones are known.
type Kind struct {
	Name   string // as in "an index"
	Folder bool
	Is     func(path string) bool // whether what is there, and not empty, is one
}

// ErrForeign says that something of another kind is where the output would go. It is
// never replaced. ErrExists says that one of its own kind is there, which is replaced
// only where that was asked for.
var (
	ErrForeign = errors.New("nothing of another kind is overwritten or written into")
	ErrExists  = errors.New("it is replaced only where that is asked for")
)

// Free is nil where an output of a kind may be written: nothing is there, or an empty
// folder, hidden files aside, for a folder, or, with replace, one of its kind.
func Free(path string, k Kind, replace bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case k.Folder && !info.IsDir():
		return fmt.Errorf("%s is no folder: %w", path, ErrForeign)
	case !k.Folder && !info.Mode().IsRegular():
		return fmt.Errorf("%s: there is something else than a regular file: %w", path, ErrForeign)
	}
	if k.Folder {
		empty, err := isEmpty(path)
		if err != nil || empty {
			return err
		}
	}
	switch {
	case !k.Is(path):
		return fmt.Errorf("%s exists and is not %s: %w", path, k.Name, ErrForeign)
	case !replace:
		return fmt.Errorf("%s exists, %s: %w", path, k.Name, ErrExists)
	}
	return nil
}

func isEmpty(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			return false, err
		}
	}
	return true, err
}

// Outside is an error where out is one of the folders of data or lies in one, however the
// paths are written. Data that is no folder is passed over.
func Outside(out string, data ...string) error {
	at, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	// Of what is not there yet, links cannot be followed.
	rest := ""
	for {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			at = real
			break
		}
		parent := filepath.Dir(at)
		if parent == at {
			break
		}
		rest, at = filepath.Join(filepath.Base(at), rest), parent
	}
	for _, d := range data {
		folder, err := os.Stat(d)
		if d == "" || err != nil || !folder.IsDir() {
			continue
		}
		for above := at; ; above = filepath.Dir(above) {
			if info, err := os.Stat(above); err == nil && os.SameFile(info, folder) {
				return fmt.Errorf("%s lies in %s, which is read, and what is written there would be taken for data: %w", out, d, ErrForeign)
			}
			if above == filepath.Dir(above) {
				break
			}
		}
	}
	return nil
}
