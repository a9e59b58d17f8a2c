package vision

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/nn"
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

// weights is a file of tensors, whatever its layout.
type weights interface {
	Names() []string
	Info(name string) (tensorfile.Info, bool)
	Float32(name string, dst []float32) error
}

func readTensor(t *testing.T, f weights, name string) (data []float32, shape []int) {
	t.Helper()
	info, ok := f.Info(name)
	if !ok {
		t.Fatalf("no tensor %q", name)
	}
	data = make([]float32, info.Len())
	if err := f.Float32(name, data); err != nil {
		t.Fatal(err)
	}
	return data, info.Shape
}

// loadResNet fills a tower from a checkpoint, whose image tower must have the
// tower's parameters, no more and no fewer.
func loadResNet(t *testing.T, f weights, cfg ResNet) Tower {
	t.Helper()
	tower, err := cfg.New()
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
	cfg := ResNet{ImageSize: [2]int{64, 64}, Width: 8, EmbedDim: 32, Stages: [4]int{1, 1, 1, 1}}
	checkpoint := openTensors(t, "checkpoints", "oc_rn_f16", "open_clip_model.safetensors")
	tower := loadResNet(t, checkpoint, cfg)
	acts := openTensors(t, "activations", "oc_rn_f16.safetensors")
	pixels, shape := readTensor(t, acts, "pixel_values")
	want, _ := readTensor(t, acts, "image_features")
	g := G.NewGraph()
	y, err := tower.Forward(Input{Pixels: pixelNode(g, pixels, shape)})
	if err != nil {
		t.Fatal(err)
	}
	runGraph(t, g, y)
	near(t, "image features", y.Value().Data().([]float32), want, 3e-5)
}

// TestResNetDifferentiable follows gradients from the features to the pixels and
// every trained parameter, along one direction each, against a difference of
// two runs.
func TestResNetDifferentiable(t *testing.T) {
	cfg := ResNet{ImageSize: [2]int{32, 64}, Width: 4, EmbedDim: 6, Heads: 2, Stages: [4]int{1, 2, 1, 1}}
	tower, err := New(cfg, 3)
	if err != nil {
		t.Fatal(err)
	}
	shape := []int{2, 3, 32, 64}
	pixels := make([]float32, 2*3*32*64)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range pixels {
		pixels[i] = float32(rng.NormFloat64())
	}
	for i, p := range tower.Params() {
		if strings.HasSuffix(p.Name, "running_var") || strings.HasSuffix(p.Name, "bn3.weight") {
			for j := range p.Data {
				p.Data[j] = 1 + 0.5*float32(math.Sin(float64(i+j)))
			}
		}
	}
	run := func(grads bool) (cost float64, out []*G.Node) {
		g := G.NewGraph()
		x := pixelNode(g, pixels, shape)
		y, err := tower.Forward(Input{Pixels: x})
		if err != nil {
			t.Fatal(err)
		}
		sum := G.Must(G.Sum(G.Must(G.Square(y))))
		wrt := []*G.Node{x}
		for _, p := range tower.Params() {
			if !p.Buffer {
				wrt = append(wrt, p.Node(g))
			}
		}
		if grads {
			if out, err = nn.Grad(sum, wrt...); err != nil {
				t.Fatal(err)
			}
		}
		runGraph(t, g, append(out, sum, y)...)
		for _, v := range y.Value().Data().([]float32) {
			cost += float64(v) * float64(v)
		}
		return cost, out
	}
	cost, grads := run(true)
	inputs := [][]float32{pixels}
	names := []string{"pixels"}
	for _, p := range tower.Params() {
		if !p.Buffer {
			inputs, names = append(inputs, p.Data), append(names, p.Name)
		}
	}
	for i, in := range inputs {
		// Along the gradient itself the cost grows by its squared length. The step
		// is small against the input; some kinks of ReLU lie in it, which cost up to
		// 2.3 %, and float32 rounds the two costs.
		grad := grads[i].Value().Data().([]float32)
		square := kernel.SumSquares(grad)
		if strings.HasSuffix(names[i], "k_proj.bias") {
			continue // the softmax does not see it
		}
		was := slices.Clone(in)
		step := 3e-3 * math.Sqrt((kernel.SumSquares(in)+1e-2)/square)
		move := func(by float64) float64 {
			for j := range in {
				in[j] = was[j] + float32(by*float64(grad[j]))
			}
			c, _ := run(false)
			return c
		}
		got := (move(step) - move(-step)) / (2 * step)
		copy(in, was)
		if diff, tol := math.Abs(got-square), 5e-2*square+3e-7*cost/step; !(diff <= tol) {
			t.Errorf("%s: the cost grows by %g along a gradient of squared length %g, tolerance %g", names[i], got, square, tol)
		}
	}
}

// TestResNetRows gives each image the features it has in another batch.
func TestResNetRows(t *testing.T) {
	tower, err := New(ResNet{ImageSize: [2]int{64, 64}, Width: 8, EmbedDim: 16, Stages: [4]int{1, 1, 1, 1}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	const each = 3 * 64 * 64
	pixels := make([]float32, 3*each)
	for i := range pixels {
		pixels[i] = float32(math.Sin(float64(i) * 0.37))
	}
	features := func(pixels []float32) []float32 {
		g := G.NewGraph()
		y, err := tower.Forward(Input{Pixels: pixelNode(g, pixels, []int{len(pixels) / each, 3, 64, 64})})
		if err != nil {
			t.Fatal(err)
		}
		runGraph(t, g, y)
		return y.Value().Data().([]float32)
	}
	all := features(pixels)
	for i := range 3 {
		if got, want := features(pixels[i*each:][:each]), all[i*16:][:16]; !slices.Equal(got, want) {
			t.Errorf("image %d alone: features %v, in a batch %v", i, got, want)
		}
	}
}

// TestResNetConfig names the field that does not fit.
func TestResNetConfig(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(c *ResNet)
	}{
		{"Stages[2] is 0, want 1 to 1000", func(c *ResNet) { c.Stages = [4]int{3, 4, 0, 3} }},
		{"ImageSize[1] is 31, want 32 or more", func(c *ResNet) { c.ImageSize[1] = 31 }},
		{"ImageSize[0] is 95, want 32 or more, and not one less", func(c *ResNet) { c.ImageSize[0] = 95 }},
		{"Width is 7, want an even number", func(c *ResNet) { c.Width = 7 }},
		{"Heads is 3, which does not divide 32·Width 256", func(c *ResNet) { c.Heads = 3 }},
		{"Heads is -1, want 0 to 1048576", func(c *ResNet) { c.Heads = -1 }},
		{"EmbedDim is 0, want 1 to 1048576", func(c *ResNet) { c.EmbedDim = 0 }},
	} {
		cfg := ResNet{ImageSize: [2]int{64, 64}, Width: 8, EmbedDim: 16, Stages: [4]int{1, 1, 1, 1}}
		c.change(&cfg)
		if _, err := cfg.New(); err == nil || !strings.HasPrefix(err.Error(), "vision: "+c.want) {
			t.Errorf("got error %v, want vision: %s …", err, c.want)
		}
	}
}

// TestResNetOddSize takes an image that no stride divides: each rounds down.
func TestResNetOddSize(t *testing.T) {
	tower, err := New(ResNet{ImageSize: [2]int{77, 94}, Width: 2, EmbedDim: 4, Stages: [4]int{1, 1, 1, 1}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	g := G.NewGraph()
	y, err := tower.Forward(Input{Pixels: pixelNode(g, make([]float32, 3*77*94), []int{1, 3, 77, 94})})
	if err != nil {
		t.Fatal(err)
	}
	runGraph(t, g, y)
}

// TestResNetSize counts RN50's trained numbers, 38.3 million as published.
func TestResNetSize(t *testing.T) {
	tower, err := (ResNet{ImageSize: [2]int{224, 224}, Width: 64, EmbedDim: 1024, Stages: [4]int{3, 4, 6, 3}}).New()
	if err != nil {
		t.Fatal(err)
	}
	var trained, statistics int
	for _, p := range tower.Params() {
		if p.Buffer {
			statistics += p.Size()
		} else {
			trained += p.Size()
		}
	}
	if trained != 38_316_896 || statistics != 53_248 {
		t.Errorf("%d trained numbers and %d statistics, want 38316896 and 53248", trained, statistics)
	}
}
