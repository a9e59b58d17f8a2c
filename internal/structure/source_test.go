package structure

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// source is one Go file.
type source struct {
	file    string // relative to the root, with slashes
	name    string // of its package
	lines   int
	made    bool // by a generator
	imports []string
	syntax  *ast.File
}

func (s source) dir() string { return path.Dir(s.file) }

func (s source) isTest() bool { return strings.HasSuffix(s.file, "_test.go") }

// public tells whether importers of the module can import the file's package.
func (s source) public() bool {
	top, _, _ := strings.Cut(s.file, "/")
	return s.name != "main" && !strings.Contains("/"+s.file, "/internal/") && top != "examples" && top != "tools" && top != "cmd"
}

// position says where in the file's text something stands.
func (s source) position(at token.Pos) string {
	return fmt.Sprintf("%s:%d", s.file, positions.Position(at).Line)
}

var positions = token.NewFileSet()

// everything is all Go files, tests included, whatever their build tags and
// operating systems are, which go list would leave out.
var everything = sync.OnceValues(func() (all []source, err error) {
	root := os.DirFS(filepath.Join("..", ".."))
	err = fs.WalkDir(root, ".", func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(file)
		if e.IsDir() {
			if file != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata") {
				return fs.SkipDir
			}
			if _, err := fs.Stat(root, path.Join(file, "go.mod")); err == nil && file != "." {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		s, err := parse(file, string(text))
		all = append(all, s)
		return err
	})
	return all, err
})

func parse(file, text string) (source, error) {
	f, err := parser.ParseFile(positions, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	s := source{file: file, name: f.Name.Name, lines: strings.Count(text, "\n"),
		made: strings.HasPrefix(text, "// Code generated "), syntax: f}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return s, fmt.Errorf("%s: %w", file, err)
		}
		s.imports = append(s.imports, imported)
	}
	return s, nil
}

// sources are all files but the tests.
func sources(t *testing.T) []source {
	t.Helper()
	var kept []source
	for _, s := range sourcesAndTests(t) {
		if !s.isTest() {
			kept = append(kept, s)
		}
	}
	return kept
}

func sourcesAndTests(t *testing.T) []source {
	t.Helper()
	all, err := everything()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d Go files, want the whole module", len(all))
	}
	return all
}

// invented parses a file that is not there, for trying a rule on it.
func invented(t *testing.T, file, text string) source {
	t.Helper()
	s, err := parse(file, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
