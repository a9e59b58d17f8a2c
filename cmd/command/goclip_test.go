package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
)

// TestMain is the program itself where a test runs it as one.
func TestMain(m *testing.M) {
	if how := os.Getenv("GOCLIP_TEST_HELPER"); how != "" && strings.HasPrefix(filepath.Base(os.Args[0]), "goclip-store-") {
		badHelper(how)
		return
	}
	if os.Getenv("GOCLIP_TEST_PROGRAM") != "" {
		Main(Options{})
	}
	os.Exit(m.Run())
}

// program is goclip as a process.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "GOCLIP_TEST_PROGRAM=1")
	return cmd
}

// goclip runs the program to its end.
func goclip(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := program(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// works is goclip that has to succeed. With --json, its output is read into v.
func works(t *testing.T, v any, args ...string) string {
	t.Helper()
	if v != nil {
		args = append(args, "--json")
	}
	out, errs, code := goclip(t, args...)
	if code != 0 {
		t.Fatalf("goclip %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(out), v); err != nil {
			t.Fatalf("goclip %s: %v in\n%s", strings.Join(args, " "), err, out)
		}
	}
	return out
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o777))
	check(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

// tree writes n images for each of four colours, in class folders.
func tree(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for name, c := range map[string]color.RGBA{"red": {200, 0, 0, 255}, "green": {0, 180, 0, 255}, "blue": {0, 0, 200, 255}, "grey": {90, 90, 90, 255}} {
		for i := range n {
			img := image.NewRGBA(image.Rect(0, 0, 8, 8))
			for j := range 64 {
				img.SetRGBA(j%8, j/8, color.RGBA{c.R + uint8(i), c.G + uint8(j%8), c.B + uint8(j/8), 255})
			}
			var b bytes.Buffer
			check(t, png.Encode(&b, img))
			write(t, filepath.Join(dir, name, fmt.Sprint(i, ".png")), b.String())
		}
	}
	return dir
}

// tiny trains a model for a few steps on a set.
func tiny(t *testing.T, data string, more ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "model")
	works(t, nil, append([]string{"train", "--data", data, "--out", out, "--steps", "40", "--batch-size", "8", "--lr", "3e-3", "--groups", "label"}, more...)...)
	return out
}

// TestFromTrainingToSearch goes through all commands.
func TestFromTrainingToSearch(t *testing.T) {
	data, test := tree(t, 8), tree(t, 3)
	write(t, filepath.Join(data, "red", "404.png"), "<html>")
	model := filepath.Join(t.TempDir(), "model")
	var trained struct {
		Model        string
		Steps        int
		Loss, Chance float64
		LeftOut      int `json:"left_out"`
	}
	works(t, &trained, "train", "--data", data, "--out", model, "--steps", "60", "--batch-size", "8", "--lr", "3e-3",
		"--groups", "label", "--augment", "pad,flip", "--ema", "0.9", "--tensorboard", filepath.Join(model, "board"))
	if trained.Model != model || trained.Steps != 60 || !(trained.Loss < 0.9*trained.Chance) || trained.LeftOut != 1 {
		t.Errorf("trained %+v, want 60 steps, a loss well below chance and one sample left out", trained)
	}
	left, err := os.ReadFile(filepath.Join(model, "left-out.jsonl"))
	check(t, err)
	if !strings.Contains(string(left), "404.png") {
		t.Errorf("left out %s, want red/404.png", left)
	}

	var info struct {
		Kind       string
		Parameters int
		Samples    int
		Entries    int
		Classes    []string
		Params     []struct{ Name string }
	}
	works(t, &info, "info", model, "--params")
	if info.Kind != "model" || info.Parameters < 1000 || len(info.Params) < 10 || info.Params[0].Name != "logit_scale" {
		t.Errorf("info of the model: %+v", info)
	}
	works(t, &info, "info", test)
	if info.Kind != "set" || info.Samples != 12 || strings.Join(info.Classes, " ") != "blue green grey red" {
		t.Errorf("info of the set: %+v", info)
	}

	evaluates(t, model, data, test)

	red := filepath.Join(test, "red", "1.png")
	var said []classified
	works(t, &said, "classify", "--model", model, "--labels", "red,green,blue,grey", "--top", "2", red, filepath.Join(test, "blue", "0.png"))
	if len(said) != 2 || said[0].File != red || len(said[0].Guesses) != 2 || said[0].Guesses[0].Label != "red" || said[1].Guesses[0].Label != "blue" {
		t.Errorf("classify says %+v, want red and blue", said)
	}

	explains(t, model, red)

	index := filepath.Join(t.TempDir(), "some", "test.index")
	check(t, os.Mkdir(filepath.Dir(index), 0o777))
	works(t, &info, "index", "--model", model, "--data", test, "--out", index)
	if info.Entries != 12 {
		t.Errorf("index of %d entries, want 12", info.Entries)
	}
	works(t, &info, "info", index)
	if info.Kind != "index" || info.Entries != 12 {
		t.Errorf("info of the index: %+v", info)
	}
	var hits []found
	works(t, &hits, "search", "--model", model, "--index", index, "-k", "3", "a photo of a green", "--image", red)
	if len(hits) != 2 || len(hits[0].Hits) != 3 || !strings.HasPrefix(hits[0].Hits[0].Key, "green/") || hits[1].Hits[0].Key != "red/1.png" || !(hits[1].Hits[0].Score > 0.999) {
		t.Errorf("search found %+v, want a green picture, and the red one itself", hits)
	}

	// The same in words.
	for want, args := range map[string][]string{
		"red/1.png":        {"search", "--model", model, "--index", index, "a red one"},
		"parameters":       {"info", model},
		"12 samples":       {"info", test},
		"of 12 images":     {"info", index},
		"12 images, 0":     {"index", "--model", model, "--data", test, "--out", index, "--overwrite"},
		" %\tred\n":        {"classify", "--model", model, "--labels", "red,blue", red},
		" %\tred":          {"classify", "--model", model, "--text-model", model, "--labels", "red,blue", red},
		"image to text":    {"eval", "--model", model, "--data", test, "--tasks", "retrieval"},
		"zero-shot: 100.0": {"eval", "--model", model, "--data", test},
	} {
		if out := works(t, nil, args...); !strings.Contains(out, want) {
			t.Errorf("goclip %s says\n%s, want %q", strings.Join(args, " "), out, want)
		}
	}
}

func evaluates(t *testing.T, model, data, test string) {
	t.Helper()
	page := filepath.Join(t.TempDir(), "deep", "report")
	templates := write(t, filepath.Join(t.TempDir(), "prompts.txt"), "'a photo of a {}',\n{}\n")
	var got struct {
		Results []struct {
			Name    string
			Figures struct {
				Accuracy float64
				Pictures int
			}
		}
		Retrieval struct {
			ImageToText map[string]float64 `json:"image_to_text"`
		}
		Report string
	}
	works(t, &got, "eval", "--model", model, "--data", test, "--train", data, "--tasks", "zero-shot,knn,probe,retrieval", "--at", "1,2",
		"--templates", templates, "--report", page, "--log", filepath.Join(model, "events.jsonl"))
	if len(got.Results) != 3 || len(got.Retrieval.ImageToText) != 2 {
		t.Fatalf("eval says %+v, want three results and recall at 1 and 2", got)
	}
	for i, name := range []string{"zero-shot", "nearest neighbours", "linear probe"} {
		if r := got.Results[i]; r.Name != name || r.Figures.Pictures != 12 || !(r.Figures.Accuracy >= 0.9) {
			t.Errorf("%+v, want %s to know 12 colours", r, name)
		}
	}
	html, err := os.ReadFile(got.Report)
	check(t, err)
	for _, want := range []string{"Training loss", "Confusion", "Map of the embeddings"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	text, err := os.ReadFile(filepath.Join(page, "report.json"))
	check(t, err)
	if !json.Valid(text) {
		t.Error("report.json is no JSON")
	}
	files, err := os.ReadDir(page)
	check(t, err)
	if len(files) != 2 {
		t.Errorf("the report is %v, want two files", files)
	}
}

// TestFineTuning: a custom architecture learns from a teacher and is
// measured as it goes; then adapters are trained beside its weights, saved apart
// and merged.
func TestFineTuning(t *testing.T) {
	data, test := tree(t, 8), tree(t, 3)
	dir := t.TempDir()
	arch := write(t, filepath.Join(dir, "arch.json"), `{"embed_dim": 24, "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 24, "head_width": 12, "layers": 1},
		"text_cfg": {"context_length": 12, "width": 16, "heads": 2, "layers": 1}}`)
	out := filepath.Join(dir, "model")
	var got struct {
		Steps int
		Test  map[string]float64
	}
	works(t, &got, "train", "--data", data, "--out", out, "--arch", arch, "--teacher", tiny(t, data), "--distill", "0.25",
		"--epochs", "20", "--batch-size", "8", "--lr", "3e-3", "--groups", "label", "--test", test, "--test-every", "30")
	if !(got.Test["top1"] >= 0.7) || got.Test["top5"] != 1 {
		t.Errorf("the test measured %v, want most of four classes known", got.Test)
	}
	log, err := os.ReadFile(filepath.Join(out, "events.jsonl"))
	check(t, err)
	if n := strings.Count(string(log), `"test":{"top1":`); n != 3 {
		t.Errorf("%d tests in the log, want those after 30, 60 and 80 steps", n)
	}
	page := filepath.Join(dir, "report")
	works(t, nil, "eval", "--model", out, "--data", test, "--report", page, "--log", filepath.Join(out, "events.jsonl"))
	html, err := os.ReadFile(filepath.Join(page, "report.html"))
	check(t, err)
	if !strings.Contains(string(html), "Tests on the way") {
		t.Error("the report lacks the tests on the way")
	}
	var info struct{ Params []struct{ Name string } }
	works(t, &info, "info", out, "--params")
	before := len(info.Params)

	tuned := filepath.Join(dir, "tuned")
	flags := []string{"train", "--data", data, "--from", out, "--out", tuned, "--lora-rank", "2", "--lora-targets", "visual.*", "--steps", "6", "--batch-size", "8", "--ema", "0.5"}
	works(t, &got, flags...)
	works(t, &info, "info", tuned, "--params")
	if len(info.Params) != before {
		t.Errorf("the merged model has %d parameters, want %d as before", len(info.Params), before)
	}
	merged := weightsOf(t, tuned)
	if merged == weightsOf(t, out) {
		t.Error("the merged model is what it was")
	}
	model, err := encoder.Load(out, &encoder.Options{Trainable: true})
	check(t, err)
	check(t, model.LoadLoRA(filepath.Join(tuned, "lora.safetensors")))
	check(t, model.MergeLoRA())
	again := filepath.Join(dir, "again")
	check(t, model.Save(again))
	check(t, model.Close())
	if weightsOf(t, again) != merged {
		t.Error("the adapters merged by hand give another model")
	}
	works(t, nil, flags...) // done is done
	if weightsOf(t, tuned) != merged {
		t.Error("the finished training changed")
	}
}

// TestRetrievalOnTheWay is what is measured where images have captions only.
func TestRetrievalOnTheWay(t *testing.T) {
	data := tree(t, 3)
	captions := write(t, filepath.Join(data, "captions.csv"), "image,caption\nred/0.png,something red\nblue/0.png,something blue\nred/0.png,still red\n")
	var got struct{ Test map[string]float64 }
	works(t, &got, "train", "--data", captions, "--out", filepath.Join(t.TempDir(), "model"), "--steps", "2", "--batch-size", "2", "--test", captions)
	if len(got.Test) != 7 || got.Test["image_to_text_R@5"] != 1 || !(got.Test["text_to_image_R@1"] >= 0) {
		t.Errorf("the test measured %v, want six recalls, and their R@1 both ways", got.Test)
	}
}
