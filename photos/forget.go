package photos

import (
	"errors"
	"fmt"

	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/journal"
)

// Forget takes entries out of a library, or out of any other index, and returns their keys. It
// needs no model, and a process that reads finds either state of the file. The photographs
// stay where they are: the next [Library.Update] of their folder takes them in again. An index
// that another process writes to is an error that wraps [ErrInUse].
func Forget(path string, gone func(index.Entry) bool) (keys []string, err error) {
	unlock, err := journal.LockFile(path)
	if err != nil {
		return nil, fmt.Errorf("photos: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	x, err := open(path, nil, index.Read)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	for e := range x.Entries() {
		if gone(e) {
			keys = append(keys, e.Key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	x.Delete(keys...)
	// What the journal said is in the file from now on, and the journal of another state.
	return keys, x.SaveWith(path, index.SaveOptions{Overwrite: true})
}
