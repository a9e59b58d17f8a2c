package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/journal"
)

// The tests write numbered states of a folder: three files, each of which says the
// number in its first line, and one more in even states only.
var stateFiles = []struct {
	name string
	size int
}{{"weights", 600_000}, {"config", 100}, {"tokens", 5000}}

const evenFile = "even"

// put makes a state.
func put(state int) func(s *journal.Stage) error {
	return func(s *journal.Stage) error {
		content := func(size int) func(w io.Writer) error {
			return func(w io.Writer) error {
				line := strconv.Itoa(state) + "\n"
				_, err := io.WriteString(w, line+strings.Repeat("x", size))
				return err
			}
		}
		for _, f := range stateFiles {
			if err := s.Write(f.name, content(f.size)); err != nil {
				return err
			}
		}
		if state%2 == 0 {
			return s.Write(evenFile, content(1))
		}
		return s.Remove(evenFile)
	}
}

// errMixed is what read fails with when files of several states lie together.
var errMixed = errors.New("a mixture")

// read returns the state of a folder as a reader sees it, 0 where there is none.
func read(dir string) (state int, err error) {
	err = journal.Again(func() error {
		v := journal.Open(dir)
		defer v.Close()
		var e error
		state, e = readThrough(v)
		if c := v.Check(); c != nil {
			return c
		}
		return e
	})
	return state, err
}

func readThrough(v *journal.View) (int, error) {
	states := map[int]int{}
	missing := 0
	for _, f := range stateFiles {
		text, err := fs.ReadFile(v, f.name)
		if errors.Is(err, fs.ErrNotExist) {
			missing++
			continue
		}
		if err != nil {
			return 0, err
		}
		n, err := number(text, f.size)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", f.name, err)
		}
		states[n]++
	}
	even := v.Exists(evenFile)
	if missing == len(stateFiles) && !even {
		return 0, nil
	}
	for n := range states {
		if missing == 0 && len(states) == 1 && even == (n%2 == 0) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: states %v, %d files missing, even %v", errMixed, states, missing, even)
}

// number returns the state of a file and fails unless it is whole.
func number(text []byte, size int) (int, error) {
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	if len(rest) != size {
		return 0, fmt.Errorf("%w: %d bytes after the first line, want %d", errMixed, len(rest), size)
	}
	return strconv.Atoi(string(line))
}

// wantState fails unless a reader sees one of the states.
func wantState(t *testing.T, dir string, want ...int) int {
	t.Helper()
	got, err := read(dir)
	if err != nil {
		t.Fatalf("reading: %v\nin the folder: %q", err, names(t, dir))
	}
	for _, w := range want {
		if got == w {
			return got
		}
	}
	t.Fatalf("a reader sees state %d, want one of %v\nin the folder: %q", got, want, names(t, dir))
	return 0
}

// wantPlain fails unless the folder holds the plain files of a state and nothing else.
func wantPlain(t *testing.T, dir string, state int) {
	t.Helper()
	wantState(t, dir, state)
	want := map[string]bool{}
	for _, f := range stateFiles {
		want[f.name] = true
		text, err := os.ReadFile(filepath.Join(dir, f.name))
		check(t, err)
		if n, err := number(text, f.size); err != nil || n != state {
			t.Errorf("%s is of state %d, %v, want %d", f.name, n, err, state)
		}
	}
	if state%2 == 0 {
		want[evenFile] = true
	}
	for _, name := range names(t, dir) {
		if !want[name] {
			t.Errorf("%s is left in the folder", name)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
}

// names lists all below a folder.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	check(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		if path != "." {
			all = append(all, path)
		}
		return err
	}))
	return all
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
