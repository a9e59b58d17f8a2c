package command

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// zeroShot is what eval says of one classification.
type zeroShot struct {
	Results []struct {
		Name    string
		Figures struct {
			Pictures int
			Accuracy float64
			ECE      float64
			Unknown  []struct {
				Name     string
				Pictures int
			}
			Missing []string
		}
	}
	Prompts struct{ Count, Cut int }
}

// evaluated runs eval, and wants an exit code.
func evaluated(t *testing.T, code int, args ...string) (z zeroShot, errs string) {
	t.Helper()
	out, errs, got := goclip(t, append([]string{"eval", "--json"}, args...)...)
	if got != code {
		t.Fatalf("goclip eval %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, errs)
	}
	check(t, json.Unmarshal([]byte(out), &z))
	return z, errs
}

// TestLabelsAreWords: a class has one name in training, classification and evaluation,
// however it is spelt; a list has spaces after its commas.
func TestLabelsAreWords(t *testing.T) {
	data := tree(t, 3)
	under, spaces := filepath.Join(t.TempDir(), "under"), filepath.Join(t.TempDir(), "spaces")
	for _, name := range []string{"red", "blue"} {
		check(t, os.CopyFS(filepath.Join(under, "dark_"+name), os.DirFS(filepath.Join(data, name))))
		check(t, os.CopyFS(filepath.Join(spaces, "dark "+name), os.DirFS(filepath.Join(data, name))))
	}
	model := tiny(t, under, "--batch-size", "6")
	a, _ := evaluated(t, 0, "--model", model, "--data", under)
	b, _ := evaluated(t, 0, "--model", model, "--data", spaces)
	c, _ := evaluated(t, 0, "--model", model, "--data", spaces, "--labels", "dark_blue,  dark_red")
	if fmt.Sprint(a.Results[0].Figures) != fmt.Sprint(b.Results[0].Figures) || fmt.Sprint(a.Results[0].Figures) != fmt.Sprint(c.Results[0].Figures) {
		t.Errorf("one set with three spellings:\n%v\n%v\n%v", a, b, c)
	}
	z, errs := evaluated(t, badInput, "--model", model, "--data", spaces, "--labels", "dark_blue,dark_red", "--verbatim-labels")
	if f := z.Results[0].Figures; f.Accuracy != 0 || f.Pictures != 6 || len(f.Unknown) != 2 || len(f.Missing) != 2 || !strings.Contains(errs, "--allow-missing") {
		t.Errorf("verbatim: %+v\n%s", f, errs)
	}
	evaluated(t, 0, "--model", model, "--data", spaces, "--labels", "dark_blue,dark_red,green", "--allow-missing")
	evaluated(t, badInput, "--model", model, "--data", spaces, "--labels", "dark_blue,dark_red,green")
}

// TestLabelFiles: ids of a file name the classes of the set; the same name twice is said
// and accepted; what is no label is refused.
func TestLabelFiles(t *testing.T) {
	data := tree(t, 3)
	model := tiny(t, data)
	dir := t.TempDir()
	ids := filepath.Join(dir, "ids")
	for id, name := range map[string]string{"n00000001": "red", "n00000002": "blue"} {
		check(t, os.CopyFS(filepath.Join(ids, id), os.DirFS(filepath.Join(data, name))))
	}
	list := write(t, filepath.Join(dir, "synsets.txt"), "n00000001 red\nn00000002 blue\n")
	z, _ := evaluated(t, 0, "--model", model, "--data", ids, "--labels-file", list)
	if z.Results[0].Figures.Pictures != 6 {
		t.Errorf("%+v, want six images of named classes", z)
	}
	named := filepath.Join(dir, "named")
	works(t, nil, "train", "--data", ids, "--labels-file", list, "--out", named, "--steps", "1", "--batch-size", "6")
	evaluated(t, 0, "--model", named, "--data", data)
	vocab, err := os.ReadFile(filepath.Join(named, "vocab.json"))
	if err != nil || !strings.Contains(string(vocab), "red") || strings.Contains(string(vocab), "000") {
		t.Errorf("error %v; the captions were not of the names", err)
	}
	short := write(t, filepath.Join(dir, "short.txt"), "n00000001 red\n")
	goclipFails(t, badInput, `1 labels are not in `+short+`: "n00000002"`, "train", "--data", ids, "--labels-file", short, "--out", filepath.Join(dir, "no"), "--steps", "1", "--batch-size", "6")
	works(t, nil, "train", "--data", ids, "--labels-file", short, "--allow-missing", "--out", filepath.Join(dir, "yes"), "--steps", "1", "--batch-size", "6")
	image := filepath.Join(data, "red", "0.png")
	var said []classified
	again := write(t, filepath.Join(dir, "twice.txt"), "red\nblue\nred\n")
	works(t, &said, "classify", "--model", model, "--labels-file", again, "--top", "3", image)
	if g := said[0].Guesses; len(g) != 3 || g[0].Index != 0 || g[1].Index != 2 {
		t.Errorf("%+v, want the two of one name after each other, each with its index", g)
	}
	code := write(t, filepath.Join(dir, "code.txt"), "red\nfor x in y:\n")
	if _, errs, c := goclip(t, "classify", "--model", model, "--labels-file", code, image); c != badInput || !strings.Contains(errs, "line 2") {
		t.Errorf("exit code %d, want %d and the line:\n%s", c, badInput, errs)
	}
	outside := write(t, filepath.Join(dir, "tables", "t.csv"), "image,label\n"+image+",red\n")
	goclipFails(t, badInput, "leads out", "eval", "--model", model, "--data", outside)
	evaluated(t, 0, "--model", model, "--data", outside, "--allow-outside")
}

func goclipFails(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	if _, errs, got := goclip(t, args...); got != code || !strings.Contains(errs, want) {
		t.Errorf("goclip %s: exit code %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, want, errs)
	}
}

// TestNothingIsOverwritten: an output is written where nothing is, or its own kind and
// --overwrite says so; what else is there stays, byte for byte.
func TestNothingIsOverwritten(t *testing.T) {
	data := tree(t, 3)
	model := tiny(t, data)
	dir := t.TempDir()
	mine := write(t, filepath.Join(dir, "captions.csv"), "image,caption\n")
	full := filepath.Join(dir, "full")
	kept := write(t, filepath.Join(full, "report.json"), `{"title": "mine"}`)
	other := tree(t, 3)
	idx, report, out := filepath.Join(dir, "photos.index"), filepath.Join(dir, "report"), filepath.Join(dir, "out")
	for _, c := range []struct{ args, foreign []string }{
		{[]string{"index", "--model", model, "--data", data, "--out", idx}, []string{"index", "--model", model, "--data", data, "--out", mine}},
		{[]string{"eval", "--model", model, "--data", data, "--report", report}, []string{"eval", "--model", model, "--data", data, "--report", full}},
		{[]string{"convert", model, "--out", out}, []string{"convert", model, "--out", full}},
	} {
		works(t, nil, c.args...)
		if c.args[0] == "index" { // the same folder's photographs are brought up to date
			works(t, nil, c.args...)
			c.args[4] = other
		}
		goclipFails(t, misuse, "--overwrite", c.args...)
		works(t, nil, append(c.args, "--overwrite")...)
		goclipFails(t, misuse, "is not a", c.foreign...)
		goclipFails(t, misuse, "is not a", append(c.foreign, "--overwrite")...)
	}
	train := func(out string, more ...string) []string {
		return append([]string{"train", "--data", data, "--out", out, "--steps", "1", "--batch-size", "4"}, more...)
	}
	goclipFails(t, misuse, "is not a", train(full, "--overwrite")...)
	goclipFails(t, misuse, "which is read", train(data)...)
	goclipFails(t, misuse, "which is read", train(filepath.Join(data, "red", "model"), "--overwrite")...)
	goclipFails(t, misuse, "which is read", train(filepath.Join(dir, "new"), "--tensorboard", filepath.Join(data, "board"))...)
	for path, want := range map[string]string{mine: "image,caption\n", kept: `{"title": "mine"}`} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	entries, err := os.ReadDir(data)
	check(t, err)
	if len(entries) != 4 {
		t.Errorf("%v in the data, want the four classes", entries)
	}
}

// TestCutIsSaid: a prompt that lost its label is told, also with --quiet.
func TestCutIsSaid(t *testing.T) {
	data := tree(t, 3)
	model := tiny(t, data)
	long := strings.Repeat("very long words ", 40) + "{}"
	z, errs := evaluated(t, 0, "--model", model, "--data", data, "--template", long, "-q")
	if z.Prompts.Cut != 4 || z.Prompts.Count != 4 || !strings.Contains(errs, "were cut") {
		t.Errorf("%+v, want four of four cut\n%s", z.Prompts, errs)
	}
	_, errs, _ = goclip(t, "classify", "--model", model, "--labels", "a,b", "--template", long, "-q", filepath.Join(data, "red", "0.png"))
	if !strings.Contains(errs, "were cut") {
		t.Errorf("classify does not say that prompts were cut: %s", errs)
	}
	_, errs, _ = goclip(t, "train", "--data", data, "--template", long, "--out", filepath.Join(t.TempDir(), "m"), "--steps", "2", "--batch-size", "4", "-q")
	if !strings.Contains(errs, "8 of 8 captions") {
		t.Errorf("train does not say that captions were cut: %s", errs)
	}
}

// shared is a folder of inputs that the first version failed on.
func shared(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("GOCLIP_SHARED")
	if root == "" {
		t.Skip("GOCLIP_SHARED is not set")
	}
	dir := filepath.Join(root, "cases", "commands", name)
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCasesOfLabels are inputs of people, with what is right of them.
func TestCasesOfLabels(t *testing.T) {
	model := shared(t, "model")
	set := filepath.Join(shared(t, "01-labels-with-spaces"), "set")
	plain, _ := evaluated(t, 0, "--model", model, "--data", set)
	spaced, _ := evaluated(t, 0, "--model", model, "--data", set, "--labels", "red circle, white square")
	if spaced.Results[0].Figures.Pictures != 4 || fmt.Sprint(plain) != fmt.Sprint(spaced) {
		t.Errorf("labels with spaces: %v, want %v", spaced, plain)
	}
	lists := shared(t, "13-labels-file-as-json")
	for file, want := range map[string]string{
		"simple-labels.json": "red circle,blue square,green triangle", "commented.txt": "red circle,blue square", "numbered.txt": "red circle,blue square",
	} {
		var said []classified
		works(t, &said, "classify", "--model", model, "--labels-file", filepath.Join(lists, file), filepath.Join(lists, "p.jpg"))
		got := make([]string, len(said[0].Guesses))
		for _, g := range said[0].Guesses {
			got[g.Index] = g.Label
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%s: %q, want %s", file, got, want)
		}
	}
	prompts := shared(t, "15-templates-on-one-line")
	var one, two []classified
	for file, said := range map[string]*[]classified{"one-line.txt": &one, "two-lines.txt": &two} {
		works(t, said, "classify", "--model", model, "--labels", "red circle,blue square", "--templates", filepath.Join(prompts, file), filepath.Join(prompts, "p.jpg"))
	}
	if fmt.Sprint(one) != fmt.Sprint(two) {
		t.Errorf("templates on one line: %v, want %v", one, two)
	}
	long := shared(t, "17-long-prompt-cut")
	z, errs := evaluated(t, 0, "--model", model, "--data", filepath.Join(long, "set"), "--templates", filepath.Join(long, "prompt.txt"))
	if z.Prompts.Cut != 3 || !strings.Contains(errs, "were cut") {
		t.Errorf("a long prompt: %+v\n%s", z.Prompts, errs)
	}
	names := shared(t, "24-imagenet-names-twice")
	var said []classified
	works(t, &said, "classify", "--model", model, "--labels-file", filepath.Join(names, "names.txt"), "--top", "9", filepath.Join(names, "p.jpg"))
	if len(said[0].Guesses) != 6 {
		t.Errorf("names that are there twice: %v, want six classes", said)
	}
	only := shared(t, "32-class-only-in-the-test-set")
	z, _ = evaluated(t, badInput, "--model", model, "--data", filepath.Join(only, "test"), "--train", filepath.Join(only, "train"), "--tasks", "knn,probe", "-q")
	for _, r := range z.Results {
		if f := r.Figures; f.Pictures != 6 || !(math.Abs(f.Accuracy-2.0/3) <= 1e-12) || len(f.Unknown) != 1 || f.Unknown[0].Name != "c" {
			t.Errorf("%s: %+v, want 66.7 %% of 6 and c", r.Name, f)
		}
	}
}

// TestCaseOfSigmoid: a model with a logit bias has the probabilities that it was trained for.
func TestCaseOfSigmoid(t *testing.T) {
	dir := shared(t, "21-sigmoid-model-softmax")
	var said []classified
	works(t, &said, "classify", "--model", filepath.Join(dir, "model"), "--labels", "red circle,blue square,a green triangle", "--template", "{}", filepath.Join(dir, "p.png"))
	for _, g := range said[0].Guesses {
		if want := []float64{0.3615, 0.9115, 0.0007}[g.Index]; !(math.Abs(g.Probability-want) <= 1e-4) {
			t.Errorf("%s: %g, want %g", g.Label, g.Probability, want)
		}
	}
	if out := works(t, nil, "info", filepath.Join(dir, "model")); !strings.Contains(out, "sigmoid, as SigLIP's") {
		t.Errorf("info does not say sigmoid:\n%s", out)
	}
}

// TestCasesOfOutputs: the user's table and pictures are as they were.
func TestCasesOfOutputs(t *testing.T) {
	model := shared(t, "model")
	work := filepath.Join(t.TempDir(), "w")
	check(t, os.CopyFS(work, os.DirFS(filepath.Join(shared(t, "34-index-over-its-own-table"), "in"))))
	table := filepath.Join(work, "photos.csv")
	before, err := os.ReadFile(table)
	check(t, err)
	goclipFails(t, misuse, "is not an index", "index", "--model", model, "--data", table, "--out", table, "-q")
	after, err := os.ReadFile(table)
	check(t, err)
	if string(before) != string(after) {
		t.Error("the table is not what it was")
	}
	check(t, os.CopyFS(filepath.Join(work, "train"), os.DirFS(filepath.Join(shared(t, "36-train-into-the-data-folder"), "in"))))
	t.Chdir(filepath.Join(work, "train"))
	entries, err := os.ReadDir(".")
	check(t, err)
	goclipFails(t, misuse, "which is read", "train", "--data", ".", "--out", ".", "--epochs", "2", "--batch-size", "4", "-q")
	again, err := os.ReadDir(".")
	check(t, err)
	if len(entries) != len(again) {
		t.Errorf("%v in the data folder, want %v", again, entries)
	}
}
