package structure

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestContribStandsAlone: the modules below contrib are published as they are, so
// they have no replace, import what any importer could, and are built here with
// the goclip beside them, by contrib/go.work.
func TestContribStandsAlone(t *testing.T) {
	root := os.DirFS(filepath.Join("..", "..", "contrib"))
	work, err := fs.ReadFile(root, "go.work")
	if err != nil {
		t.Fatal(err)
	}
	modules := 0
	err = fs.WalkDir(root, ".", func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(file, ".go") && path.Base(file) != "go.mod" {
			return err
		}
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		if strings.HasSuffix(file, ".go") {
			s, err := parse("contrib/"+file, string(text))
			for _, imported := range s.imports {
				if own, ok := strings.CutPrefix(imported, module+"/"); ok && strings.Contains("/"+own+"/", "/internal/") && !strings.HasPrefix(own, "contrib/") {
					t.Errorf("%s imports %s, which is not for other modules", s.file, imported)
				}
			}
			return err
		}
		modules++
		dir := path.Dir(file)
		if want := "module " + module + "/contrib/" + dir + "\n"; !strings.HasPrefix(string(text), want) {
			t.Errorf("contrib/%s begins %.60q, want %q", file, text, want)
		}
		if regexp.MustCompile(`(?m)^\s*(replace|exclude)\b`).Match(text) {
			t.Errorf("contrib/%s has a replace or an exclude, which importers do not get", file)
		}
		if !strings.Contains(string(work), "\t./"+dir+"\n") {
			t.Errorf("contrib/go.work does not use ./%s", dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if modules == 0 {
		t.Error("found no module below contrib")
	}
}
