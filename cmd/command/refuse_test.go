package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
)

// TestBesides: what else went wrong when a program was interrupted is not hidden.
func TestBesides(t *testing.T) {
	full := errors.New("disk full")
	canceled := fmt.Errorf("batches: %w", context.Canceled)
	for _, err := range []error{context.Canceled, canceled, errors.Join(canceled, nil, context.Canceled), fmt.Errorf("both: %w", errors.Join(canceled, canceled))} {
		if got := besides(err, context.Canceled); got != nil {
			t.Errorf("%v: got %v, want nothing", err, got)
		}
	}
	for _, err := range []error{full, errors.Join(canceled, full), fmt.Errorf("both: %w", errors.Join(canceled, full))} {
		if got := besides(err, context.Canceled); !errors.Is(got, full) {
			t.Errorf("%v: got %v, want %v", err, got, full)
		}
	}
	s := &session{Context: canceledContext(), out: io.Discard}
	for err, want := range map[error]int{canceled: interrupted, errors.Join(canceled, full): failed, input(canceled): interrupted, input(full): badInput} {
		var said strings.Builder
		if got := s.fail(&said, err); got != want || strings.Contains(said.String(), "canceled") != (want == failed) {
			t.Errorf("%v: exit code %d, want %d: %s", err, got, want, &said)
		}
	}
}

func canceledContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// TestBadUse: each kind of bad input ends with its exit code and an error that
// names it; with --json the error is a document.
func TestBadUse(t *testing.T) {
	data := tree(t, 3)
	model, other := tiny(t, data), tiny(t, data, "--seed", "2")
	dir := t.TempDir()
	index := filepath.Join(dir, "test.index")
	works(t, nil, "index", "--model", model, "--data", data, "--out", index)
	text := write(t, filepath.Join(dir, "text.txt"), "hello")
	bad := write(t, filepath.Join(dir, "bad.csv"), "image,caption\ntext.txt,a text\n")
	few := write(t, filepath.Join(data, "few.csv"), "image,label\nred/0.png,red\nblue/0.png,blue\n")
	nothing := write(t, filepath.Join(dir, "nothing.txt"), "\n \n")
	arch := write(t, filepath.Join(dir, "arch.json"), `{"vision_cfg": {}, "embed_dims": 16}`)
	captions := write(t, filepath.Join(data, "captions.csv"), "image,caption\nred/0.png,something red\nblue/0.png,something blue\n")
	empty := filepath.Join(dir, "empty")
	check(t, os.Mkdir(empty, 0o777))
	red := filepath.Join(data, "red", "0.png")
	out := filepath.Join(dir, "out")
	train := func(args ...string) []string {
		return append([]string{"train", "--data", captions, "--out", out}, args...)
	}
	evals := func(args ...string) []string {
		return append([]string{"eval", "--model", model, "--data", captions}, args...)
	}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{misuse, `unexpected argument trian, did you mean "train"?`, []string{"trian"}},
		{misuse, `unknown flag --batch-sise, did you mean "--batch-size"?`, train("--batch-sise", "3")},
		{misuse, "missing flags: --data=SET", []string{"train", "--out", out}},
		{misuse, `--schedule must be one of "cosine","linear","constant" but got "cosin"`, train("--schedule", "cosin")},
		{misuse, "--lr: expected a float but got", train("--lr", "fast")},
		{misuse, "--batch-size 1, want 2 or more", train("--batch-size", "1")},
		{misuse, "--epochs 0, want 1 or more", train("--epochs", "0")},
		{misuse, "--lr NaN, want a number of 0 or more", train("--lr", "nan")},
		{misuse, "--lr +Inf, want a number of 0 or more", train("--lr", "inf")},
		{misuse, "--warmup -5, want 0 or more", train("--warmup=-5")},
		{misuse, "--warmup -1, want 0 or more", train("--warmup=-1")},
		{misuse, "--checkpoint-every 1000, --keep 0, want 1 or more", train("--keep", "0")},
		{misuse, "--checkpoint-every -3, --keep 3, want 1 or more", train("--checkpoint-every=-3")},
		{misuse, "--max-bad -1, want 1 or more", train("--max-bad=-1")},
		{misuse, "--vocab 3: tokenizer: VocabSize is 3, want at least", train("--vocab", "3", "--batch-size", "2")},
		{misuse, "train: WeightDecay is -1, want 0 or more", train("--weight-decay=-1", "--batch-size", "2")},
		{misuse, `no --arch ViT-B-31, did you mean "ViT-B-32"?`, train("--arch", "ViT-B-31", "--batch-size", "2")},
		{misuse, "--lora-rank 4 needs a model to adapt: --from", train("--lora-rank", "4", "--batch-size", "2")},
		{misuse, "--lora-alpha and --lora-targets need --lora-rank", train("--from", model, "--lora-alpha", "4", "--batch-size", "2")},
		{misuse, `LoRA: "visual.nothing" matches no weight`, train("--from", model, "--lora-rank", "4", "--lora-targets", "visual.nothing", "--batch-size", "2")},
		{misuse, "--test-every -1, want 1 or more", train("--test", data, "--test-every=-1", "--batch-size", "2")},
		{misuse, "--test-every 3 needs a set: --test", train("--test-every", "3", "--batch-size", "2")},
		{misuse, "train: Distill is 2, want a share", train("--teacher", model, "--distill", "2", "--batch-size", "2")},
		{misuse, "--distill 0.5 needs a teacher model: --teacher", train("--distill", "0.5", "--batch-size", "2")},
		{misuse, "train: EMA 2, want a decay", train("--ema", "2", "--batch-size", "2")},
		{misuse, `--template "a photo" has no {} for the label`, train("--template", "a photo")},
		{misuse, "--crop-scale 0, want a fraction above 0", train("--crop-scale", "0", "--batch-size", "2")},
		{misuse, "--arch toy is for a new model", train("--arch", "toy", "--from", model, "--batch-size", "2")},
		{misuse, "label 2 is empty", []string{"classify", "--model", model, "--labels", "a,,b", red}},
		{misuse, "--out is empty, want a file", []string{"index", "--model", model, "--data", data, "--out", ""}},
		{misuse, "nothing to look for", []string{"search", "--model", model, "--index", index}},
		{misuse, "-k 0, want 1 or more", []string{"search", "--model", model, "--index", index, "-k", "0", "red"}},
		{misuse, "no labels: give --labels or --labels-file", []string{"classify", "--model", model, red}},
		{misuse, "--top 0, want 1 or more", []string{"classify", "--model", model, "--labels", "a", "--top", "0", red}},
		{misuse, "--tasks knn needs --train", evals("--tasks", "knn")},
		{misuse, "--at 0, want 1 or more", evals("--at", "0")},
		{misuse, "--batch-size 0, want 1 or more", evals("--batch-size", "0")},

		{badInput, "no such file", []string{"classify", "--model", filepath.Join(dir, "gone"), "--labels", "a,b", red}},
		{badInput, "text.txt", []string{"classify", "--model", text, "--labels", "a,b", red}},
		{badInput, "1 of 1 images cannot be read", []string{"classify", "--model", model, "--labels", "a,b", text}},
		{badInput, "no such file", []string{"classify", "--model", model, "--labels-file", filepath.Join(dir, "gone"), red}},
		{badInput, "no such file", []string{"train", "--data", filepath.Join(dir, "gone.csv"), "--out", out}},
		{badInput, "the set is empty", []string{"train", "--data", empty, "--out", out}},
		{badInput, "no column of the image", []string{"index", "--model", model, "--data", text, "--out", filepath.Join(dir, "text.index")}},
		{badInput, "nothing.txt: eval: labels: no labels, want one a line", []string{"classify", "--model", model, "--labels-file", nothing, red}},
		{badInput, "the set has 2 samples, fewer than the --batch-size of 128", train()},
		{badInput, "the set has 2 samples, fewer than the --batch-size of 128", train("--steps", "9")},
		{badInput, "no such file", train("--from", filepath.Join(dir, "gone"), "--batch-size", "2")},
		{badInput, "no such file", train("--arch", filepath.Join(dir, "gone.json"), "--batch-size", "2")},
		{badInput, "arch.json: encoder: configuration: not supported: embed_dims", train("--arch", arch, "--batch-size", "2")},
		{badInput, "no such file", train("--teacher", filepath.Join(dir, "gone"), "--batch-size", "2")},
		{badInput, "no such file", train("--test", filepath.Join(dir, "gone.csv"), "--batch-size", "2")},
		{badInput, "line 1: \"hello\" has no {} for the label", train("--templates", text)},
		{badInput, "none of 1 images can be used", []string{"eval", "--model", model, "--data", bad}},
		{badInput, "none of 1 images can be used", []string{"index", "--model", model, "--data", bad, "--out", filepath.Join(dir, "bad.index")}},
		{badInput, "eval: probe: no image to choose L2 by", []string{"eval", "--model", model, "--data", few, "--train", few, "--tasks", "probe"}},
		{badInput, "the set has no labels: zero-shot needs them", evals("--tasks", "zero-shot")},
		{badInput, "text.txt: line 1:", evals("--log", text)},
		{badInput, "is neither a model", []string{"info", text}},
		{badInput, "text.txt", []string{"search", "--model", model, "--index", text, "red"}},
		{badInput, "test.index", []string{"search", "--model", other, "--index", index, "red"}},

		{failed, "text.txt", []string{"index", "--model", model, "--data", data + "/captions.csv", "--out", filepath.Join(text, "x")}},
		{misuse, "something else than a regular file", []string{"index", "--model", model, "--data", data + "/captions.csv", "--out", empty}},
		{failed, "text.txt", evals("--report", filepath.Join(text, "x"))},
		{failed, "text.txt", []string{"train", "--data", captions, "--out", filepath.Join(text, "x"), "--batch-size", "2"}},
	} {
		name := strings.Join(c.args, " ")
		stdout, stderr, code := goclip(t, append(c.args, "--json")...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("goclip %s: exit code %d, want %d; want %q in\n%s", name, code, c.code, c.want, stderr)
		}
		var said any
		if err := json.Unmarshal([]byte(stdout), &said); err != nil {
			t.Errorf("goclip %s: %v in %q", name, err, stdout)
		}
		if fields, ok := said.(map[string]any); ok && (fields["exit_code"] != float64(c.code) || !strings.Contains(fields["error"].(string), c.want)) {
			t.Errorf("goclip %s: document %v, want code %d and %q", name, fields, c.code, c.want)
		}
	}
	if entries, err := os.ReadDir(out); err == nil && len(entries) > 0 {
		t.Errorf("a refused training left %v", entries)
	}
}

// TestNothingIsEmbeddedForAnUnwritableFile: that the result has no place is said
// before the work.
func TestNothingIsEmbeddedForAnUnwritableFile(t *testing.T) {
	data := tree(t, 3)
	model := tiny(t, data)
	write(t, filepath.Join(data, "red", "text.png"), "hello")
	folder := t.TempDir()
	_, stderr, code := goclip(t, "index", "--model", model, "--data", data, "--out", folder)
	if code != misuse || strings.Contains(stderr, "text.png") {
		t.Errorf("an index in place of a folder: exit code %d, want 2 and no image read\n%s", code, stderr)
	}
	inFile := write(t, filepath.Join(folder, "text.txt"), "hello")
	_, stderr, code = goclip(t, "eval", "--model", model, "--data", data, "--report", inFile)
	if code != failed || strings.Contains(stderr, "text.png") {
		t.Errorf("a report in a file: exit code %d, want 1 and no image read\n%s", code, stderr)
	}
}

// TestInfoOfNothing: what is not there is not said to be no model, index or set.
func TestInfoOfNothing(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	_, stderr, code := goclip(t, "info", gone)
	if code != badInput || !strings.Contains(stderr, gone) || strings.Contains(stderr, "neither") {
		t.Errorf("exit code %d, want 3 and that %s is not there\n%s", code, gone, stderr)
	}
}

// TestStrangeLabels: images that count for nothing are named.
func TestStrangeLabels(t *testing.T) {
	data := tree(t, 3)
	_, stderr, code := goclip(t, "eval", "--model", tiny(t, data), "--data", data, "--labels", "red,green")
	if code != badInput || !strings.Contains(stderr, `6 of 12 images have labels that are no classes, "blue", "grey"`) {
		t.Errorf("exit code %d, want 3 and the labels that are no classes\n%s", code, stderr)
	}
}

// TestFullOutput: a result that could not be written is an error.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	model := tiny(t, tree(t, 3))
	for _, args := range [][]string{{"info", model}, {"info", model, "--json"}} {
		cmd := program(t, args...)
		cmd.Stdout = full
		var code *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &code) || code.ExitCode() != failed {
			t.Errorf("goclip %v: %v, want exit code 1", args, err)
		}
	}
}

// TestOneBadPicture does not keep the others from being classified.
func TestOneBadImage(t *testing.T) {
	data := tree(t, 3)
	model := tiny(t, data)
	text := write(t, filepath.Join(data, "text.png"), "hello")
	stdout, stderr, code := goclip(t, "classify", "--model", model, "--labels", "red,blue", "--json", text, filepath.Join(data, "blue", "0.png"))
	var said []classified
	check(t, json.Unmarshal([]byte(stdout), &said))
	if code != badInput || len(said) != 2 || said[0].Error == "" || said[1].Guesses[0].Label != "blue" || !strings.Contains(stderr, "text.png") {
		t.Errorf("exit code %d, %+v, want 3, an error and blue", code, said)
	}
}

// TestConfigurationFile: YAML and JSON give the same as flags, and flags go
// first.
func TestConfigurationFile(t *testing.T) {
	data := tree(t, 3)
	dir := t.TempDir()
	out := filepath.Join(dir, "model")
	yaml := write(t, filepath.Join(dir, "train.yaml"),
		"# a comment\ndata: "+data+"\nout: "+out+"\nsteps: 3\nbatch-size: 4\nlr: 0.002\naugment: [flip, pad]\ntemplate: a {}, seen\n")
	var got struct{ Steps int }
	works(t, &got, "train", "--config", yaml)
	if got.Steps != 3 {
		t.Errorf("%d steps, want 3", got.Steps)
	}
	first := weightsOf(t, out)
	works(t, nil, "train", "--data", data, "--out", filepath.Join(dir, "flags"), "--steps", "3", "--batch-size", "4", "--lr", "2e-3",
		"--augment", "flip,pad", "--template", "a {}, seen")
	if weightsOf(t, filepath.Join(dir, "flags")) != first {
		t.Error("the file and the flags give different models")
	}
	asJSON := write(t, filepath.Join(dir, "eval.json"), `{"model": "`+out+`", "data": "`+data+`", "tasks": ["retrieval"], "at": [2], "json": true}`)
	var r struct {
		Retrieval struct {
			ImageToText map[string]float64 `json:"image_to_text"`
		}
	}
	check(t, json.Unmarshal([]byte(works(t, nil, "eval", "--config", asJSON)), &r))
	if _, ok := r.Retrieval.ImageToText["2"]; !ok || len(r.Retrieval.ImageToText) != 1 {
		t.Errorf("recall %v, want that at 2", r.Retrieval.ImageToText)
	}
	works(t, &r, "eval", "--config", asJSON, "--at", "3")
	if _, ok := r.Retrieval.ImageToText["3"]; !ok {
		t.Errorf("recall %v, want that of the flag, at 3", r.Retrieval.ImageToText)
	}

	for text, want := range map[string]string{
		"batch_size: 3\n":          `train has no field "batch_size", did you mean "batch-size"?`,
		"colour: red\n":            `train has no field "colour"`,
		"config: x\n":              `train has no field "config"`,
		"steps: 2.5\n":             `"2.5"`,
		"steps: many\n":            `"many"`,
		"steps: [1, 2]\n":          "steps: is a list, want one value",
		"steps:\n":                 "steps: is no value for a flag",
		"steps: {a: 1}\n":          "steps: is no value for a flag",
		"augment: [flip, turn]\n":  "turn",
		"steps: 1\nsteps: 2\n":     "steps",
		"- steps\n":                "train.yaml",
		"steps: [1\n":              "train.yaml",
		"quiet: yes please\n":      "quiet",
		strings.Repeat("#", 2<<20): "more than 1048576 bytes",
	} {
		file := write(t, filepath.Join(dir, "bad", "train.yaml"), text)
		_, stderr, code := goclip(t, "train", "--config", file, "--data", data, "--out", filepath.Join(dir, "bad", "model"))
		if code != misuse || !strings.Contains(stderr, want) {
			t.Errorf("%.40q: exit code %d, want 2 and %q in\n%s", text, code, want, stderr)
		}
	}
	if _, stderr, code := goclip(t, "train", "--config", filepath.Join(dir, "gone.yaml")); code != misuse || !strings.Contains(stderr, "gone.yaml") {
		t.Errorf("a file that is not there: exit code %d\n%s", code, stderr)
	}
}

func weightsOf(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "open_clip_model.safetensors"))
	check(t, err)
	return string(data)
}

// TestHelpTeaches: every command's help shows how it is called, and the
// program's names all exit codes.
func TestHelpTeaches(t *testing.T) {
	out := works(t, nil, "--help")
	for _, want := range []string{"Exit codes: 0 done; 1 ", "2 wrong", "3 a model", "130 interrupted", "train", "eval", "classify", "index", "search", "info"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("the help lacks %q:\n%s", want, out)
		}
	}
	for _, command := range []string{"train", "eval", "classify", "index", "search", "info"} {
		if out := works(t, nil, command, "--help"); !strings.Contains(out, "    goclip "+command+" ") {
			t.Errorf("the help of %s has no example:\n%s", command, out)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"batch-size", "data", "lr", "warmup"}
	for name, want := range map[string]string{
		"batch-sise": `, did you mean "batch-size"?`, "dta": `, did you mean "data"?`, "something": "", "warm-up": `, did you mean "warmup"?`,
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}} {
		if got := edits(c.a, c.b); got != c.want || edits(c.b, c.a) != c.want {
			t.Errorf("%s to %s: %d edits, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestNestedConfig: nesting, whose square the parser takes in memory, is refused before.
func TestNestedConfig(t *testing.T) {
	for _, nested := range []string{
		"a: " + strings.Repeat("[", 500_000), "a: " + strings.Repeat("{a: ", 100_000), "a:\n" + strings.Repeat("- ", 200_000) + "a",
		strings.Repeat("? ", 200_000) + "a", "a: " + strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat("-\t", 65),
	} {
		if _, err := parseConfig([]byte(nested)); err == nil || err.Error() != "nested more than 64 deep" {
			t.Errorf("%.20s…: got error %v", nested, err)
		}
	}
	for _, flat := range []string{"a: [[1], [2]]\nb:\n  - x\n  - - y\n", "# " + strings.Repeat("-", 80) + "\na: 1\n", `{"a": [` + strings.Repeat("[1],", 999) + "[1]]}"} {
		if _, err := parseConfig([]byte(flat)); err != nil {
			t.Errorf("%.20s…: %v", flat, err)
		}
	}
}

// FuzzParseConfig: any file is fields or an error.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("a: 1\nb: [x, y]\n"))
	f.Add([]byte(`{"a": {"b": null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fields, err := parseConfig(data)
		if err != nil && fields != nil {
			t.Errorf("fields %v beside the error %v", fields, err)
		}
	})
}

// TestModelsOfParts: what a command needs and a model has not is an error that names the
// model and what it lacks.
func TestModelsOfParts(t *testing.T) {
	dir := t.TempDir()
	data, whole := tree(t, 4), filepath.Join(dir, "whole")
	works(t, nil, "train", "--data", data, "--out", whole, "--steps", "1", "--batch-size", "4")
	index := filepath.Join(dir, "whole.index")
	works(t, nil, "index", "--model", whole, "--data", data, "--out", index)
	images, err := filepath.Glob(filepath.Join(data, "*", "*"))
	check(t, err)
	image := images[0]

	wordless := filepath.Join(dir, "wordless")
	check(t, os.CopyFS(wordless, os.DirFS(whole)))
	check(t, os.Remove(filepath.Join(wordless, "vocab.json")))
	check(t, os.Remove(filepath.Join(wordless, "merges.txt")))
	m, err := encoder.Load(whole, nil)
	check(t, err)
	defer m.Close()
	half := func(name string, cfg encoder.Config) string {
		part, err := encoder.New(cfg, nil, 1)
		check(t, err)
		path := filepath.Join(dir, name)
		check(t, part.Save(path))
		return path
	}
	cfg := m.Config()
	blind := half("blind", encoder.Config{Text: cfg.Text})
	mute := half("mute", encoder.Config{Vision: cfg.Vision, Preprocess: cfg.Preprocess})

	works(t, nil, "index", "--model", mute, "--data", data, "--out", filepath.Join(dir, "mute.index"))
	works(t, nil, "search", "--model", mute, "--index", filepath.Join(dir, "mute.index"), "--image", image)
	works(t, nil, "eval", "--model", mute, "--data", data, "--train", data, "--tasks", "knn")
	works(t, nil, "eval", "--model", wordless, "--data", data, "--train", data, "--tasks", "knn")
	for _, path := range []string{blind, mute, wordless} {
		works(t, nil, "info", path)
		works(t, nil, "info", path, "--json")
	}
	train := []string{"train", "--data", data, "--out", filepath.Join(dir, "out"), "--steps", "1", "--batch-size", "4"}
	for _, c := range []struct {
		model, want string
		args        []string
	}{
		{wordless, "no tokenizer", []string{"classify", "--labels", "a,b", image, "--model", wordless}},
		{wordless, "no tokenizer", []string{"eval", "--data", data, "--model", wordless}},
		{wordless, "no tokenizer", []string{"eval", "--data", data, "--tasks", "retrieval", "--model", wordless}},
		{wordless, "no tokenizer", []string{"search", "--index", index, "red", "--model", wordless}},
		{wordless, "no tokenizer", append(train, "--from", wordless)},
		{wordless, "no tokenizer", append(train, "--teacher", wordless)},
		{mute, "no text tower", []string{"classify", "--labels", "a,b", image, "--model", mute}},
		{mute, "no text tower", []string{"eval", "--data", data, "--model", mute}},
		{mute, "no text tower", []string{"search", "--index", filepath.Join(dir, "mute.index"), "red", "--model", mute}},
		{mute, "no text tower", append(train, "--from", mute)},
		{mute, "no text tower", append(train, "--teacher", mute)},
		{blind, "no image tower", []string{"classify", "--labels", "a,b", image, "--model", blind}},
		{blind, "no image tower", []string{"eval", "--data", data, "--model", blind}},
		{blind, "no image tower", []string{"index", "--data", data, "--out", filepath.Join(dir, "x"), "--model", blind}},
		{blind, "no image tower", []string{"search", "--index", index, "--image", image, "--model", blind}},
		{blind, "no image tower", append(train, "--from", blind)},
		{blind, "no image tower", append(train, "--from", blind, "--lora-rank", "2")},
	} {
		_, errs, code := goclip(t, c.args...)
		if want := c.model + ": the model has " + c.want; code != badInput || !strings.Contains(errs, want) {
			t.Errorf("%v: exit code %d, want %d and %q:\n%s", c.args, code, badInput, want, errs)
		}
	}
}

// TestOneTaskCostsNoOther: where the probe has too few images, nearest neighbours still have
// their result, and the exit code says that something is missing.
func TestOneTaskCostsNoOther(t *testing.T) {
	data := tree(t, 8)
	few := write(t, filepath.Join(data, "few.csv"), "image,label\nred/0.png,red\nblue/0.png,blue\n")
	said, errs, code := goclip(t, "eval", "--model", tiny(t, data), "--data", few, "--train", few, "--tasks", "knn,probe", "--json")
	var got struct{ Results []struct{ Name string } }
	check(t, json.Unmarshal([]byte(said), &got))
	if len(got.Results) != 1 || got.Results[0].Name != "nearest neighbours" || code != badInput || !strings.Contains(errs, "no image to choose L2 by") {
		t.Errorf("exit code %d, results %v and %q", code, got.Results, errs)
	}
}

// TestOutputsAreNoData: what is written does not lie among what is read.
func TestOutputsAreNoData(t *testing.T) {
	data := tree(t, 4)
	model := tiny(t, data)
	for _, args := range [][]string{
		{"index", "--out", filepath.Join(data, "x.index")},
		{"index", "--out", filepath.Join(t.TempDir(), "x.index"), "--left-out", filepath.Join(data, "left.jsonl")},
		{"eval", "--report", filepath.Join(data, "report")},
		{"eval", "--left-out", filepath.Join(data, "red", "left.jsonl")},
	} {
		_, errs, code := goclip(t, append(args, "--model", model, "--data", data)...)
		if code != misuse || !strings.Contains(errs, "would be taken for data") {
			t.Errorf("%v: exit code %d and %q", args, code, errs)
		}
	}
}

// TestNothingReadableIsListed: an index of a folder in which no image can be read says so, and
// lists all of them with the reasons.
func TestNothingReadableIsListed(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "x.index")
	for i := range 9 {
		write(t, filepath.Join(dir, fmt.Sprintf("%d.png", i)), "no image")
	}
	_, errs, code := goclip(t, "index", "--model", tiny(t, tree(t, 4)), "--data", dir, "--out", out)
	list, err := os.ReadFile(out + ".left-out.jsonl")
	if n := strings.Count(string(list), "\n"); code != badInput || err != nil || n != 9 {
		t.Errorf("exit code %d, %v, %d lines of 9, %q", code, err, n, errs)
	}
}
