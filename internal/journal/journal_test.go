package journal_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/journal"
)

// TestErrorChangesNothing: what put refuses, or panics over, leaves the old state.
func TestErrorChangesNothing(t *testing.T) {
	dir := t.TempDir()
	check(t, journal.Write(dir, nil, put(1)))
	wrong := errors.New("wrong")
	err := journal.Write(dir, nil, func(s *journal.Stage) error { return errors.Join(put(2)(s), wrong) })
	if !errors.Is(err, wrong) {
		t.Errorf("error %v, want put's own", err)
	}
	wantPlain(t, dir, 1)
	err = journal.Write(dir, nil, func(s *journal.Stage) error {
		return s.Write("config", func(w io.Writer) error { return wrong })
	})
	if !errors.Is(err, wrong) {
		t.Errorf("error %v, want the file's own", err)
	}
	wantPlain(t, dir, 1)
	func() {
		defer func() { _ = recover() }()
		_ = journal.Write(dir, nil, func(s *journal.Stage) error { panic(put(2)(s)) })
	}()
	wantPlain(t, dir, 1)
}

// TestStageRefuses names that lead elsewhere or that are taken.
func TestStageRefuses(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "folder"), 0o777))
	nothing := func(io.Writer) error { return nil }
	err := journal.Write(dir, nil, func(s *journal.Stage) error {
		for _, name := range []string{"", ".", "..", "../x", "a/b", `a\b`, "c:d", "/x", journal.Name, ".goclip-save-0123456789abcdef", "folder"} {
			if err := s.Write(name, nothing); err == nil {
				t.Errorf("%q was taken", name)
			}
		}
		check(t, s.Write("twice", nothing))
		if err := s.Remove("twice"); err == nil {
			t.Error("one name was taken twice")
		}
		return errors.New("done")
	})
	if err == nil || !slices.Equal(names(t, dir), []string{"folder"}) {
		t.Errorf("%v; left: %q", err, names(t, dir))
	}
}

// TestLeftovers: a write removes what killed processes left, and nothing else.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	check(t, journal.Write(dir, nil, put(1)))
	c := start(t, dir, "file")
	c.begun(t)
	alive := temporaryFiles(t, dir)
	if len(alive) != 1 {
		t.Fatalf("a process writes %q, want one file", alive)
	}
	for _, name := range []string{".model.safetensors.0123456789abcdef.tmp", ".save-123456/config.json",
		".goclip-save-0123456789abcdef/config.json", journal.WriteLock} {
		file(t, dir, name, "left")
	}
	kept := []string{".gitignore", "notes.tmp", ".x.tmp", ".save-me", ".file.0123.tmp", "checkpoints/.a.0123456789abcdef.tmp"}
	for _, name := range kept {
		file(t, dir, name, "kept")
	}
	check(t, journal.Write(dir, nil, put(2)))
	want := append(slices.Clone(kept), alive[0], "checkpoints")
	for _, name := range names(t, dir) {
		known := slices.Contains(want, name) || name == evenFile || slices.ContainsFunc(stateFiles, func(f struct {
			name string
			size int
		}) bool {
			return f.name == name
		})
		if !known {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range want {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s was removed", name)
		}
	}
	c.killed(t)
	check(t, journal.WriteFile(filepath.Join(dir, "file"), func(io.Writer) error { return nil }))
	if left := temporaryFiles(t, dir); left != nil {
		t.Errorf("left: %q", left)
	}
	file(t, dir, ".b.0123456789abcdef.tmp", "left")
	check(t, journal.Sweep(dir))
	check(t, journal.Sweep(filepath.Join(dir, "nowhere")))
	for _, name := range kept {
		check(t, os.RemoveAll(filepath.Join(dir, name)))
	}
	check(t, os.Remove(filepath.Join(dir, "checkpoints")))
	check(t, os.Remove(filepath.Join(dir, "file")))
	wantPlain(t, dir, 2)
}

func file(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	check(t, os.MkdirAll(filepath.Dir(path), 0o777))
	check(t, os.WriteFile(path, []byte(text), 0o666))
}

func temporaryFiles(t *testing.T, dir string) (found []string) {
	t.Helper()
	for _, name := range names(t, dir) {
		if strings.HasPrefix(name, ".file.") && len(name) == len(".file..tmp")+16 {
			found = append(found, name)
		}
	}
	return found
}

// TestWriteFile replaces a file as a whole, or not.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write := func(text string, err error) error {
		return journal.WriteFile(path, func(w io.Writer) error {
			_, e := io.WriteString(w, text)
			return errors.Join(e, err)
		})
	}
	check(t, journal.Probe(path))
	check(t, write("one", nil))
	if err := write("two", errors.New("no")); err == nil {
		t.Error("an error was lost")
	}
	text, err := os.ReadFile(path)
	check(t, err)
	if string(text) != "one" || len(names(t, dir)) != 1 {
		t.Errorf("got %q in %q", text, names(t, dir))
	}
	check(t, write("two", nil))
	if text, _ := os.ReadFile(path); string(text) != "two" {
		t.Errorf("got %q", text)
	}
	for _, bad := range []string{dir, filepath.Join(dir, "nowhere", "file")} {
		if journal.Probe(bad) == nil || journal.WriteFile(bad, func(io.Writer) error { return nil }) == nil {
			t.Errorf("%s was written", bad)
		}
	}
}

// TestReadersWriteNothing: a view of a plain folder, and of one whose writer was
// killed after the commit, changes neither.
func TestReadersWriteNothing(t *testing.T) {
	dir := t.TempDir()
	check(t, journal.Write(dir, nil, put(1)))
	committed := t.TempDir()
	check(t, journal.Write(committed, nil, put(1)))
	func() {
		defer func() { _ = recover() }()
		_ = journal.Write(committed, journal.Traced(func(operation, path string) error {
			if operation == "rename" && filepath.Base(path) == stateFiles[0].name {
				panic("stop")
			}
			return nil
		}), put(2))
	}()
	for dir, state := range map[string]int{dir: 1, committed: 2} {
		before := names(t, dir)
		info, err := os.Stat(dir)
		check(t, err)
		wantState(t, dir, state)
		after, err := os.Stat(dir)
		check(t, err)
		if !reflect.DeepEqual(before, names(t, dir)) || !info.ModTime().Equal(after.ModTime()) {
			t.Errorf("the folder has changed: %q, before %q", names(t, dir), before)
		}
	}
	if _, err := os.Stat(filepath.Join(committed, journal.Name)); err != nil {
		t.Errorf("no journal in %q: the test shows nothing", names(t, committed))
	}
}

// TestFileInUse: where a file cannot be replaced readers see the new state all the
// same, programs that know no journal the whole old one, and a later write, of a part
// of the files even, brings all to its end.
func TestFileInUse(t *testing.T) {
	dir := t.TempDir()
	check(t, journal.Write(dir, nil, put(1)))
	held := journal.Traced(func(operation, path string) error {
		if operation == "rename" && path == filepath.Join(dir, "weights") {
			return journal.ErrHeld
		}
		return nil
	})
	check(t, journal.Write(dir, held, put(2)))
	wantState(t, dir, 2)
	for _, f := range stateFiles {
		text, err := os.ReadFile(filepath.Join(dir, f.name))
		check(t, err)
		if n, err := number(text, f.size); n != 1 {
			t.Errorf("%s is of state %d, %v, want the old one", f.name, n, err)
		}
	}
	check(t, journal.Write(dir, held, put(3)))
	wantState(t, dir, 3)
	check(t, journal.Write(dir, held, func(s *journal.Stage) error {
		return s.Write("other", func(w io.Writer) error { _, err := io.WriteString(w, "more"); return err })
	}))
	wantState(t, dir, 3)
	v := journal.Open(dir)
	if more, err := fs.ReadFile(v, "other"); string(more) != "more" {
		t.Errorf("got %q, %v", more, err)
	}
	check(t, v.Close())
	check(t, journal.Write(dir, nil, func(s *journal.Stage) error { return s.Remove("other") }))
	wantPlain(t, dir, 3)
}

// TestView: what was found is checked, also that there was nothing.
func TestView(t *testing.T) {
	dir := t.TempDir()
	check(t, journal.Write(dir, nil, put(1)))
	for what, c := range map[string]struct {
		find   func(v *journal.View)
		change func()
		want   bool
	}{
		"nothing":   {func(v *journal.View) {}, func() { check(t, journal.Write(dir, nil, put(3))) }, false},
		"file":      {func(v *journal.View) { v.Exists("config") }, func() { check(t, journal.Write(dir, nil, put(5))) }, true},
		"absence":   {func(v *journal.View) { v.Exists(evenFile) }, func() { check(t, journal.Write(dir, nil, put(6))) }, true},
		"removal":   {func(v *journal.View) { v.Exists(evenFile) }, func() { check(t, journal.Write(dir, nil, put(7))) }, true},
		"other":     {func(v *journal.View) { v.Exists("config") }, func() { file(t, dir, "log", "line") }, false},
		"by hand":   {func(v *journal.View) { v.Exists("log") }, func() { file(t, dir, "log", "longer") }, true},
		"no change": {func(v *journal.View) { v.Exists("config") }, func() {}, false},
	} {
		if what == "removal" {
			check(t, journal.Write(dir, nil, put(8)))
		}
		if what == "by hand" {
			file(t, dir, "log", "line")
		}
		if what == "absence" {
			check(t, journal.Write(dir, nil, put(9)))
		}
		v := journal.Open(dir)
		c.find(v)
		c.change()
		if err := v.Check(); errors.Is(err, journal.ErrChanged) != c.want || err != nil && !c.want {
			t.Errorf("%s: error %v, want ErrChanged: %v", what, err, c.want)
		}
		if _, err := v.Open("config"); errors.Is(err, journal.ErrChanged) != c.want {
			t.Errorf("%s: opening gives %v, want ErrChanged: %v", what, err, c.want)
		}
		check(t, v.Close())
		check(t, v.Check())
	}
	if _, err := journal.Open(dir).Open("nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
}

// TestAgainGivesUp: a writer that is always in the way is an error which says so, and
// which an outer Again takes as final.
func TestAgainGivesUp(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	n := 0
	err := journal.Again(func() error { n++; return fmt.Errorf("x: %w", journal.ErrChanged) })
	if n != 100 || errors.Is(err, journal.ErrChanged) || err == nil || !strings.Contains(err.Error(), "a writer keeps changing it") {
		t.Errorf("after %d: %v", n, err)
	}
}

// TestRecordRefuses: a journal comes with a folder from anywhere.
func TestRecordRefuses(t *testing.T) {
	const stage = `.goclip-save-0123456789abcdef`
	for _, c := range []struct{ text, want string }{
		{`{"format":"goclip journal 1","files":[{"name":"a","stage":"` + stage + `"},{"name":"b"}]}`, ""},
		{`{"format":"goclip journal 2"}`, "format"},
		{`{`, "JSON"},
		{`{"format":"goclip journal 1","files":[{"name":"../a"}]}`, "plain name"},
		{`{"format":"goclip journal 1","files":[{"name":"a","stage":".."}]}`, "folder of ours"},
		{`{"format":"goclip journal 1","files":[{"name":"a","stage":"/tmp"}]}`, "folder of ours"},
		{`{"format":"goclip journal 1","files":[{"name":"a"},{"name":"a"}]}`, "twice"},
		{strings.Repeat(" ", 1<<20+1), "bytes"},
	} {
		err := journal.ParseRecord([]byte(c.text))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: error %v, want %q", c.text, err, c.want)
		}
	}
	dir, elsewhere := t.TempDir(), t.TempDir()
	file(t, elsewhere, "a", "secret")
	file(t, dir, journal.Name, `{"format":"goclip journal 1","files":[{"name":"a","stage":"`+stage+`"}]}`)
	if err := os.Symlink(elsewhere, filepath.Join(dir, stage)); err != nil {
		t.Skip(err)
	}
	if journal.Open(dir).Exists("a") {
		t.Error("a reader follows a link to another folder")
	}
	if err := journal.Write(dir, nil, put(1)); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Errorf("error %v, want a link refused", err)
	}
	if got := names(t, elsewhere); len(got) != 1 {
		t.Errorf("left elsewhere: %q", got)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"format":"goclip journal 1","files":[{"name":"a","stage":".goclip-save-0123456789abcdef"},{"name":"b"}]}`))
	f.Add([]byte(`{"format":"goclip journal 1","files":[{"name":"../a","stage":"/"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) { _ = journal.ParseRecord(text) })
}
