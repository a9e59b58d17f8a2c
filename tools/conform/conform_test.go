package main

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

// conform runs the program and returns its status and output.
func conform(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, notes bytes.Buffer
	status = run(context.Background(), args, &out, &notes)
	return status, out.String(), notes.String()
}

// lastLine is how the output ends.
var lastLine = regexp.MustCompile(`(?m)^(\d+) passed, (\d+) failed, (\d+) to come\n\z`)

// lines returns those that begin with prefix.
func lines(out, prefix string) string {
	var found strings.Builder
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, prefix) {
			found.WriteString(line)
		}
	}
	return found.String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFixtures: all reference data passes, of every kind.
func TestFixtures(t *testing.T) {
	status, out, notes := conform(t, "-v", golden.Fixtures(t))
	if status != 0 || !strings.HasSuffix(out, " passed, 0 failed, 0 to come\n") {
		t.Errorf("status %d\n%s%s", status, lines(out, "FAIL "), notes)
	}
	cases := strings.Count(out, "\nok ") + 1
	if m := lastLine.FindStringSubmatch(out); m == nil || m[1] != strconv.Itoa(cases) || cases < 500 {
		t.Errorf("%d cases, want at least 500, and their count at the end", cases)
	}
	for _, want := range []string{
		"model.pt", "state_dict.pt", "state_dict_legacy.pt", "epoch_3.pt", ".index.json", "open_clip_model.safetensors", " intermediates",
		"vit_train gradients", "vit_train_clamp adamw", "vit_train adamw_newrule", "losses infonce.", "losses siglip.",
		"cases.jsonl:", "open_clip_clean.jsonl:", "scaling/imagenet1k OpenAI", "preprocess/openai_224/", "preprocess/oc_", "_normalized/", "preprocess/rgb/",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no case is named …%s…", want)
		}
	}
}

// TestDamage: damaged reference data fails, and the line says what and where.
func TestDamage(t *testing.T) {
	vit := []string{"checkpoints/openai_vit", "activations/openai_vit.safetensors"}
	hf := []string{"checkpoints/hf_quickgelu_f32", "activations/hf_quickgelu_f32.safetensors", "activations/hf_quickgelu_f32.intermediates.safetensors"}
	training := []string{"gradients/vit_train.json", "gradients/vit_train.init.safetensors", "gradients/vit_train.grads.safetensors", "gradients/vit_train.adamw.safetensors"}
	losses := []string{"gradients/losses.json", "gradients/losses.safetensors"}
	captions := []string{"tokenizer/open_clip_clean.jsonl", "tokenizer/" + vocabName}
	pictures := []string{"preprocess"}
	for _, c := range []struct {
		name   string
		files  []string
		damage func(t *testing.T, dir string)
		failed string // how many cases fail; empty for any number
		want   string // in the line of one of them
	}{
		{"flipped feature", vit, bump("activations/openai_vit.safetensors", "text_features", 1e-3), "3", "openai_vit/model.pt: text_features: difference 0.00"},
		{"flipped logit", vit, bump("activations/openai_vit.safetensors", "logits_per_text", 1e-3), "3", "logits_per_text: difference 0.00"},
		{"NaN", vit, bump("activations/openai_vit.safetensors", "image_features_norm", float32(math.NaN())), "3", "image_features_norm: difference NaN"},
		{"removed feature", vit, remove("activations/openai_vit.safetensors", "text_features"), "3", "openai_vit.safetensors: the tensor text_features is missing"},
		{"extra feature", vit, add("activations/openai_vit.safetensors", "extra"), "3", "nothing is compared with extra"},
		{"truncated activations", vit, truncate("activations/openai_vit.safetensors"), "3", "activations/openai_vit.safetensors"},
		{"truncated weights", vit, truncate("checkpoints/openai_vit/model.pt"), "1", "FAIL checkpoints/openai_vit/model.pt: "},
		{"no activations", vit, unlink("activations/openai_vit.safetensors"), "3", "activations/openai_vit.safetensors: no such file"},
		{"no weights", vit, unlink("checkpoints/openai_vit/model.pt", "checkpoints/openai_vit/state_dict.pt", "checkpoints/openai_vit/state_dict_legacy.pt"), "1", "FAIL checkpoints/openai_vit: no weights"},
		{"no checkpoint", vit, unlink("checkpoints/openai_vit"), "1", "FAIL activations/openai_vit.safetensors: no case uses this file"},
		{"checkpoint that only the index has", slices.Concat(vit, []string{"checkpoints/index.json"}), nil, "", "FAIL checkpoints/oc_rn_f16: no weights"},
		{"stranger beside weights", vit, create("checkpoints/openai_vit/model.gguf"), "1", "FAIL checkpoints/openai_vit/model.gguf: no case uses this file"},
		{"flipped stage", hf, bump("activations/hf_quickgelu_f32.intermediates.safetensors", "text.embeddings", 1e-2), "1", "intermediates: text.embeddings: difference 0.0"},
		{"unknown stage", hf, add("activations/hf_quickgelu_f32.intermediates.safetensors", "vision.block0.new"), "1", "vision.block0.new: a stage of an unknown name"},
		{"stage of a block too many", hf, add("activations/hf_quickgelu_f32.intermediates.safetensors", "vision.block7"), "1", "vision.block7: the model has no parameter"},
		{"flipped gradient", training, bump("gradients/vit_train.grads.safetensors", "grad/logit_scale", 1e-3), "1", "vit_train gradients: grad/logit_scale: difference 0.00"},
		{"removed gradient", training, remove("gradients/vit_train.grads.safetensors", "grad/visual.proj"), "1", "the tensor grad/visual.proj is missing"},
		{"flipped key bias", training, bump("gradients/vit_train.adamw.safetensors", "final/transformer.resblocks.0.attn.in_proj_bias", 1e-3), "1", "in_proj_bias (query): difference 0.00"},
		{"removed parameter", training, remove("gradients/vit_train.adamw.safetensors", "final/visual.proj"), "1", "the tensor final/visual.proj is missing"},
		{"removed start", training, remove("gradients/vit_train.init.safetensors", "visual.proj"), "", "vit_train.init.safetensors: the tensor visual.proj is missing"},
		{"flipped loss in JSON", training, replace("gradients/vit_train.json", `"loss": 4.519`, `"loss": 4.529`), "1", "loss in the JSON file: difference 0.0"},
		{"another optimizer", training, replace("gradients/vit_train.json", `"AdamW"`, `"Lion"`), "", `optimizer.name is "Lion", want AdamW`},
		{"no steps", training, unlink("gradients/vit_train.adamw.safetensors"), "1", "vit_train.adamw.safetensors: no such file"},
		{"flipped loss", losses, bump("gradients/losses.safetensors", "siglip.d.loss", 1e-3), "1", "losses siglip.d: loss"},
		{"removed loss gradient", losses, remove("gradients/losses.safetensors", "infonce.a.grad_image_features"), "1", "the tensor infonce.a.grad_image_features is missing"},
		{"loss of an unknown kind", losses, add("gradients/losses.safetensors", "triplet.a.loss"), "1", "FAIL gradients/losses triplet.a: "},
		{"changed id", captions, replace("tokenizer/open_clip_clean.jsonl", "[320, 1125,", "[320, 1126,"), "1", "FAIL tokenizer/open_clip_clean.jsonl:1: lower from " + vocabName + ": difference 1, tolerance 0, first at 1: got 1125, want 1126"},
		{"no vocabulary", captions, unlink("tokenizer/" + vocabName), "", vocabName + ": no such file"},
		{"truncated vocabulary", captions, truncate("tokenizer/" + vocabName), "", "unexpected EOF"},
		{"no captions", captions, unlink("tokenizer/open_clip_clean.jsonl"), "1", "FAIL tokenizer: neither cases.jsonl nor"},
		{"flipped pixel", pictures, bump("preprocess/expected.safetensors", "oc_squash_64/noise.png", 0), "1", "FAIL preprocess/oc_squash_64/noise.png: from the file: difference 1, tolerance 0, at 0: got "},
		{"flipped decoded pixel", pictures, bump("preprocess/decoded.safetensors", "native/rgba.png", 0), "1", "FAIL preprocess/native/rgba.png: from the file: difference 1, tolerance 0, at 0: got "},
		{"picture without output", pictures, remove("preprocess/expected.safetensors", "openai_64/tall.png"), "1", "the tensor openai_64/tall.png is missing"},
		{"lossy picture without pixels", pictures, remove("preprocess/decoded.safetensors", "rgb/progressive.jpg"), "1", "no pixels of progressive.jpg in mode RGB"},
		{"output without picture", pictures, add("preprocess/expected.safetensors", "openai_64/new.png"), "1", "FAIL preprocess/openai_64/new.png: index.json has no such picture"},
		{"truncated picture", pictures, truncate("preprocess/images/odd.png"), "", "odd.png: "},
		{"unknown variant", pictures, replace("preprocess/index.json", `"resize_mode": "shortest"`, `"resize_mode": "shrink"`), "", `Resize is "shrink", want`},
		{"stranger among pictures", pictures, create("preprocess/images/new.png"), "1", "FAIL preprocess/images/new.png: no case uses this file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && slices.Equal(c.files, pictures) {
				t.Skip("all pictures")
			}
			dir := t.TempDir()
			for _, file := range c.files {
				clone(t, golden.Fixtures(t, filepath.FromSlash(file)), filepath.Join(dir, filepath.FromSlash(file)))
			}
			if c.damage != nil {
				c.damage(t, dir)
			}
			status, out, _ := conform(t, "-v", dir)
			count := lastLine.FindStringSubmatch(out)
			if status != 1 || count == nil || count[2] == "0" || c.failed != "" && count[2] != c.failed {
				t.Errorf("status %d and %q, want 1 and %s failed", status, count, c.failed)
			}
			if failures := lines(out, "FAIL "); !strings.Contains(failures, c.want) {
				t.Errorf("no failure has …%s…:\n%s", c.want, failures)
			}
		})
	}
}
