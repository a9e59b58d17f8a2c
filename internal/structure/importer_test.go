package structure

import (
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
	program, err := os.ReadFile(filepath.Join("testdata", "importer.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out := importer(t, string(program), nil, "run", ".")
	var img, caption float64
	if _, err := fmt.Sscan(out, &img, &caption); err != nil {
		t.Fatalf("the program printed %q, want two numbers: %v", out, err)
	}
	// float32 rows of 8 values: a few roundings of 6e-8 each.
	for name, norm := range map[string]float64{"image": img, "caption": caption} {
		if !(math.Abs(norm-1) <= 1e-6) {
			t.Errorf("the embedding of the %s has norm %.9f, want 1 ± 1e-6", name, norm)
		}
	}
}

// TestImportersBuildStaysSmall counts what a program that loads, looks and trains
// compiles. The first version's came to 109 packages of 22 other modules, 15 of
// ours and 76 public ones of the standard library. What others wrote may not grow
// by one, but for nine packages of two modules that expand strips of TIFFs: each is
// code that an importer must trust. Ours may, because splitting a
// package makes no build heavier. Of the standard library six more are allowed;
// net/http would bring thirty.
func TestImportersBuildStaysSmall(t *testing.T) {
	program := "package main\n\nimport (\n\t_ \"" + module + "/encoder\"\n\t_ \"" + module + "/train\"\n\t_ \"" + module + "/vision\"\n)\n\nfunc main() {}\n"
	// The processor's and the system's files have dependencies of their own.
	out := importer(t, program, []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"},
		"list", "-deps", "-f", "{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}", ".")
	var ours, foreign, standard []string
	modules := map[string]bool{}
	for line := range strings.Lines(out) {
		pkg, of, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case of == "importer":
		case of == module:
			ours = append(ours, pkg)
		case of != "":
			foreign, modules[of] = append(foreign, pkg), true
		case !strings.HasPrefix(pkg, "internal/") && !strings.Contains(pkg, "/internal/") && !strings.HasPrefix(pkg, "vendor/"):
			standard = append(standard, pkg)
		}
	}
	for _, c := range []struct {
		what       string
		names      []string
		most, fair int // fair: fewer mean that nothing was counted
	}{
		{"packages of other modules", foreign, 114, 50},
		{"other modules", slices.Sorted(maps.Keys(modules)), 24, 10},
		{"packages of ours", ours, 31, 10},
		{"public packages of the standard library", standard, 82, 50},
	} {
		if len(c.names) > c.most || len(c.names) < c.fair {
			t.Errorf("an importer compiles %d %s, want at most %d (and some %d at least):\n%s", len(c.names), c.what, c.most, c.fair, strings.Join(c.names, "\n"))
		}
	}
}

// importer makes a module of a program, which requires ours, and runs the go
// command there.
func importer(t *testing.T, program string, env []string, args ...string) (stdout string) {
	t.Helper()
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
	write("main.go", program)

	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env, "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local")...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
