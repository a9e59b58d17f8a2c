package main

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
