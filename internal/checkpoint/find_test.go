package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/journal"
)

// TestFind: the file of weights in a folder, however programs call it; of two that are as
// good none is taken.
func TestFind(t *testing.T) {
	for _, c := range []struct{ files, want, err string }{
		{"config.json model.safetensors pytorch_model.bin", "model.safetensors", ""},
		{"config.json pytorch_model.bin.index.json pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json", ""},
		{"config.json model.safetensors model.fp16.safetensors", "model.safetensors", ""},
		{"config.json model.fp16.safetensors", "model.fp16.safetensors", ""},
		{"config.json model.safetensors.index.fp16.json model.fp16-00001-of-00002.safetensors", "model.safetensors.index.fp16.json", ""},
		{"config.json model.fp16.safetensors.index.json model.fp16-00001-of-00002.safetensors", "model.fp16.safetensors.index.json", ""},
		{"config.json model.fp16.safetensors model.bf16.safetensors", "", "name one of model.bf16.safetensors, model.fp16.safetensors"},
		{"config.json pytorch_model.fp16.bin", "pytorch_model.fp16.bin", ""},
		{"config.json checkpoint.pt", "checkpoint.pt", ""},
		{"config.json last.ckpt optimizer.pt scheduler.pt rng_state.pth rng_state_0.pth training_args.bin", "last.ckpt", ""},
		{"config.json optimizer.pt training_args.bin", "", "no checkpoint is here"},
		{"config.json best.pt last.pt", "", "name one of best.pt, last.pt"},
		{"config.json weights-00001-of-00002.bin", "", "no checkpoint is here"},
		{"open_clip_config.json epoch_2.pt epoch_10.pt epoch_latest.pt", "epoch_10.pt", ""},
		{"open_clip_config.json config.json model.safetensors", "model.safetensors", ""},
		{"open_clip_config.json finetuned.pt", "finetuned.pt", ""},
		{"ViT-B-32.pt", "ViT-B-32.pt", ""},
		{"model.fp16.safetensors", "", "no checkpoint is here; looked for goclip_config.json"},
		{"checkpoint-500/config.json checkpoint-1000/config.json logs/x", "", "name one of the folders in it that have a configuration: checkpoint-1000, checkpoint-500"},
		{"", "", "no checkpoint is here"},
	} {
		dir := t.TempDir()
		for _, name := range strings.Fields(c.files) {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		v := journal.Open(dir)
		got, err := find(v)
		v.Close()
		if got != c.want || (c.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %q, error %v; want %q, %q", c.files, got, err, c.want, c.err)
		}
	}
}

// TestModules: the CLIPModel of sentence-transformers is where its list of modules says,
// in the folder.
func TestModules(t *testing.T) {
	const clip = `"type": "sentence_transformers.models.CLIPModel"`
	for _, c := range []struct{ text, want, err string }{
		{``, "", ""},
		{`[{"path": "0_CLIPModel", ` + clip + `}]`, "0_CLIPModel", ""},
		{`[{"path": "", "type": "sentence_transformers.sentence_transformer.modules.clip_model.CLIPModel"}]`, "", ""},
		{`[{"path": "0_CLIPModel", ` + clip + `}, {"path": "1", "type": "x.Normalize"}]`, "0_CLIPModel", ""},
		{`[{"path": "0_CLIPModel", ` + clip + `}, {"path": "1", "type": "x.Dense"}]`, "", "x.Dense behind the CLIPModel is not supported"},
		{`[{"path": "", "type": "sentence_transformers.models.Transformer"}]`, "", ""},
		{`[{"path": "../other", ` + clip + `}]`, "", "want the name of a folder in it"},
		{`[{"path": "a/b", ` + clip + `}]`, "", "want the name of a folder in it"},
		{`[{"path": "/etc", ` + clip + `}]`, "", "want the name of a folder in it"},
		{`{}`, "", "modules.json: json"},
		{`[]`, "", ""},
	} {
		dir := t.TempDir()
		if c.text != "" {
			if err := os.WriteFile(filepath.Join(dir, modulesFile), []byte(c.text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		got, err := clipModule(dir)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got error %v, want %q", c.text, err, c.err)
			}
		} else if err != nil || got != filepath.Join(dir, c.want) {
			t.Errorf("%s: got %q, error %v; want %q", c.text, got, err, c.want)
		}
	}
}
