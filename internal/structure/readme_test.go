package structure

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeIsCompiled finds every Go block of README.md, line by line, in the
// example that the comment before it names: what people copy compiles, runs and
// prints what it should.
func TestReadmeIsCompiled(t *testing.T) {
	root := filepath.Join("..", "..")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)<!-- (\\S+): (\\S+) -->\n```go\n(.*?)```")
	found := block.FindAllStringSubmatch(string(readme), -1)
	if want := strings.Count(string(readme), "```go"); len(found) != want || want == 0 {
		t.Fatalf("%d of %d Go blocks in README.md name their example", len(found), want)
	}
	for _, m := range found {
		if base := path.Base(m[1]); !strings.HasPrefix(base, "example_") {
			t.Errorf("%s holds a block of README.md, want a file example_…: those are held to public packages", m[1])
		}
		source, err := os.ReadFile(filepath.Join(root, m[1]))
		if err != nil {
			t.Error(err)
			continue
		}
		_, body, ok := strings.Cut(string(source), "func "+m[2]+"() {\n")
		body, _, _ = strings.Cut(body, "\n}\n")
		if !ok || !strings.Contains(body, "// Output:") {
			t.Errorf("%s has no %s with checked output", m[1], m[2])
		}
		indented := "\t" + strings.ReplaceAll(strings.TrimSuffix(m[3], "\n"), "\n", "\n\t")
		if !strings.Contains(body, indented) {
			t.Errorf("a block of README.md is not in %s of %s:\n%s", m[2], m[1], m[3])
		}
	}
}
