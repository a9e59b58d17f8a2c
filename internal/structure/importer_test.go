package structure

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestImporterStarts builds a program in a module of its own that imports ours,
// and runs it. A dependency of gorgonia panics at start on Go versions that it
// does not know, unless our go.mod requires a version of it that knows them.
func TestImporterStarts(t *testing.T) {
	if testing.Short() {
		t.Skip("links a program")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// With our requirements and sums beside its own, the module needs no network.
	ours := read(filepath.Join(root, "go.mod"))
	version := regexp.MustCompile(`(?m)^go .*$`).FindString(ours)
	requirements := regexp.MustCompile(`(?ms)^require \(.*?^\)$`).FindAllString(ours, -1)
	if version == "" || len(requirements) == 0 {
		t.Fatalf("go.mod has no go line or no block of requirements:\n%s", ours)
	}
	write("go.mod", fmt.Sprintf("module importer\n\n%s\n\nrequire %s v0.0.0\n\nreplace %[2]s => %q\n\n%s\n",
		version, module, root, strings.Join(requirements, "\n\n")))
	write("go.sum", read(filepath.Join(root, "go.sum")))
	write("main.go", read(filepath.Join("testdata", "importer.go.txt")))

	cmd := exec.Command("go", "run", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the program does not run: %v\n%s", err, stderr.String())
	}
	var picture, caption float64
	if _, err := fmt.Sscan(string(out), &picture, &caption); err != nil {
		t.Fatalf("the program printed %q, want two numbers: %v", out, err)
	}
	// float32 rows of 8 values: a few roundings of 6e-8 each.
	for name, norm := range map[string]float64{"picture": picture, "caption": caption} {
		if !(math.Abs(norm-1) <= 1e-6) {
			t.Errorf("the embedding of the %s has norm %.9f, want 1 ± 1e-6", name, norm)
		}
	}
}
