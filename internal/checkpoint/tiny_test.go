package checkpoint_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// tinySpec is a model that every layout can hold.
func tinySpec() checkpoint.Spec {
	return checkpoint.Spec{
		Vision: vision.ViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 12, Layers: 2, Heads: 3, EmbedDim: 10,
			MLPRatio: 2.5, Activation: nn.QuickGELU, NormEps: 1e-5, Pool: vision.PoolClass,
		},
		Text: text.Transformer{
			ContextLength: 6, VocabSize: 20, Width: 8, Layers: 1, Heads: 2, EmbedDim: 10,
			MLPRatio: 4, Activation: nn.QuickGELU, NormEps: 1e-6, Mask: text.MaskCausal, Pool: text.PoolEOS, EOSTokenID: 19,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{16, 16}, Resize: vision.ResizeShortest, Interpolation: vision.Bicubic,
			Mean: [3]float32{0.48145466, 0.4578275, 0.40821073}, Std: [3]float32{0.26862954, 0.26130258, 0.27577711},
		},
		InitLogitScale: 2.6592,
	}
}

// vit and transformer change a tower of a spec.
func vit(s *checkpoint.Spec, change func(c *vision.ViT)) {
	c := s.Vision.(vision.ViT)
	change(&c)
	s.Vision = c
}

func transformer(s *checkpoint.Spec, change func(c *text.Transformer)) {
	c := s.Text.(text.Transformer)
	change(&c)
	s.Text = c
}

// random gives a model of the spec weights, all of them different.
func random(t testing.TB, s checkpoint.Spec) *model {
	t.Helper()
	m := blank(t, s)
	n := float32(1)
	for _, p := range m.params() {
		p.Data = make([]float32, p.Size())
		for i := range p.Data {
			p.Data[i] = n / 64
			n++
		}
	}
	return m
}

// saved writes a random model and returns its folder.
func saved(t testing.TB, layout string, s checkpoint.Spec) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := save(dir, layout, s, random(t, s).params()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rewrite changes the tensors of a safetensors file.
func rewrite(t testing.TB, path string, change func([]safetensors.Tensor) []safetensors.Tensor) {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var tensors []safetensors.Tensor
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		raw, err := f.Bytes(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, safetensors.Tensor{Name: name, DType: info.DType, Shape: info.Shape, Raw: raw})
	}
	f.Close()
	if err := safetensors.WriteFile(path, change(tensors), nil); err != nil {
		t.Fatal(err)
	}
}

// edit replaces text in a file, which must be there.
func edit(t testing.TB, path, old, new string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		t.Fatalf("%s does not contain %q:\n%s", path, old, b)
	}
	write(t, path, strings.Replace(string(b), old, new, 1))
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// sameParams compares names, shapes and bits.
func sameParams(t testing.TB, got, want []*nn.Param) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d parameters, want %d", len(got), len(want))
	}
	for i, p := range got {
		q := want[i]
		if p.Name != q.Name || !slices.Equal(p.Shape, q.Shape) || !slices.Equal(p.Data, q.Data) {
			t.Errorf("%s%v differs from %s%v", p.Name, p.Shape, q.Name, q.Shape)
		}
	}
}

// save writes a model to a folder without one, and replace to any.
func save(dir, layout string, s checkpoint.Spec, params []*nn.Param, files ...checkpoint.File) error {
	_, err := checkpoint.Save(dir, layout, s, params, nil, files...)
	return err
}

func replace(dir, layout string, s checkpoint.Spec, params []*nn.Param, files ...checkpoint.File) error {
	_, err := checkpoint.Save(dir, layout, s, params, &checkpoint.SaveOptions{Overwrite: true}, files...)
	return err
}
