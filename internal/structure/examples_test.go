package structure

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestExamplesImportPublicPackages: a reader can write all that an example does. So
// it is with the examples in the packages' documentation, README.md's among them.
func TestExamplesImportPublicPackages(t *testing.T) {
	for _, s := range sourcesAndTests(t) {
		for _, imported := range s.imports {
			if example(s) && closed(imported) {
				t.Errorf("%s imports %s, which a reader cannot", s.file, imported)
			}
		}
		if !strings.HasPrefix(s.file, "examples/") && example(s) && !strings.HasSuffix(s.name, "_test") {
			t.Errorf("%s is in package %s, want %[2]s_test: a reader has its exported names only", s.file, s.name)
		}
	}
}

func TestClosedPackagesAreSeen(t *testing.T) {
	for _, c := range []struct {
		file, text string
		example    bool
	}{
		{"examples/draw/canvas.go", "package main", true},
		{"examples/draw/canvas_test.go", "package main", true},
		{"examples/internal/toy/toy.go", "package toy", true},
		{"encoder/example_test.go", "package encoder_test", true},
		{"encoder/example_search_test.go", "package encoder_test", true},
		{"encoder/examples.go", "package encoder", false},
		{"encoder/encoder_test.go", "package encoder", false},
		{"cmd/goclip/main.go", "package main", false},
	} {
		if got := example(invented(t, c.file, c.text)); got != c.example {
			t.Errorf("%s is an example: %t, want %t", c.file, got, c.example)
		}
	}
	for imported, want := range map[string]bool{
		module + "/internal/kernel": true, module + "/examples/internal/toy": false, module + "/encoder": false,
		module + "/dataset/internal/shard": true, "image": false, "golang.org/x/image/draw": false,
	} {
		if got := closed(imported); got != want {
			t.Errorf("%s is closed to a reader: %t, want %t", imported, got, want)
		}
	}
}

// example tells whether a file shows how the module is used.
func example(s source) bool {
	return strings.HasPrefix(s.file, "examples/") || s.isTest() && strings.HasPrefix(path.Base(s.file), "example_")
}

// closed tells whether a package of the module is closed to importers. What the
// examples share is theirs, and is held to the same rule.
func closed(imported string) bool {
	own, ok := strings.CutPrefix(imported, module+"/")
	return ok && strings.Contains("/"+own+"/", "/internal/") && !strings.HasPrefix(own, "examples/internal/")
}

// TestPagesImportPublicPackages: nor does code in a page import what a reader
// cannot. The pages' prose may name internal packages.
func TestPagesImportPublicPackages(t *testing.T) {
	root := filepath.Join("..", "..")
	pages, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"docs", "examples", "contrib", "recipes", "tools"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(file string, _ os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(file, ".md") {
				pages = append(pages, file)
			}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if len(pages) < 4 {
		t.Fatalf("found the pages %q, want at least README.md, ARCHITECTURE.md, BENCHMARKS.md and CONTRIBUTING.md", pages)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range importsOfPage(string(text)) {
			if closed(imported) {
				t.Errorf("%s shows an import of %s, which a reader cannot do", page, imported)
			}
		}
	}
}

// importsOfPage finds the packages of the module that a page's code imports: a path
// in double quotes, which prose has not.
func importsOfPage(text string) []string {
	var found []string
	for _, m := range regexp.MustCompile(`"(`+regexp.QuoteMeta(module)+`/[\w./-]+)"`).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

func TestImportsOfPagesAreSeen(t *testing.T) {
	got := importsOfPage("`internal/kernel` is\n```go\nimport k \"" + module + "/internal/kernel\"\n```")
	if len(got) != 1 || got[0] != module+"/internal/kernel" {
		t.Errorf("got %q, want the import of the block", got)
	}
}
