package journal

// Traced are options whose hook is told of every operation before it is done, and may
// make it fail.
func Traced(before func(operation, path string) error) *Options { return &Options{disk: disk{before}} }

// ErrHeld is an operation's error that stands for a file in use, which only Windows
// has.
var ErrHeld = errHeld

// ParseRecord reads a journal.
func ParseRecord(text []byte) error {
	_, err := parseRecord(text)
	return err
}

// WriteLock is the file that writers lock in turn.
const WriteLock = writeLock
