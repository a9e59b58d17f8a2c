package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// TestStatus: what is not there is a failure, of the run if not of a case.
func TestStatus(t *testing.T) {
	empty, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o644))
	for _, c := range []struct {
		args []string
		want int
		says string
	}{
		{[]string{empty}, 1, "no case found in [" + empty},
		{[]string{filepath.Join(empty, "none")}, 1, "no such file"},
		{[]string{file}, 1, "not a directory"},
		{[]string{"-vocab", filepath.Join(empty, "none.gz"), empty}, 1, "none.gz: no such file"},
		{[]string{}, 2, "usage: conform"},
		{[]string{"-to-come", "a,a", empty}, 1, "has a twice"},
		{[]string{"-to-come", "@" + filepath.Join(empty, "none"), empty}, 1, "no such file"},
		{[]string{"-run", "(", empty}, 2, "missing closing"},
	} {
		status, out, notes := conform(t, c.args...)
		if status != c.want || !strings.Contains(notes, c.says) {
			t.Errorf("conform %q: status %d and %q, want %d and …%s…", c.args, status, notes, c.want, c.says)
		}
		if c.want == 1 && out != "0 passed, 0 failed, 0 to come\n" {
			t.Errorf("conform %q printed %q", c.args, out)
		}
	}
}

// TestVocabElsewhere: -vocab stands in for the vocabulary of the folder.
func TestVocabElsewhere(t *testing.T) {
	dir := t.TempDir()
	clone(t, golden.Fixtures(t, "tokenizer", "open_clip_clean.jsonl"), filepath.Join(dir, "tokenizer", "open_clip_clean.jsonl"))
	vocab := golden.Fixtures(t, "tokenizer", vocabName)
	if status, out, notes := conform(t, "-vocab", vocab, dir); status != 0 {
		t.Errorf("status %d\n%s%s", status, out, notes)
	}
	if status, out, _ := conform(t, "-run", `:1$`, "-v", "-vocab", vocab, dir); status != 0 || !strings.HasSuffix(out, "\n1 passed, 0 failed, 0 to come\n") {
		t.Errorf("-run selected\n%s, want one case", out)
	}
	if status, _, notes := conform(t, "-run", `nothing`, dir); status != 1 || !strings.Contains(notes, "no case") {
		t.Errorf("-run that selects nothing: status %d and %q", status, notes)
	}
}

// TestVariantNormalisation: what a variant says of mean and deviation holds for
// that variant alone.
func TestVariantNormalisation(t *testing.T) {
	dir := t.TempDir()
	clone(t, golden.Fixtures(t, "preprocess"), filepath.Join(dir, "preprocess"))
	replace("preprocess/index.json", `"resize_mode": "squash"`, `"resize_mode": "squash", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]`)(t, dir)
	status, out, notes := conform(t, "-v", "-run", "oc_squash_64|normalized", dir)
	if status != 0 || !strings.Contains(out, "_normalized/") || !strings.Contains(out, "oc_squash_64/") {
		t.Errorf("status %d\n%s%s", status, out, notes)
	}
}

// TestOtherModel: a model that no fixture has is found, compared with what it
// computes and with its stages, and not taken for another.
func TestOtherModel(t *testing.T) {
	bias := -4.0
	cfg := encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{24, 40}, PatchSize: 8, Width: 24, Layers: 3, Heads: 3, EmbedDim: 12,
			Activation: nn.GELU, Pool: vision.PoolMean, NormAfterPool: true, NormEps: 1e-6,
		},
		Text: text.Transformer{
			ContextLength: 11, VocabSize: 60, Width: 20, Layers: 2, Heads: 2, EmbedDim: 12,
			Activation: nn.GELU, Mask: text.MaskNone, Pool: text.PoolLast, NormEps: 1e-6,
		},
		LogitScale: 2, LogitBias: &bias, Preprocess: vision.CLIPPreprocess(24),
	}
	cfg.Preprocess.Size = cfg.Vision.Dims().ImageSize
	m, err := encoder.New(cfg, nil, 7)
	check(t, err)
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "activations"), 0o755))
	check(t, m.Save(filepath.Join(dir, "checkpoints", "mine")))
	expect(t, m, filepath.Join(dir, "activations", "mine.safetensors"))
	for _, document := range []string{"generation_config.json", "notes.txt", ".gitattributes", "README.md"} {
		create("checkpoints/mine/"+document)(t, dir)
	}
	if status, out, notes := conform(t, dir); status != 0 || !strings.HasSuffix(out, "\n1 passed, 0 failed, 0 to come\n") {
		t.Errorf("status %d\n%s%s", status, out, notes)
	}
	other, err := encoder.New(cfg, nil, 8)
	check(t, err)
	check(t, other.SaveWith(filepath.Join(dir, "checkpoints", "mine"), "", encoder.SaveOptions{Overwrite: true}))
	if status, out, _ := conform(t, dir); status != 1 || !strings.HasPrefix(out, "FAIL checkpoints/mine/open_clip_model.safetensors: ") {
		t.Errorf("weights of another seed: status %d\n%s", status, out)
	}
}

// expect writes what m computes for some input.
func expect(t *testing.T, m *encoder.Model, path string) {
	t.Helper()
	cfg := m.Config()
	const images, texts = 2, 3
	pixels := make([]float32, images*3*cfg.Vision.Dims().ImageSize[0]*cfg.Vision.Dims().ImageSize[1])
	for i := range pixels {
		pixels[i] = float32(math.Sin(float64(i)))
	}
	ids := make([]int32, texts*cfg.Text.Dims().ContextLength)
	raw := make([]byte, 8*len(ids))
	for i := range ids {
		ids[i] = int32(i * 7 % cfg.Text.Dims().VocabSize)
		raw[8*i] = byte(ids[i])
	}
	all := []safetensors.Tensor{
		{Name: "pixel_values", Shape: []int{images, 3, cfg.Vision.Dims().ImageSize[0], cfg.Vision.Dims().ImageSize[1]}, Float32: pixels},
		{Name: "input_ids", DType: "I64", Shape: []int{texts, cfg.Text.Dims().ContextLength}, Raw: raw},
	}
	add := func(name string, x []float32, shape ...int) {
		all = append(all, safetensors.Tensor{Name: name, Shape: shape, Float32: append([]float32{}, x...)})
	}
	features := func(name string, e *encoder.Embeddings, err error) *encoder.Embeddings {
		check(t, err)
		add(name, e.Data, e.N, e.Dim)
		for i := range e.N {
			nn.NormalizeRow(e.Row(i), e.Row(i))
		}
		add(name+"_norm", e.Data, e.N, e.Dim)
		return e
	}
	i, err := m.ImageFeatures(context.Background(), pixels)
	i = features("image_features", i, err)
	x, err := m.TextFeatures(context.Background(), ids)
	x = features("text_features", x, err)
	scale, bias := math.Exp(float64(m.LogitScale().Data[0])), float64(m.LogitBias().Data[0])
	add("logits_per_image", logits(i, x, scale, bias), images, texts)
	add("logits_per_text", logits(x, i, scale, bias), texts, images)
	add("logit_scale_exp", []float32{float32(scale)})
	add("logit_bias", []float32{float32(bias)})
	check(t, safetensors.WriteFile(path, all, nil))
}

// TestVerdicts: a difference passes up to its tolerance, and what is no number,
// nothing, or no comparison at all never does.
func TestVerdicts(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name string
		run  func(*report) error
		ok   bool
	}{
		{"equal", func(r *report) error { r.near("x", []float32{1}, []float32{1}, 0); return nil }, true},
		{"at the tolerance", func(r *report) error { r.near("x", []float32{1}, []float32{1.5}, 0.5); return nil }, true},
		{"above", func(r *report) error { r.near("x", []float32{1}, []float32{1.5}, 0.49); return nil }, false},
		{"second above", func(r *report) error {
			r.near("x", []float32{1}, []float32{1}, 1)
			r.near("y", []float32{1}, []float32{3}, 1)
			return nil
		}, false},
		{"got NaN", func(r *report) error { r.near("x", []float32{1, nan, 1}, []float32{1, 1, 1}, 1); return nil }, false},
		{"both NaN", func(r *report) error { r.near("x", []float32{nan}, []float32{nan}, 1); return nil }, false},
		{"both infinite", func(r *report) error { r.near("x", []float32{inf}, []float32{inf}, 1); return nil }, false},
		{"tolerance NaN", func(r *report) error { r.near("x", []float32{1}, []float32{2}, math.NaN()); return nil }, false},
		{"another length", func(r *report) error { r.near("x", []float32{1, 1}, []float32{1}, 1); return nil }, false},
		{"empty", func(r *report) error { r.near("x", nil, nil, 1); return nil }, false},
		{"number", func(r *report) error { r.number("x", math.NaN(), 1, 1); return nil }, false},
		{"same", func(r *report) error { same(r, "x", []int{1, 2}, []int{1, 2}); return nil }, true},
		{"not same", func(r *report) error { same(r, "x", []int{1, 2}, []int{1, 3}); return nil }, false},
		{"fewer", func(r *report) error { same(r, "x", []int{1}, []int{1, 3}); return nil }, false},
		{"no comparison", func(*report) error { return nil }, false},
		{"error", func(r *report) error { r.number("x", 1, 1, 1); return errors.New("no") }, false},
		{"panic", func(*report) error { panic("no") }, false},
	} {
		var out bytes.Buffer
		u := &runner{out: &out, verbose: true}
		u.run(context.Background(), []testCase{{"group", c.name, func(_ context.Context, r *report) error { return c.run(r) }}})
		if got := u.totals(); got.Passed == 1 != c.ok || got.Cases != 1 || got.Passed+got.Failed != 1 {
			t.Errorf("%s: %+v, want passed %v\n%s", c.name, got, c.ok, out.String())
		}
	}
}

// TestInterrupt: after an interrupt no case starts, and the run has failed.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	started := 0
	one := testCase{"group", "one", func(_ context.Context, r *report) error {
		started++
		cancel()
		r.number("x", 1, 1, 0)
		return nil
	}}
	u := &runner{out: &bytes.Buffer{}}
	u.run(ctx, []testCase{one, one, one})
	if got := u.totals(); started != 1 || got.Cases != 0 {
		t.Errorf("%d cases started, %d count, want one that does not", started, got.Cases)
	}
	if status := run(ctx, []string{t.TempDir()}, &bytes.Buffer{}, &bytes.Buffer{}); status != 1 {
		t.Errorf("status %d, want 1", status)
	}
}
