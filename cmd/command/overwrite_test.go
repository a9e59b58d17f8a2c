package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/journal"
)

// TestOverwrite: a training replaces the model of its own run, and another's only when
// told to.
func TestOverwrite(t *testing.T) {
	out := filepath.Join(t.TempDir(), "model")
	flags := []string{"train", "--data", tree(t, 4), "--out", out, "--steps", "1", "--batch-size", "4"}
	works(t, nil, flags...)
	works(t, nil, flags...)
	check(t, os.RemoveAll(filepath.Join(out, "checkpoints")))
	before := weightsOf(t, out)
	other := append(flags, "--seed", "2")
	_, errs, code := goclip(t, other...)
	if code != misuse || !strings.Contains(errs, "--overwrite") {
		t.Errorf("exit code %d, want %d and an error that names --overwrite:\n%s", code, misuse, errs)
	}
	if weightsOf(t, out) != before {
		t.Error("the model was replaced all the same")
	}
	works(t, nil, append(other, "--overwrite")...)
	if weightsOf(t, out) == before {
		t.Error("the model was not replaced")
	}
}

// TestTrainingInUse: one training at a time writes to a folder.
func TestTrainingInUse(t *testing.T) {
	out := t.TempDir()
	release, err := journal.Lock(out)
	check(t, err)
	_, errs, code := goclip(t, "train", "--data", tree(t, 4), "--out", out, "--steps", "1", "--batch-size", "4")
	if want := fmt.Sprintf("%s is in use: process %d", out, os.Getpid()); code != failed || !strings.Contains(errs, want) {
		t.Errorf("exit code %d, want %d and %q:\n%s", code, failed, want, errs)
	}
	check(t, release())
}

// TestTrainingAmongOthersFiles: a folder is no training's for names that any program may
// use, and nothing is written into it.
func TestTrainingAmongOthersFiles(t *testing.T) {
	data := tree(t, 4)
	for _, mine := range []string{"events.jsonl", "left-out.jsonl", "checkpoints/mine.pt"} {
		out := t.TempDir()
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(out, mine)), 0o777))
		check(t, os.WriteFile(filepath.Join(out, mine), []byte(`{"mine": 1}`), 0o666))
		goclipFails(t, misuse, "is not a training or a model", "train", "--data", data, "--out", out, "--steps", "1", "--batch-size", "4")
		if entries, err := os.ReadDir(out); err != nil || len(entries) != 1 {
			t.Errorf("%s: there are %v, error %v", mine, entries, err)
		}
	}
	goclipFails(t, misuse, "unknown flag --left-out", "train", "--data", data, "--out", t.TempDir(), "--left-out", "x")
}

// TestLeftOutIsWritten: the whole list, also where nothing else came out; a list in the
// place of another file is refused before the work.
func TestLeftOutIsWritten(t *testing.T) {
	data := tree(t, 4)
	model := tiny(t, data)
	dir := t.TempDir()
	bad, table := filepath.Join(dir, "bad.csv"), "image,caption\n"
	for i := range 7 {
		table += filepath.Base(write(t, filepath.Join(dir, fmt.Sprint(i, ".jpg")), "no image")) + ",a\n"
	}
	write(t, bad, table)
	list, mine := filepath.Join(dir, "list.jsonl"), write(t, filepath.Join(dir, "mine.txt"), "mine")
	for _, args := range [][]string{{"index", "--out", filepath.Join(dir, "x.index")}, {"eval", "--tasks", "retrieval"}} {
		args = append(args, "--model", model, "--data", bad, "--left-out")
		goclipFails(t, badInput, "none of 7 images can be used", append(args, list)...)
		text, err := os.ReadFile(list)
		if err != nil || strings.Count(string(text), "\n") != 7 || !strings.HasPrefix(string(text), fmt.Sprintf(`{"file":%q,"key":"0.jpg","reason":"pillow: `, bad)) {
			t.Errorf("%v: %s, error %v", args, text, err)
		}
		goclipFails(t, misuse, "is not a list of what was left out", append(args, mine)...)
		if text, err := os.ReadFile(mine); err != nil || string(text) != "mine" {
			t.Errorf("%v: the other file is %q, error %v", args, text, err)
		}
	}
	beside := write(t, filepath.Join(dir, "y.index.left-out.jsonl"), "mine")
	goclipFails(t, misuse, beside, "index", "--model", model, "--data", bad, "--out", filepath.Join(dir, "y.index"))
}

// TestOthersFiles: a folder with adapters or a tokenizer, but no model, is not taken
// for an empty one.
func TestOthersFiles(t *testing.T) {
	for _, name := range []string{"lora.safetensors", "tokenizer.json", "vocab.json", "preprocessor_config.json"} {
		out := t.TempDir()
		path := filepath.Join(out, name)
		check(t, os.WriteFile(path, []byte("mine"), 0o666))
		_, errs, code := goclip(t, "train", "--data", tree(t, 4), "--out", out, "--steps", "1", "--batch-size", "4")
		if code != misuse || !strings.Contains(errs, "--overwrite") {
			t.Errorf("%s: exit code %d, want %d and an error that names --overwrite:\n%s", name, code, misuse, errs)
		}
		if text, err := os.ReadFile(path); string(text) != "mine" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// TestHitsAreLines: a caption with ends of lines and control characters forges no hit.
func TestHitsAreLines(t *testing.T) {
	data := tree(t, 4)
	model := tiny(t, data)
	table := write(t, filepath.Join(data, "t.csv"), "image,caption\nred/0.png,\"a\n  0.999\tforged\x1b[2J\"\n")
	photos := filepath.Join(t.TempDir(), "photos.index")
	works(t, nil, "index", "--model", model, "--data", table, "--out", photos)
	out, errs, code := goclip(t, "search", "--model", model, "--index", photos, "red")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(lines) != 2 || !strings.Contains(lines[1], `"a\n  0.999\tforged\x1b[2J"`) {
		t.Errorf("exit code %d, %q\n%s", code, out, errs)
	}
}
