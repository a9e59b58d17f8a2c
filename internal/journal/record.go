package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Hidden names in a folder.
const (
	// Name is the file that lists what has been committed and may not be in its
	// final place yet.
	Name = ".goclip-journal"
	// StagePrefix begins the names of folders in which files are written.
	StagePrefix = ".goclip-save-"

	writeLock = ".goclip-write.lock"
	runLock   = ".goclip-run.lock"
)

const (
	format    = "goclip journal 1"
	maxRecord = 1 << 20 // a journal of ours has a few hundred bytes
)

var stageName = regexp.MustCompile(`^` + regexp.QuoteMeta(StagePrefix) + `[0-9a-f]{16}$`)

// record is what a journal says.
type record struct {
	Format string  `json:"format"`
	Files  []entry `json:"files"`
}

// entry is one file of the new state.
type entry struct {
	Name string `json:"name"`
	// Stage is the hidden folder in which the file is if it is not in its final
	// place; empty where there is no such file any more.
	Stage string `json:"stage,omitempty"`
}

// find returns the entry of a file, if the record has one.
func (r *record) find(name string) (entry, bool) {
	i := slices.IndexFunc(r.Files, func(e entry) bool { return e.Name == name })
	if i < 0 {
		return entry{}, false
	}
	return r.Files[i], true
}

// uses reports whether files of the record may lie in a stage.
func (r *record) uses(stage string) bool {
	return slices.ContainsFunc(r.Files, func(e entry) bool { return e.Stage == stage })
}

// readRecord reads the journal of a folder. One without any has an empty record.
func readRecord(dir string) (*record, error) {
	path := filepath.Join(dir, Name)
	info, err := os.Lstat(path) // before it is opened: on a pipe that would wait for a writer
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	var f *os.File
	if err == nil {
		f, err = openShared(path, os.O_RDONLY)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &record{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return nil, err
	}
	r, err := parseRecord(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return r, nil
}

// parseRecord trusts nothing: the folder may come from anywhere, and a writer
// renames what a journal names.
func parseRecord(text []byte) (*record, error) {
	if len(text) > maxRecord {
		return nil, fmt.Errorf("more than %d bytes", maxRecord)
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	if r.Format != format {
		return nil, fmt.Errorf("format %.60q, want %q", r.Format, format)
	}
	seen := map[string]bool{}
	for _, e := range r.Files {
		if err := checkName(e.Name); err != nil {
			return nil, err
		}
		if seen[e.Name] {
			return nil, fmt.Errorf("file %q is there twice", e.Name)
		}
		seen[e.Name] = true
		if e.Stage != "" && !stageName.MatchString(e.Stage) {
			return nil, fmt.Errorf("file %q: stage %.60q is not a folder of ours", e.Name, e.Stage)
		}
	}
	return &r, nil
}

// checkName refuses what is not the plain name of a file on every system, and our own
// hidden names.
func checkName(name string) error {
	if name == "" || name != filepath.Base(name) || !filepath.IsLocal(name) || strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".goclip-") {
		return fmt.Errorf("file %.60q is not the plain name of a file", name)
	}
	return nil
}
