package observe

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goclip/goclip/train"
)

// JSONLines is a [train.Observer] that writes each event as a line of JSON. In a
// resumed run the file is continued: events of steps after the checkpoint are
// removed first, so that the file is that of a run which was never interrupted.
type JSONLines struct {
	f       *os.File
	started bool
}

// OpenJSONLines opens the log at path, and creates it if it is missing.
func OpenJSONLines(path string) (*JSONLines, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("observe: %s is not a regular file", path) // a pipe would wait for a writer
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	return &JSONLines{f: f}, nil
}

// Observe implements [train.Observer].
func (l *JSONLines) Observe(e train.Event) error {
	if l == nil || l.f == nil {
		return errors.New("observe: the JSONLines has no file, want one of OpenJSONLines")
	}
	if !l.started {
		if err := l.rewind(e.Step); err != nil {
			return fmt.Errorf("observe: %s: %w", l.f.Name(), err)
		}
		l.started = true
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = l.f.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("observe: %s: %w", l.f.Name(), err)
	}
	return nil
}

// Close closes the file. Without one it does nothing.
func (l *JSONLines) Close() error {
	if l == nil || l.f == nil {
		return nil
	}
	return l.f.Close()
}

// unfinished is how a line begins that a killed process did not end.
const unfinished = `{"step":`

// rewind cuts the log off before the events of a step, and a line that a killed
// process left unfinished. A file that is no log is left as it is.
func (l *JSONLines) rewind(step int) error {
	r := bufio.NewReader(l.f)
	end := int64(0)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if n := len(unfinished); end == 0 && len(line) > 0 && string(line[:min(n, len(line))]) != unfinished[:min(n, len(line))] {
				return fmt.Errorf("it is no log of a training: %.60q", line)
			}
			break
		}
		if err != nil {
			return err
		}
		var e struct{ Step *int }
		if err := json.Unmarshal(line, &e); err != nil || e.Step == nil {
			return fmt.Errorf("line %d is not an event of a training: %.60q", n, line)
		}
		if *e.Step >= step {
			break
		}
		end += int64(len(line))
	}
	if err := l.f.Truncate(end); err != nil {
		return err
	}
	_, err := l.f.Seek(end, io.SeekStart)
	return err
}
