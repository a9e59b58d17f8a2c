package encoder_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goclip/goclip/encoder"
)

// TestSaveAnother: a model is saved over itself without asking, over another only
// where that is asked for, and files beside it appear with it.
func TestSaveAnother(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if encoder.Saved(dir) {
		t.Error("a folder that is not there holds a model")
	}
	m, other := storable(t), storable(t)
	other.LogitScale().Data[0] = 1
	check(t, m.Save(dir))
	check(t, m.SaveAs(dir, encoder.OpenCLIP))
	if !encoder.Saved(dir) {
		t.Error("no model was found where one was saved")
	}
	fails(t, "the folder holds another model", m.SaveAs(dir, encoder.HuggingFace))
	fails(t, "the folder holds another model", other.Save(dir))
	fails(t, "the layout is missing", other.SaveAs(dir, ""))
	check(t, other.SaveWith(dir, encoder.HuggingFace, encoder.SaveOptions{Overwrite: true, Beside: map[string][]byte{"notes": []byte("x")}}))
	check(t, other.SaveAs(dir, encoder.HuggingFace))
	fails(t, "the folder holds another model", m.Save(dir))
	back, err := encoder.Load(dir, nil)
	check(t, err)
	if got := back.LogitScale().Data[0]; got != 1 {
		t.Errorf("logit_scale %g, want the other model's", got)
	}
	check(t, back.SaveAs(dir, encoder.HuggingFace))
	check(t, back.Close())
	if text, err := os.ReadFile(filepath.Join(dir, "notes")); string(text) != "x" {
		t.Errorf("beside the model: %q, %v", text, err)
	}
}

// TestSaveBesideOthers: a tokenizer that would be read with the model, or overwritten by
// it, is not lost and not mixed with it.
func TestSaveBesideOthers(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "tokenizer.json")
	check(t, os.WriteFile(name, []byte("mine"), 0o644))
	check(t, os.WriteFile(filepath.Join(dir, "lora.safetensors"), []byte("mine"), 0o644))
	m := storable(t)
	fails(t, "the folder holds tokenizer.json without a model", m.Save(dir))
	check(t, os.Remove(name))
	check(t, m.Save(dir))
	text, err := os.ReadFile(filepath.Join(dir, "lora.safetensors"))
	if string(text) != "mine" {
		t.Errorf("lora.safetensors: %q, %v", text, err)
	}
}

// TestEdited: a configuration that was changed by hand is read where that is asked for.
func TestEdited(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	check(t, storable(t).SaveAs(dir, encoder.OpenCLIP))
	name := filepath.Join(dir, "open_clip_config.json")
	text, err := os.ReadFile(name)
	check(t, err)
	check(t, os.WriteFile(name, append(text, '\n'), 0o644))
	_, err = encoder.Load(dir, nil)
	fails(t, "open_clip_config.json is not the one that was saved with open_clip_model.safetensors", err)
	m, err := encoder.Load(dir, &encoder.Options{Edited: true})
	check(t, err)
	check(t, m.Close())
}

// TestSavesNowhereElse: saving needs no temporary folder of the system, and a tokenizer
// that fails or panics leaves the folder as it was.
func TestSavesNowhereElse(t *testing.T) {
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, filepath.Join(t.TempDir(), "gone"))
	}
	dir := filepath.Join(t.TempDir(), "model")
	check(t, storable(t).Save(dir))
	before, err := os.ReadDir(dir)
	check(t, err)
	for want, tok := range map[string]failing{"disk full": {errors.New("disk full")}, "tokenizer: panic: out of tune": {}} {
		cfg := config()
		m, err := encoder.New(cfg, tok, 1)
		check(t, err)
		fails(t, want, m.SaveWith(dir, "", encoder.SaveOptions{Overwrite: true}))
		after, err := os.ReadDir(dir)
		check(t, err)
		if !slices.EqualFunc(before, after, func(a, b os.DirEntry) bool { return a.Name() == b.Name() }) {
			t.Errorf("the folder holds %v, want %v", after, before)
		}
	}
}

// failing is a tokenizer whose files cannot be written; without an error it panics.
type failing struct{ err error }

func (failing) Encode(dst []int32, s string) (int, bool) { return unsaved{}.Encode(dst, s) }
func (failing) VocabSize() int                           { return unsaved{}.VocabSize() }
func (f failing) Save(string) error {
	if f.err == nil {
		panic("out of tune")
	}
	return f.err
}
