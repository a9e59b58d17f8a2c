// Package structure keeps the order of the module by tests: which package may
// import which, and that programs which import the module start.
package structure

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/goclip/goclip"

// floors lists the packages from the ground up. A package imports lower floors
// only; packages on one floor never import each other. A name with /... stands
// for all packages below it that have no line of their own.
var floors = [][]string{
	// What floor 0 stands on.
	{"internal/tensorfile", "internal/pillow/jpeg", "internal/pillow/fax", "internal/inflate", "internal/pillow/vp8", "internal/pillow/vp8l", "internal/parallel", "internal/kernel/asm", "internal/enum", "internal/guard", "internal/identity", "internal/journal", "internal/output", "internal/recordlog"},
	// 0: float32 primitives and files; no graph, no model.
	{"internal/kernel", "internal/safetensors", "internal/torchfile", "internal/pillow", "internal/dice", "internal/textclean",
		"internal/lists", "internal/logistic", "internal/npy", "internal/golden", "internal/letters", "internal/nothing", "internal/structure", "examples/internal/sheet"},
	// What the floors above share of the kernels.
	{"internal/unitrows"},
	// 1: layers as graph operations; strings as token ids.
	{"nn", "tokenizer"},
	// 2: towers, objectives and data, which know nothing of each other.
	{"vision", "text", "loss", "dataset"},
	// 3: what draws images, what changes them; layouts of published checkpoints.
	{"dataset/shapes", "dataset/augment", "dataset/arrow", "dataset/parquet", "internal/checkpoint"},
	// 4: the model that joins two towers.
	{"encoder"},
	// What floor 5 has in common: a set's images through a model.
	{"internal/sweep"},
	// 5: what is done with a model.
	{"index", "embeddings", "train", "eval", "hub"},
	// A folder of photographs in an index; what of an image fits a caption.
	{"photos", "explain"},
	// 6: what is learnt and shown of it.
	{"report", "scaling", "fewshot", "train/observe", "convert", "serve", "serve/page"},
	// A training from beginning to end.
	{"train/job"},
	// 7: programs.
	{"examples/...", "cmd/...", "tools/..."},
}

// libraries are the foreign packages that the module may use, each by the
// beginning of its path. A further one needs a good reason.
var libraries = []string{
	"gorgonia.org/gorgonia", "gorgonia.org/tensor", "github.com/chewxy/hm", // graphs
	"gonum.org/v1/gonum/graph", "gonum.org/v1/gonum/blas", // a graph's order; the portable SGEMM, and DGEMM
	"gonum.org/v1/gonum/optimize", "gonum.org/v1/gonum/stat", "gonum.org/v1/gonum/mat", // L-BFGS; Student's t; principal components
	"golang.org/x/image", "golang.org/x/text", "golang.org/x/sys", // files
	"github.com/klauspost/compress/zstd", "github.com/mikelolasagasti/xz", // strips of TIFFs
	"google.golang.org/protobuf/encoding/protowire",          // TensorBoard's events
	"github.com/parquet-go/parquet-go",                       // dataset/parquet
	"github.com/pierrec/lz4/v4",                              // dataset/parquet
	"github.com/alecthomas/kong", "github.com/goccy/go-yaml", // cmd/command; cards of models in hub
	"github.com/prometheus/client_golang", // serve
}

// pictorial are for examples only: what draws plots is heavy, and no library needs it.
var pictorial = []string{"gonum.org/v1/plot"}

// confined are foreign packages that one package alone may import, so that who does
// without it does without them.
var confined = map[string]string{
	"google.golang.org/protobuf":    "train/observe",
	"github.com/klauspost/compress": "internal/pillow", "github.com/mikelolasagasti/xz": "internal/pillow",
	"github.com/parquet-go/parquet-go": "dataset/parquet",
	"github.com/pierrec/lz4/v4":        "dataset/parquet",
	"github.com/prometheus":            "serve",
}

// banned are standard packages that have no place below the programs.
var banned = []string{"C", "database/sql", "flag", "log", "log/slog", "net", "net/http", "os/exec", "plugin", "testing"}

// exempt are packages that exist for the sake of something banned. No package of the
// library imports them.
var exempt = map[string][]string{"hub": {"net", "net/http"}, "convert": {"os/exec"}, "serve": {"log/slog", "net", "net/http"}, "serve/page": {"net/http"}}

// floor returns the place of a package in floors, or -1.
func floor(pkg string) int {
	best, at := -1, -1
	for i, names := range floors {
		for _, name := range names {
			under, all := strings.CutSuffix(name, "/...")
			if pkg == name || all && strings.HasPrefix(pkg, under+"/") {
				if len(name) > best {
					best, at = len(name), i
				}
			}
		}
	}
	return at
}

// objection says why pkg, a path within the module, may not import another
// package, or nothing.
func objection(pkg, imported string) string {
	from := floor(pkg)
	program := from == len(floors)-1
	if own, ok := strings.CutPrefix(imported, module+"/"); ok {
		to := floor(own)
		switch {
		case !program && exempt[own] != nil:
			return "the library does without " + own
		case slices.Contains([]string{"internal/golden", "internal/letters", "internal/nothing"}, own):
			return own + " is for tests"
		case to < 0:
			return own + " has no floor"
		case to > from:
			return own + " is on a higher floor"
		case to == from && !program:
			return own + " is on the same floor"
		case program && to == from && !strings.Contains(own, "/internal/") && own != "cmd/command": // which is one as a package
			return own + " is another program"
		}
		return ""
	}
	if !program && slices.Contains(banned, imported) && !slices.Contains(exempt[pkg], imported) && !(pkg == "internal/golden" && imported == "testing") {
		return "the library does without " + imported
	}
	foreign := strings.Contains(strings.Split(imported, "/")[0], ".")
	allowed := libraries
	if strings.HasPrefix(pkg, "examples/") {
		allowed = slices.Concat(libraries, pictorial)
	}
	if foreign && !slices.ContainsFunc(allowed, func(l string) bool { return imported == l || strings.HasPrefix(imported, l+"/") }) {
		return imported + " is not among the libraries of the module"
	}
	for library, home := range confined {
		if pkg != home && (imported == library || strings.HasPrefix(imported, library+"/")) {
			return library + " is for " + home + " alone"
		}
	}
	return ""
}

func TestImportsGoDown(t *testing.T) {
	homeless := map[string]bool{}
	for _, s := range sources(t) {
		if floor(s.dir()) < 0 {
			homeless[s.dir()] = true
			continue
		}
		for _, imported := range s.imports {
			if why := objection(s.dir(), imported); why != "" {
				t.Errorf("%s imports %s: %s", s.file, imported, why)
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(homeless)) {
		t.Errorf("package %s has no floor: give it one in this test", dir)
	}
}

// TestRulesAreStrict tries the rules on imports that nobody should write, so
// that the test above is known to see them.
func TestRulesAreStrict(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		allowed       bool
	}{
		{"nn", module + "/internal/kernel", true},
		{"internal/safetensors", module + "/internal/tensorfile", true},
		{"text", module + "/internal/textclean", true},
		{"train", "gorgonia.org/gorgonia", true},
		{"cmd/command", "flag", true},
		{"examples/train", module + "/examples/internal/sheet", true},
		{"examples/scaling", "gonum.org/v1/plot/vg/draw", true},
		{"cmd/command", module + "/cmd/internal/table", true},
		{"internal/golden", "testing", true},
		{"train/observe", "google.golang.org/protobuf/encoding/protowire", true},
		{"hub", "net/http", true},
		{"cmd/command", module + "/hub", true},
		{"cmd/command", module + "/convert", true},
		{"convert", "os/exec", true},
		{"serve", "net/http", true},
		{"serve", "github.com/prometheus/client_golang/prometheus", true},
		{"cmd/command", module + "/serve", true},
		{"cmd/goclip", module + "/cmd/command", true},

		{"internal/kernel", module + "/nn", false},
		{"internal/safetensors", module + "/internal/torchfile", false},
		{"vision", module + "/text", false},
		{"loss", module + "/encoder", false},
		{"train", module + "/eval", false},
		{"encoder", module + "/elsewhere", false},
		{"encoder", module + "/internal/golden", false},
		{"encoder", module + "/internal/letters", false},
		{"encoder", module + "/internal/nothing", false},
		{"examples/train", module + "/examples/search", false},
		{"train/job", module + "/cmd/command", false},
		{"vision", "log", false},
		{"index", "net/http", false},
		{"hub", "os/exec", false},
		{"convert", "net/http", false},
		{"train/job", module + "/convert", false},
		{"train/job", module + "/serve", false},
		{"serve", "os/exec", false},
		{"hub", "github.com/prometheus/client_golang/prometheus", false},
		{"train/job", module + "/hub", false},
		{"internal/kernel", "C", false},
		{"dataset", "database/sql", false},
		{"dataset", "modernc.org/sqlite", false},
		{"train", "gonum.org/v1/plot", false},
		{"train", "google.golang.org/protobuf/encoding/protowire", false},
		{"cmd/command", "gonum.org/v1/plot", false},
		{"vision", "golang.org/x/imagemagick", false},
	} {
		if why := objection(c.pkg, c.imported); (why == "") != c.allowed {
			t.Errorf("%s importing %s: allowed %v, want %v (%s)", c.pkg, c.imported, why == "", c.allowed, why)
		}
	}
	for pkg, want := range map[string]int{"internal/tensorfile": 0, "nn": 3, "examples/a/b": 12, "examples/internal/sheet": 1, "examples": -1, "other": -1} {
		if got := floor(pkg); got != want {
			t.Errorf("floor of %s: got %d, want %d", pkg, got, want)
		}
	}
}

func TestNamesSaySomething(t *testing.T) {
	empty := []string{"util", "utils", "common", "helper", "helpers", "misc", "base"}
	for _, s := range sources(t) {
		if slices.Contains(empty, s.name) {
			t.Errorf("%s: a package is named %s, which says nothing", s.file, s.name)
		}
		stem, _, _ := strings.Cut(strings.TrimSuffix(path.Base(s.file), ".go"), "_")
		if slices.Contains(empty, stem) {
			t.Errorf("%s: the file's name says nothing", s.file)
		}
		if s.name != "main" && s.name != path.Base(s.dir()) {
			t.Errorf("%s: package %s in folder %s, want one name", s.file, s.name, s.dir())
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if !s.made && s.lines > 450 {
			t.Errorf("%s has %d lines, want at most 450: split it by idea", s.file, s.lines)
		}
	}
}
