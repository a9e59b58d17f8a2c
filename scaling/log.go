package scaling

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Log is a file of records, one JSON object a line, to which finished runs are
// added. Its methods may be called from several goroutines.
type Log struct {
	mu      sync.Mutex
	file    *os.File
	records []Record
	index   map[Run]int
}

// OpenLog opens a log, or begins one where there is no such file. A last line
// without an end, left by a program that was killed while it wrote, is cut off.
func OpenLog(path string) (*Log, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("scaling: %s is not a regular file", path) // a pipe would wait for a writer
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, fmt.Errorf("scaling: %w", err)
	}
	records, whole, err := ReadRecords(file)
	if first := make([]byte, 1); err == nil && whole == 0 {
		if n, _ := file.ReadAt(first, 0); n == 1 && first[0] != '{' {
			err = errors.New("scaling: it is no log of runs, and would be cut off")
		}
	}
	if err == nil {
		err = file.Truncate(whole)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	l := &Log{file: file, index: map[Run]int{}}
	for _, r := range records {
		l.add(r)
	}
	return l, nil
}

func (l *Log) add(r Record) {
	if _, known := l.index[r.Run]; !known {
		l.index[r.Run] = len(l.records)
		l.records = append(l.records, r)
	}
}

// Find returns the record of a run.
func (l *Log) Find(r Run) (Record, bool) {
	if l == nil {
		return Record{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := l.index[r]
	if !ok {
		return Record{}, false
	}
	return l.records[i], true
}

// Append adds a record. It is on the disk when Append returns; no other program
// sees a part of its line.
func (l *Log) Append(r Record) error {
	if l == nil || l.file == nil {
		return errors.New("scaling: the Log has no file, want one of OpenLog")
	}
	if err := r.Validate(); err != nil {
		return err
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("scaling: %w", err)
	}
	if len(line) >= maxLine {
		return fmt.Errorf("scaling: a record of %d bytes, want less than %d", len(line), maxLine)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.file.Write(append(line, '\n'))
	if err != nil {
		// Where the disk is full, say: no half line may stay before the next one.
		end, failed := l.file.Seek(0, io.SeekEnd)
		return fmt.Errorf("scaling: %w", errors.Join(err, failed, l.file.Truncate(end-int64(n))))
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("scaling: %w", err)
	}
	l.add(r)
	return nil
}

// Close closes the file. Without one it does nothing.
func (l *Log) Close() error {
	if l == nil || l.file == nil {
		return nil
	}
	return l.file.Close()
}
