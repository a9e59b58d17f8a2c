package checkpoint_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// model is what encoder makes of a checkpoint, as far as these tests need it.
type model struct {
	vision    vision.Tower
	text      text.Tower
	scale     *nn.Param
	bias      *nn.Param // nil without Spec.LogitBias
	captioner []*nn.Param
}

func blank(t testing.TB, s checkpoint.Spec) *model {
	t.Helper()
	v, err := s.Vision.New()
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.Text.New()
	if err != nil {
		t.Fatal(err)
	}
	m := &model{vision: v, text: x, scale: nn.NewParam("logit_scale"), captioner: s.Captioner.Params()}
	if s.LogitBias {
		m.bias = nn.NewParam("logit_bias")
	}
	return m
}

func (m *model) params() []*nn.Param {
	ps := append(m.vision.Params(), m.text.Params()...)
	ps = append(ps, m.scale)
	if m.bias != nil {
		ps = append(ps, m.bias)
	}
	return append(ps, m.captioner...)
}

// open opens a checkpoint and fills a model from it.
func open(t testing.TB, path string, opts *checkpoint.Options) (*checkpoint.Checkpoint, *model) {
	t.Helper()
	c, err := checkpoint.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := c.Spec()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	m := blank(t, s)
	if err := c.Fill(m.params()); err != nil {
		t.Fatal(err)
	}
	return c, m
}

// run computes one node of a graph.
func run(t testing.TB, g *G.ExprGraph, out *G.Node, err error) []float32 {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.NewMachine(g, out)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(out.Value().Data().([]float32))
}

func (m *model) encodeImages(t testing.TB, pixels []float32, shape ...int) []float32 {
	g := G.NewGraph()
	x := G.NewTensor(g, tensor.Float32, 4, G.WithName("pixels"), G.WithShape(shape...),
		G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(pixels))))
	y, err := m.vision.Forward(vision.Input{Pixels: x})
	return run(t, g, y, err)
}

func (m *model) encodeTexts(t testing.TB, ids []int32, n, length int) []float32 {
	g := G.NewGraph()
	pooled := make([]int32, n)
	cfg := m.text.Config()
	for i := range pooled {
		pooled[i] = int32(cfg.Row(ids[i*length : (i+1)*length]).Pooled)
	}
	leaf := func(name string, v []int32, shape ...int) *G.Node {
		return G.NewTensor(g, tensor.Int32, len(shape), G.WithName(name), G.WithShape(shape...),
			G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
	}
	y, err := m.text.Forward(text.Input{Tokens: leaf("ids", ids, n, length), Pooled: leaf("pooled", pooled, n)})
	return run(t, g, y, err)
}

// activations are the reference's inputs and outputs.
type activations struct {
	t testing.TB
	f *safetensors.File
}

func (a activations) floats(name string) ([]float32, []int) {
	a.t.Helper()
	info, ok := a.f.Info(name)
	if !ok {
		a.t.Fatalf("no tensor %s", name)
	}
	v := make([]float32, info.Len())
	if err := a.f.Float32(name, v); err != nil {
		a.t.Fatal(err)
	}
	return v, info.Shape
}

func (a activations) ids() ([]int32, int, int) {
	a.t.Helper()
	info, _ := a.f.Info("input_ids")
	v, err := a.f.Ints("input_ids")
	if err != nil {
		a.t.Fatal(err)
	}
	ids := make([]int32, len(v))
	for i, x := range v {
		ids[i] = int32(x)
	}
	return ids, info.Shape[0], info.Shape[1]
}

// fixtures lists the folders of the reference checkpoints.
func fixtures(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(golden.Fixtures(t, "checkpoints"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	if len(names) < 12 {
		t.Fatalf("only %d checkpoints: %v", len(names), names)
	}
	return names
}

// TestGoldenFeatures: every checkpoint of the reference, and every other file of
// the same model, opens, fills two towers without a tensor too many or too few,
// and they compute the reference's features and logits.
func TestGoldenFeatures(t *testing.T) {
	paths := fixtures(t)
	paths = append(paths, "openai_vit/state_dict.pt", "openai_vit/state_dict_legacy.pt", "oc_siglip_logitbias_f32/epoch_3.pt",
		"hf_quickgelu_f32/model.safetensors", "hf_quickgelu_f32_sharded/model.safetensors.index.json")
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			_, m := open(t, golden.Fixtures(t, "checkpoints", filepath.FromSlash(path)), nil)
			name, _, _ := strings.Cut(path, "/")
			checkFeatures(t, m, name)
		})
	}
}

func checkFeatures(t *testing.T, m *model, name string) {
	t.Helper()
	f, err := safetensors.Open(golden.Fixtures(t, "activations", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := activations{t, f}
	pixels, shape := a.floats("pixel_values")
	images := m.encodeImages(t, pixels, shape...)
	ids, n, length := a.ids()
	texts := m.encodeTexts(t, ids, n, length)

	// The fixtures' tolerances: relative to the largest feature, wider for the
	// ResNet; logits absolute.
	for _, c := range []struct {
		kind string
		got  []float32
		tol  float64
	}{{"image_features", images, 1e-5}, {"text_features", texts, 1e-5}} {
		want, _ := a.floats(c.kind)
		if c.kind == "image_features" && m.vision.Config().Family() == "resnet" {
			c.tol = 3e-5
		}
		near(t, c.kind, c.got, want, c.tol*largest(want))
	}
	want, _ := a.floats("logits_per_image")
	near(t, "logits_per_image", m.logits(images, texts, m.text.Config().Dims().EmbedDim), want, 1e-4)
}

// logits is exp(scale)·normalised images·normalised textsᵀ + bias.
func (m *model) logits(images, texts []float32, dim int) []float32 {
	dot := func(a, b []float32) (s float64) {
		for i := range a {
			s += float64(a[i]) * float64(b[i])
		}
		return s
	}
	var out []float32
	for im := range slices.Chunk(images, dim) {
		for tx := range slices.Chunk(texts, dim) {
			v := math.Exp(float64(m.scale.Data[0])) * dot(im, tx) / math.Sqrt(dot(im, im)*dot(tx, tx))
			if m.bias != nil {
				v += float64(m.bias.Data[0])
			}
			out = append(out, float32(v))
		}
	}
	return out
}

func largest(v []float32) float64 {
	var m float64
	for _, x := range v {
		m = max(m, math.Abs(float64(x)))
	}
	return m
}

func near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d elements, want %d", what, len(got), len(want))
		return
	}
	worst, at := 0.0, 0
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= tol) {
		t.Errorf("%s[%d]: got %v, want %v, difference %.2g, tolerance %.2g", what, at, got[at], want[at], worst, tol)
	}
}

// TestGoldenSpecs: what cannot be seen in features, or would hide there.
func TestGoldenSpecs(t *testing.T) {
	for name, want := range map[string]string{
		"hf_quickgelu_f32":         "huggingface quick_gelu quick_gelu eos 511 heads 1 1 image [32 32] shortest bicubic 0.48145467",
		"hf_gelu_f16":              "huggingface gelu gelu argmax 0 heads 2 1 image [40 40] shortest bicubic 0.48145467",
		"hf_quickgelu_bf16":        "huggingface quick_gelu quick_gelu eos 599 heads 4 3 image [64 64] shortest bicubic 0.48145467",
		"hf_quickgelu_f32_sharded": "huggingface quick_gelu quick_gelu eos 511 heads 2 1 image [36 36] shortest bicubic 0.48145467",
		"oc_gelu_nonsquare_f32":    "open_clip gelu gelu argmax 0 heads 4 4 image [32 48] squash bilinear 0.5",
		"oc_quickgelu_f32":         "open_clip quick_gelu quick_gelu argmax 0 heads 1 1 image [32 32] shortest bicubic 0.48145467",
		"oc_rn_f16":                "open_clip  quick_gelu argmax 0 heads 4 1 image [64 64] shortest bicubic 0.48145467",
		"oc_siglip_customtext_f32": "open_clip gelu gelu last 0 heads 1 2 image [32 32] squash bicubic 0.5",
		"openai_vit":               "openai quick_gelu quick_gelu argmax 0 heads 2 1 image [32 32] shortest bicubic 0.48145467",
		"openai_rn":                "openai  quick_gelu argmax 0 heads 4 1 image [64 64] shortest bicubic 0.48145467",
	} {
		c, err := checkpoint.Open(golden.Fixtures(t, "checkpoints", name), nil)
		if err != nil {
			t.Error(err)
			continue
		}
		s := c.Spec()
		p := s.Preprocess
		act, heads := "", 0
		switch v := s.Vision.(type) {
		case vision.ViT:
			act, heads = v.Activation.String(), v.Heads
		case vision.ResNet:
			heads = v.Heads
		}
		x := s.Text.(text.Transformer)
		got := fmt.Sprintf("%s %s %s %s %d heads %d %d image %v %s %s %v", s.Layout, act, x.Activation,
			x.Pool, x.EOSTokenID, heads, x.Heads, p.Size, p.Resize, p.Interpolation, p.Mean[0])
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		c.Close()
	}
}
