package encoder_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

var weightsOf = map[string]string{encoder.OpenCLIP: "open_clip_model.safetensors", encoder.HuggingFace: "model.safetensors"}

// storable is a model that both layouts can express, with a tokenizer of its own.
func storable(t *testing.T) *encoder.Model {
	t.Helper()
	tok, err := tokenizer.TrainBPE(slices.Values([]string{"a red cat", "a blue dog", "the red dog"}), tokenizer.TrainOptions{VocabSize: 280})
	check(t, err)
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 12, Layers: 2, Heads: 3, EmbedDim: 10,
			Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 10, VocabSize: tok.VocabSize(), Width: 8, Layers: 1, Heads: 2, EmbedDim: 10,
			Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(16),
	}, tok, 5)
	check(t, err)
	m.LogitScale().Data[0] = 3.7182817
	return m
}

func saved(t *testing.T, m *encoder.Model, layout string) string {
	t.Helper()
	dir := t.TempDir()
	check(t, m.SaveAs(dir, layout))
	return dir
}

// embeddings are what a model makes of some images and captions.
func embeddings(t *testing.T, m *encoder.Model) []float32 {
	t.Helper()
	ctx := context.Background()
	images, err := m.EncodeImages(ctx, someImages(5)...)
	check(t, err)
	words, err := m.EncodeTexts(ctx, "a red cat", "Blue  DOG!", "", "a caption that is too long for this context")
	check(t, err)
	if words.Truncated != 1 {
		t.Errorf("%d captions truncated, want 1", words.Truncated)
	}
	return append(append(images.Data, words.Data...), m.LogitScale().Data...)
}

// TestSaveLoad: a model comes back bit for bit from either layout, from its
// folder or the file of weights, and so does its next copy.
func TestSaveLoad(t *testing.T) {
	m := storable(t)
	want := embeddings(t, m)
	for layout, file := range weightsOf {
		dir := saved(t, m, layout)
		for _, trainable := range []bool{false, true} {
			for _, path := range []string{dir, filepath.Join(dir, file)} {
				got, err := encoder.Load(path, &encoder.Options{Trainable: trainable, BatchSize: 2})
				check(t, err)
				same(t, layout, embeddings(t, got), want)
				if got.Trainable() != trainable {
					t.Errorf("%s: Trainable is %v, want %v", layout, got.Trainable(), trainable)
				}
				again := saved(t, got, layout)
				entries, err := os.ReadDir(dir)
				check(t, err)
				for _, e := range entries {
					if a, b := read(t, dir, e.Name()), read(t, again, e.Name()); a != b {
						t.Errorf("%s: %s differs after a second round", layout, e.Name())
					}
				}
				check(t, got.Close())
			}
		}
	}
	check(t, m.Close()) // of a model without a file
}

// TestTrainable: a model that is mapped from its file is not trained; one with
// memory of its own is, and the file stays as it was.
func TestTrainable(t *testing.T) {
	dir := saved(t, storable(t), encoder.OpenCLIP)
	before := read(t, dir, weightsOf[encoder.OpenCLIP])
	cfg := train.Config{LR: train.Constant(1e-2, 1)}
	mapped, err := encoder.Load(dir, nil)
	check(t, err)
	if _, err := train.New(mapped, cfg); err == nil || !strings.Contains(err.Error(), "load it with Options.Trainable") {
		t.Errorf("training a mapped model: got error %v", err)
	}
	want := embeddings(t, mapped)
	m, err := encoder.Load(dir, &encoder.Options{Trainable: true})
	check(t, err)
	trainer, err := train.New(m, cfg)
	check(t, err)
	imgs := someImages(3)
	for range 2 {
		_, err = trainer.Step(context.Background(), []dataset.Pair{
			{Image: imgs[0], Caption: "a red cat"}, {Image: imgs[1], Caption: "a blue dog"}, {Image: imgs[2], Caption: "the red dog"},
		})
		check(t, err)
	}
	if slices.Equal(embeddings(t, m), want) {
		t.Error("two steps of training changed no embedding")
	}
	if read(t, dir, weightsOf[encoder.OpenCLIP]) != before {
		t.Error("training wrote to the file")
	}
	same(t, "the mapped model", embeddings(t, mapped), want)
	check(t, m.Save(dir)) // over the file that is still mapped
	back, err := encoder.Load(dir, nil)
	check(t, err)
	same(t, "the trained model", embeddings(t, back), embeddings(t, m))
	same(t, "the mapped model", embeddings(t, mapped), want)
	check(t, errors.Join(back.Close(), m.Close(), mapped.Close()))
}

// TestLoadDamaged: weights that end early or differ in a bit are an error that
// names the file. Only in the header's metadata, which weights do without, may a
// bit pass; then the model is whole.
func TestLoadDamaged(t *testing.T) {
	m := storable(t)
	want := embeddings(t, m)
	for layout, file := range weightsOf {
		dir := saved(t, m, layout)
		good := []byte(read(t, dir, file))
		header := 8 + int(binary.LittleEndian.Uint64(good))
		load := func(bad []byte) error {
			check(t, os.WriteFile(filepath.Join(dir, file), bad, 0o666))
			got, err := encoder.Load(dir, nil)
			if err == nil {
				same(t, layout, embeddings(t, got), want)
				return got.Close()
			}
			if got != nil {
				t.Errorf("a model beside the error %v", err)
			}
			if !strings.HasPrefix(err.Error(), "encoder: ") || !strings.Contains(err.Error(), file) {
				t.Errorf("got error %v, want one with %s", err, file)
			}
			return err
		}
		for _, n := range []int{0, 7, 8, header / 2, header, header + 1, len(good) / 2, len(good) - 1} {
			if load(good[:n]) == nil {
				t.Errorf("%s: no error for %d of %d bytes", file, n, len(good))
			}
		}
		flip := func(bit int) error {
			bad := slices.Clone(good)
			bad[bit/8] ^= 1 << (bit % 8)
			return load(bad)
		}
		caught := 0
		for bit := 0; bit < 8*header; bit += 8*header/40 | 1 {
			if flip(bit) != nil {
				caught++
			}
		}
		if caught < 30 {
			t.Errorf("%s: %d flips of about 40 in the header were found, want 30 or more", file, caught)
		}
		for bit := 8 * header; bit < 8*len(good); bit += 8*(len(good)-header)/40 | 1 {
			if err := flip(bit); !errors.Is(err, safetensors.ErrChecksum) {
				t.Errorf("%s: bit %d of byte %d: got error %v, want %v", file, bit%8, bit/8, err, safetensors.ErrChecksum)
			}
		}
		if err := load(good); err != nil {
			t.Errorf("%s put back: %v", file, err)
		}
	}
}

// TestLoadRefuses: each file of a model that is missing or does not fit.
func TestLoadRefuses(t *testing.T) {
	m := storable(t)
	const config = "open_clip_config.json"
	for name, c := range map[string]struct {
		change func(dir string)
		want   []string // parts of the error
	}{
		"empty folder": {func(dir string) {
			for _, f := range []string{config, "open_clip_model.safetensors"} {
				check(t, os.Remove(filepath.Join(dir, f)))
			}
		}, []string{"no checkpoint is here; looked for goclip_config.json, open_clip_config.json, config.json"}},
		"no weights": {func(dir string) { check(t, os.Remove(filepath.Join(dir, "open_clip_model.safetensors"))) },
			[]string{"no checkpoint is here; looked for goclip_config.json, open_clip_model.safetensors"}},
		"no JSON": {func(dir string) { check(t, os.WriteFile(filepath.Join(dir, config), []byte("{"), 0o666)) },
			[]string{config}},
		"other sizes": {func(dir string) {
			edit(t, dir, config, `"layers": 2`, `"layers": 3`)
			edit(t, dir, config, `"embed_dim": 10`, `"embed_dim": 11`)
			edit(t, dir, config, `"context_length": 10`, `"context_length": 12`)
		}, []string{
			"does not fit the configuration: 12 tensors missing, 0 unexpected, 3 misshapen",
			"\n\tmissing: visual.transformer.resblocks.2.attn.in_proj_weight: want [36 12]",
			"\n\tmissing: visual.transformer.resblocks.2.mlp.c_proj.bias: want [12]",
			"\n\tmisshapen: positional_embedding: has [10 8], want [12 8]",
			"\n\tmisshapen: text_projection: has [8 10], want [8 11]",
			"\n\tmisshapen: visual.proj: has [12 10], want [12 11]",
		}},
		"half a tokenizer": {func(dir string) { check(t, os.Remove(filepath.Join(dir, "merges.txt"))) },
			[]string{"merges.txt is missing, of vocab.json and merges.txt"}},
		"truncated vocabulary": {func(dir string) {
			check(t, os.WriteFile(filepath.Join(dir, "vocab.json"), []byte(read(t, dir, "vocab.json")[:90]), 0o666))
		}, []string{"vocab.json: "}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := saved(t, m, encoder.OpenCLIP)
			c.change(dir)
			_, err := encoder.Load(dir, nil)
			for _, want := range append(c.want, dir) {
				if err == nil || !strings.HasPrefix(err.Error(), "encoder: ") || !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v\nwant one with %s", err, want)
				}
			}
		})
	}
	for _, path := range []string{"gone", "gone.safetensors"} {
		path = filepath.Join(t.TempDir(), path)
		if _, err := encoder.Load(path, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("got error %v, want %v with %s", err, fs.ErrNotExist, path)
		}
	}
}

// TestNoTokenizer: a folder without any gives a model for images and ids, and
// takes a tokenizer from the options if its ids fit.
func TestNoTokenizer(t *testing.T) {
	ctx := context.Background()
	m := storable(t)
	dir := saved(t, m, encoder.OpenCLIP)
	for _, f := range []string{"vocab.json", "merges.txt"} {
		check(t, os.Remove(filepath.Join(dir, f)))
	}
	got, err := encoder.Load(dir, nil)
	check(t, err)
	if _, err := got.EncodeTexts(ctx, "a cat"); err == nil || !strings.Contains(err.Error(), "the model has no tokenizer") {
		t.Errorf("got error %v, want that there is no tokenizer", err)
	}
	ids := make([]int32, 10)
	m.Tokenizer().Encode(ids, "a red cat")
	a, err := m.TextFeatures(ctx, ids)
	check(t, err)
	b, err := got.TextFeatures(ctx, ids)
	check(t, err)
	same(t, "features", b.Data, a.Data)
	check(t, got.Close())
	got, err = encoder.Load(dir, &encoder.Options{Tokenizer: m.Tokenizer()})
	check(t, err)
	same(t, "embeddings", embeddings(t, got), embeddings(t, m))
	check(t, got.Close())
	if _, err := encoder.Load(dir, &encoder.Options{Tokenizer: many{}}); err == nil || !strings.Contains(err.Error(), "the tokenizer has 100000 tokens, but Text.VocabSize is") {
		t.Errorf("got error %v, want that the tokenizer is too large", err)
	}
}

// many is a tokenizer with more tokens than models here.
type many struct{ letters.Tokenizer }

func (many) VocabSize() int { return 100000 }

// TestWordsThatAreNoUTF8 are read with U+FFFD in place of what is wrong.
func TestWordsThatAreNoUTF8(t *testing.T) {
	ctx := context.Background()
	m := storable(t)
	a, err := m.EncodeTexts(ctx, "a \xff cat", strings.Repeat("\xfe", 1<<16))
	check(t, err)
	b, err := m.EncodeTexts(ctx, "a \ufffd cat", strings.Repeat("\ufffd", 1<<16))
	check(t, err)
	same(t, "embeddings", a.Data, b.Data)
	for i, v := range a.Data {
		if math.IsNaN(float64(v)) {
			t.Fatalf("number %d is NaN", i)
		}
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	check(t, err)
	return string(data)
}

func edit(t *testing.T, dir, name, old, replacement string) {
	t.Helper()
	data := read(t, dir, name)
	if !strings.Contains(data, old) {
		t.Fatalf("%s has no %s:\n%s", name, old, data)
	}
	check(t, os.WriteFile(filepath.Join(dir, name), []byte(strings.Replace(data, old, replacement, 1)), 0o666))
}

// TestReadConfig: open_clip's two forms, completed by the tokenizer.
func TestReadConfig(t *testing.T) {
	const towers = `"embed_dim": 16, "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 24, "head_width": 12, "layers": 2},
		"text_cfg": {"context_length": 10, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1, "pool_type": "eos"}`
	for name, form := range map[string]string{
		"model_configs":         "{" + towers + "}",
		"open_clip_config.json": `{"model_cfg": {` + towers + `}, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5]}}`,
	} {
		cfg, err := encoder.ReadConfig(strings.NewReader(form), letters.Tokenizer{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v, w := cfg.Vision.(vision.ViT), cfg.Text.(text.Transformer); v.PatchSize != 8 || v.Heads != 2 || v.EmbedDim != 16 || w.VocabSize != (letters.Tokenizer{}).VocabSize() || w.Layers != 1 {
			t.Errorf("%s: got %+v", name, cfg)
		}
		ids := make([]int32, 10)
		n, _ := (letters.Tokenizer{}).Encode(ids, "cat")
		if got := cfg.Text.(text.Transformer).EOSTokenID; got != ids[n-1] {
			t.Errorf("%s: the end token is %d, want the tokenizer's %d", name, got, ids[n-1])
		}
		want := *vision.CLIPPreprocess(32)
		if name != "model_configs" {
			want.Mean = [3]float32{0.5, 0.5, 0.5}
		}
		if *cfg.Preprocess != want {
			t.Errorf("%s: preprocessing is %+v, want %+v", name, *cfg.Preprocess, want)
		}
		if _, err := encoder.New(cfg, letters.Tokenizer{}, 1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]string{
		``:                   "unexpected end of JSON",
		`null`:               "is null, want an object",
		`{"embed_dims": 16}`: "not supported: embed_dims",
		`{"embed_dim": 16, "vision_cfg": {"widht": 24}}`:                             "not supported: vision_cfg.widht",
		`{"embed_dim": 16, "vision_cfg": {"layers": 0}}`:                             "Layers is 0",
		`{"embed_dim": 16, "text_cfg": 3}`:                                           "text_cfg is 3, want an object",
		`{"embed_dim": 16, "vision_cfg": {}, "text_cfg": {"hf_model_name": "gpt2"}}`: "text_cfg.hf_model_name",
		strings.Repeat(" ", 2<<20):                                                   "more than 1048576 bytes",
	} {
		if _, err := encoder.ReadConfig(strings.NewReader(text), letters.Tokenizer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.50q: got error %v, want %q", text, err, want)
		}
	}
}
