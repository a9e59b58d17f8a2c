package vision

import (
	"math"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/nn"
	"github.com/goclip/goclip/internal/safetensors"
)

func openTensors(t *testing.T, elem ...string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(golden.Fixtures(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func readTensor(t *testing.T, f *safetensors.File, name string) (data []float32, shape []int) {
	t.Helper()
	info, ok := f.Info(name)
	if !ok {
		t.Fatalf("no tensor %q", name)
	}
	data = make([]float32, tensor.Shape(info.Shape).TotalSize())
	if err := f.Float32(name, data); err != nil {
		t.Fatal(err)
	}
	return data, info.Shape
}

// loadResNet fills a tower from a checkpoint, whose image tower must have the
// tower's parameters, no more and no fewer.
func loadResNet(t *testing.T, f *safetensors.File, cfg Config) *Tower {
	t.Helper()
	tower, err := Blank(cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]bool)
	for _, name := range f.Names() {
		if strings.HasPrefix(name, "visual.") && !strings.HasSuffix(name, ".num_batches_tracked") {
			want[name] = true
		}
	}
	for _, p := range tower.Params() {
		if !want[p.Name] {
			t.Fatalf("the checkpoint has no %s, or it is listed twice", p.Name)
		}
		delete(want, p.Name)
		var shape []int
		if p.Data, shape = readTensor(t, f, p.Name); !slices.Equal(shape, p.Shape) {
			t.Fatalf("%s has shape %v, the checkpoint's %v", p.Name, p.Shape, shape)
		}
	}
	for name := range want {
		t.Errorf("the tower has no %s", name)
	}
	return tower
}

func pixelNode(g *G.ExprGraph, pixels []float32, shape []int) *G.Node {
	return G.NewTensor(g, tensor.Float32, len(shape), G.WithName("pixels"), G.WithShape(shape...),
		G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(pixels))))
}

func runGraph(t *testing.T, g *G.ExprGraph, keep ...*G.Node) {
	t.Helper()
	m, err := nn.NewMachine(g, keep...)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(); err != nil {
		t.Fatal(err)
	}
}

func near(t *testing.T, what string, got, want []float32, relative float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", what, len(got), len(want))
	}
	var top float64
	for _, v := range want {
		top = max(top, math.Abs(float64(v)))
	}
	for i := range want {
		if diff := math.Abs(float64(got[i]) - float64(want[i])); !(diff <= relative*top) {
			t.Fatalf("%s: element %d is %g, want %g, tolerance %g", what, i, got[i], want[i], relative*top)
		}
	}
}

// TestResNetFeatures compares the features of a small ModifiedResNet with
// open_clip's.
func TestResNetFeatures(t *testing.T) {
	cfg := Config{ImageSize: [2]int{64, 64}, Width: 8, EmbedDim: 32, Stages: []int{1, 1, 1, 1}}
	weights := openTensors(t, "checkpoints", "oc_rn_f16", "open_clip_model.safetensors")
	tower := loadResNet(t, weights, cfg)
	acts := openTensors(t, "activations", "oc_rn_f16.safetensors")
	pixels, shape := readTensor(t, acts, "pixel_values")
	want, _ := readTensor(t, acts, "image_features")
	g := G.NewGraph()
	y, err := tower.Forward(pixelNode(g, pixels, shape))
	if err != nil {
		t.Fatal(err)
	}
	runGraph(t, g, y)
	near(t, "image features", y.Value().Data().([]float32), want, 3e-5)
}
