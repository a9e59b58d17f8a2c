package encoder_test

import (
	"context"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// wide is a saved model whose rows are long enough for integers.
func wide(t *testing.T) string {
	t.Helper()
	cfg := config()
	vit(&cfg, func(c *vision.ViT) { c.Width, c.Heads, c.EmbedDim = 192, 3, 96 })
	transformer(&cfg, func(c *text.Transformer) { c.Width, c.Heads, c.EmbedDim = 128, 2, 96 })
	dir := filepath.Join(t.TempDir(), "model")
	if err := model(t, cfg).Save(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func loaded(t *testing.T, dir string, o encoder.Options) *encoder.Model {
	t.Helper()
	o.Tokenizer = letters.Tokenizer{}
	m, err := encoder.Load(dir, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func embedded(t *testing.T, m *encoder.Model, imgs []image.Image, texts []string) []float32 {
	t.Helper()
	a, err := m.EncodeImages(context.Background(), imgs...)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.EncodeTexts(context.Background(), texts...)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(a.Data, b.Data)
}

// TestInt8: embeddings by integers are near those by float32, the same bits alone, in any
// batch and on any number of cores, and belong to another model.
func TestInt8(t *testing.T) {
	dir := wide(t)
	plain, m := loaded(t, dir, encoder.Options{}), loaded(t, dir, encoder.Options{Precision: encoder.Int8})
	if m.Precision() != encoder.Int8 || plain.Precision() != encoder.Float32 {
		t.Fatalf("precisions are %v and %v", m.Precision(), plain.Precision())
	}
	if m.Fingerprint() == plain.Fingerprint() {
		t.Error("both have the same fingerprint")
	}
	for _, p := range m.Params() {
		if want := p.Adaptable() || p.Name == "visual.conv1.weight"; p.Quantized() != want {
			t.Errorf("%s: integers %t, want %t", p.Name, p.Quantized(), want)
		}
	}
	imgs, texts := someImages(9), captions(9)
	want := embedded(t, m, imgs, texts)
	near := embedded(t, plain, imgs, texts)
	const dim = 96
	for i := 0; i < len(want); i += dim {
		cosine := 0.0
		for j := range dim {
			cosine += float64(want[i+j]) * float64(near[i+j])
		}
		if !(cosine >= 0.995) || cosine > 1-1e-9 {
			t.Errorf("embedding %d has cosine %v with that of float32, want 0.995 or more, and not the same", i/dim, cosine)
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 4} {
		runtime.GOMAXPROCS(procs)
		again := loaded(t, dir, encoder.Options{Precision: encoder.Int8, BatchSize: 4})
		var alone []float32
		var words []float32
		for i := range imgs {
			e := embedded(t, again, imgs[i:i+1], texts[i:i+1])
			alone, words = append(alone, e[:dim]...), append(words, e[dim:]...)
		}
		for i, v := range slices.Concat(alone, words) {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Fatalf("with %d cores, alone: number %d is %v, in a batch %v", procs, i, v, want[i])
			}
		}
		if again.Fingerprint() != m.Fingerprint() {
			t.Error("the same model has two fingerprints")
		}
	}
}

// TestInt8Refuses: what cannot be with integers says so.
func TestInt8Refuses(t *testing.T) {
	dir := wide(t)
	for want, o := range map[string]encoder.Options{
		"weights cannot be trained":    {Precision: encoder.Int8, Trainable: true},
		"bfloat16, whose weights":      {Precision: encoder.BFloat16, Trainable: true},
		"is 77, want float32, float16": {Precision: 77},
	} {
		o.Tokenizer = letters.Tokenizer{}
		if _, err := encoder.Load(dir, &o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
	m := loaded(t, dir, encoder.Options{Precision: encoder.Int8})
	if err := m.AddLoRA(encoder.LoRA{Rank: 2}, 1); err == nil || !strings.Contains(err.Error(), "linear layers are integers") {
		t.Errorf("got error %v", err)
	}
	if err := m.SaveWith(t.TempDir(), "", encoder.SaveOptions{Precision: encoder.Int8}); err == nil || !strings.Contains(err.Error(), "never stored") {
		t.Errorf("got error %v", err)
	}
}

// TestInt8LeavesOutliers: a layer with a number far out stays float32, and gives what it gave.
func TestInt8LeavesOutliers(t *testing.T) {
	dir := wide(t)
	m := loaded(t, dir, encoder.Options{Trainable: true})
	spoilt := 0
	for _, p := range m.Params() {
		if p.Adaptable() || p.Name == "visual.conv1.weight" {
			for j := 0; j < p.Size(); j += p.Size() / p.Shape[0] {
				p.Data[j] = 40
			}
			spoilt++
		}
	}
	if err := m.SaveWith(dir, "", encoder.SaveOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	plain, whole := loaded(t, dir, encoder.Options{}), loaded(t, dir, encoder.Options{Precision: encoder.Int8})
	if spoilt == 0 || whole.Precision() != encoder.Float32 {
		t.Fatalf("%d layers with outliers, precision %v", spoilt, whole.Precision())
	}
	a, b := embedded(t, plain, someImages(3), captions(3)), embedded(t, whole, someImages(3), captions(3))
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("the embeddings differ")
	}
}

// TestInt8OutliersOfActivations: features that are far larger than others behind a norm, as
// those of trained models are, and weights that are small for them cost nothing.
func TestInt8OutliersOfActivations(t *testing.T) {
	dir := wide(t)
	m := loaded(t, dir, encoder.Options{Trainable: true})
	byName := map[string][]float32{}
	for _, p := range m.Params() {
		byName[p.Name] = p.Data
	}
	planted := 0
	for _, p := range m.Params() {
		norm := strings.NewReplacer("attn.in_proj_weight", "ln_1.", "mlp.c_fc.weight", "ln_2.").Replace(p.Name)
		gamma, ok := byName[norm+"weight"]
		if norm == p.Name || !ok {
			continue
		}
		beta, in := byName[norm+"bias"], p.Shape[1]
		for _, i := range []int{3, 77} {
			gamma[i], beta[i] = 120*gamma[i], 120*beta[i]
			for j := i; j < p.Size(); j += in {
				p.Data[j] /= 120
			}
			planted++
		}
	}
	if err := m.SaveWith(dir, "", encoder.SaveOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	plain, whole := loaded(t, dir, encoder.Options{}), loaded(t, dir, encoder.Options{Precision: encoder.Int8})
	if planted < 8 || whole.Precision() != encoder.Int8 {
		t.Fatalf("%d outliers, precision %v", planted, whole.Precision())
	}
	a, b := embedded(t, plain, someImages(9), captions(9)), embedded(t, whole, someImages(9), captions(9))
	for i := 0; i < len(a); i += 96 {
		cosine := 0.0
		for j := range 96 {
			cosine += float64(a[i+j]) * float64(b[i+j])
		}
		if !(cosine >= 0.995) {
			t.Errorf("embedding %d has cosine %v with that of float32, want 0.995 or more", i/96, cosine)
		}
	}
}
