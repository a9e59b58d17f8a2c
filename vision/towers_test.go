package vision

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// timmTowers are small towers of timm's families, for images of 2 × 3 patches.
func timmTowers() []Config {
	size := [2]int{8, 12}
	return []Config{
		SigLIP{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, Activation: nn.GELU, NormEps: 1e-6},
		TimmViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-5},
		PECore{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, RotaryGrid: 24},
		PECore{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, RotaryGrid: 3, NoClassToken: true},
		EVA{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8},
		EVA{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, PostNorm: true},
		EVA02{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, RotaryGrid: 16},
		GapViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, LayerScale: 1},
		RelPosViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, LayerScale: 1, RelPosWidth: 5},
		ConvStemViT{ImageSize: [2]int{32, 48}, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8},
		FastViT{ImageSize: [2]int{32, 48}, Widths: [5]int{8, 16, 32, 64}, Depths: [5]int{1, 1, 1, 2}, EmbedDim: 8, MLPRatios: [5]float64{2, 2, 2, 2}},
		FastViT{ImageSize: [2]int{32, 48}, Widths: [5]int{4, 8, 16, 32, 64}, Depths: [5]int{1, 1, 1, 1, 1}, EmbedDim: 8},
		ViTamin{ImageSize: [2]int{32, 48}, ConvWidths: [2]int{8, 12}, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8},
		ViTamin{ImageSize: [2]int{40, 48}, ConvWidths: [2]int{8, 8}, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8, NoPositions: true},
		Swin{ImageSize: [2]int{36, 68}, Window: 4, Width: 8, Depths: [4]int{2, 2, 1, 1}, Heads: [4]int{1, 2, 2, 2}, EmbedDim: 8},
		EfficientNet{
			ImageSize: [2]int{21, 32}, StemWidth: 4, NormEps: 1e-3, Stages: [8]EfficientNetStage{
				{Blocks: 1, Width: 6, Kernel: 3, Stride: 1, Expand: 1}, {Blocks: 2, Width: 8, Kernel: 5, Stride: 2, Expand: 4},
				{Blocks: 1, Width: 8, Kernel: 3, Stride: 2, Expand: 2, EvenPadding: true},
			},
		},
		PlainViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-5, NormTwice: true},
		PlainViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-12, Pooler: true, ProjBias: true},
		TIPS{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, Registers: 2, Activation: nn.GELU, NormEps: 1e-6, LayerScale: 1},
		TIPS{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, Registers: 1, SwiGLU: true, Activation: nn.GELU, NormEps: 1e-6, LayerScale: 1},
		BLIP2{
			ImageSize: size, PatchSize: 4, Width: 16, Layers: 1, Heads: 2, EmbedDim: 4, Activation: nn.GELU, NormEps: 1e-6,
			QFormer: QFormer{Queries: 3, Width: 8, Layers: 3, Heads: 2, Hidden: 12, CrossEvery: 2, NormEps: 1e-12},
		},
		naFlexes()[0], naFlexes()[1], naFlexes()[2],
		ViT{
			ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-5,
			Pool: PoolClass, LayerScale: 1,
		},
	}
}

// randomTower has values everywhere, biases and norms included.
func randomTower(t *testing.T, c Config) Tower {
	t.Helper()
	tower, err := New(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(2, 2))
	for _, p := range tower.Params() {
		for i := range p.Data {
			p.Data[i] += float32(0.1 * rng.Float64())
		}
	}
	return tower
}

func randomPixels(n int) []float32 {
	rng, x := rand.New(rand.NewPCG(1, 1)), make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func towerFeatures(t *testing.T, tower Tower, pixels []float32) []float32 {
	t.Helper()
	size := tower.Config().Dims().ImageSize
	y, err := tower.Forward(Input{Pixels: pixelNode(G.NewGraph(), pixels, []int{len(pixels) / 3 / size[0] / size[1], 3, size[0], size[1]})})
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.NewMachine(y.Graph(), y)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(y.Value().Data().([]float32))
}

// TestTowersSameBits: an image's features are the same alone and among others, on one
// core and on several.
func TestTowersSameBits(t *testing.T) {
	for i, c := range timmTowers() {
		t.Run(fmt.Sprint(i, " ", c.Family()), func(t *testing.T) {
			d := c.Dims()
			each, tower := 3*d.ImageSize[0]*d.ImageSize[1], randomTower(t, c)
			pixels := randomPixels(5 * each)
			var want []float32
			for p := range slices.Chunk(pixels, each) {
				want = append(want, towerFeatures(t, tower, p)...)
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
			for _, cores := range []int{1, 4} {
				runtime.GOMAXPROCS(cores)
				if got := towerFeatures(t, tower, pixels); !slices.Equal(got, want) {
					t.Errorf("on %d cores: got %v, want %v", cores, got, want)
				}
			}
		})
	}
}

// TestTowersPatches: all patches in any order give the features of the whole image, and
// patches that are left out have no part in them.
func TestTowersPatches(t *testing.T) {
	for i, c := range timmTowers() {
		tower := randomTower(t, c)
		if _, ok := tower.(PatchDropper); !ok {
			continue
		}
		t.Run(fmt.Sprint(i, " ", c.Family()), func(t *testing.T) {
			size := c.Dims().ImageSize
			pixels := randomPixels(2 * 3 * size[0] * size[1])
			features := func(keep ...int32) []float32 {
				t.Helper()
				y, err := patchFeatures(tower, pixels, keep)
				if err != nil {
					t.Fatal(err)
				}
				return slices.Clone(y)
			}
			whole, shuffled := towerFeatures(t, tower, pixels), features(5, 3, 1, 0, 2, 4, 1, 0, 2, 3, 5, 4)
			for j := range whole {
				if diff := math.Abs(float64(whole[j] - shuffled[j])); !(diff <= 1e-5) {
					t.Fatalf("in another order feature %d is %g, want %g", j, shuffled[j], whole[j])
				}
			}
			some := features(0, 2, 0, 2)
			third := pixels[size[1]-1]
			pixels[size[1]-1] += 10
			if got := features(0, 2, 0, 2); slices.Equal(got, some) {
				t.Error("the pixels of a patch have no part in the features")
			}
			pixels[size[1]-1] = third
			pixels[size[1]/2] += 10 // in the second one
			if got := features(0, 2, 0, 2); !slices.Equal(got, some) {
				t.Errorf("the pixels of another patch have a part: got %v, want %v", got, some)
			}
		})
	}
}

// TestTowersValidate: what does not fit is refused by the field's name.
func TestTowersValidate(t *testing.T) {
	size := [2]int{8, 12}
	for _, c := range []struct {
		want string
		cfg  Config
	}{
		{"Heads is 3, which does not divide Width 16", TimmViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 1, Heads: 3, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-5}},
		{"Activation", TimmViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8, NormEps: 1e-5}},
		{"Heads is 8, of 2 channels each", PECore{ImageSize: size, PatchSize: 4, Width: 16, Layers: 1, Heads: 8, EmbedDim: 8, RotaryGrid: 2}},
		{"Width is 12, which does not split into 8 heads of pooling", PECore{ImageSize: size, PatchSize: 4, Width: 12, Layers: 1, Heads: 3, EmbedDim: 8, RotaryGrid: 2}},
		{"RotaryGrid is 0", PECore{ImageSize: size, PatchSize: 4, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8}},
		{"RotaryGrid is 0", EVA02{ImageSize: size, PatchSize: 4, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8}},
		{"PatchSize is 9", EVA{ImageSize: size, PatchSize: 9, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8}},
		{"LayerScale is 0", GapViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8}},
		{"LayerScale is NaN", RelPosViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8, LayerScale: math.NaN()}},
		{"RelPosWidth is 0", RelPosViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8, LayerScale: 1}},
		{"PatchSize is 16", ConvStemViT{ImageSize: size, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8}},
		{"Widths[3] is 48, want a multiple of 32", FastViT{ImageSize: [2]int{32, 32}, Widths: [5]int{8, 16, 16, 48}, Depths: [5]int{1, 1, 1, 1}, EmbedDim: 8}},
		{"Widths[2] is 24, want a multiple of 16", FastViT{ImageSize: [2]int{32, 32}, Widths: [5]int{8, 16, 24, 96}, Depths: [5]int{1, 1, 1, 1}, EmbedDim: 8}},
		{"Widths[4] is 0 beside 1 blocks", FastViT{ImageSize: [2]int{32, 32}, Widths: [5]int{8, 16, 32, 64}, Depths: [5]int{1, 1, 1, 1, 1}, EmbedDim: 8}},
		{"MLPRatios[0] is NaN", FastViT{ImageSize: [2]int{32, 32}, Widths: [5]int{8, 16, 32, 64}, Depths: [5]int{1, 1, 1, 1}, EmbedDim: 8, MLPRatios: [5]float64{math.NaN()}}},
		{"ConvWidths[1] is 0", ViTamin{ImageSize: [2]int{32, 48}, ConvWidths: [2]int{8}, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8}},
		{"Heads[1] is 3, which does not divide the stage's width 16", Swin{ImageSize: size, Window: 4, Width: 8, Depths: [4]int{1, 1, 1, 1}, Heads: [4]int{1, 3, 1, 1}, EmbedDim: 8}},
		{"Window is 0", Swin{ImageSize: size, Width: 8, Depths: [4]int{1, 1, 1, 1}, Heads: [4]int{1, 1, 1, 1}, EmbedDim: 8}},
		{"PositionGrid[1] is 0", NaFlex{ImageSize: size, PatchSize: 4, PositionGrid: [2]int{2}, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-6, Pool: PoolMap}},
		{"Pool is tok", NaFlex{ImageSize: size, PatchSize: 4, PositionGrid: [2]int{2, 2}, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-6, Pool: PoolClass}},
		{"EmbedDim is 8, but without projection", NaFlex{ImageSize: size, PatchSize: 4, PositionGrid: [2]int{2, 2}, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-6, Pool: PoolMap, NoProjection: true}},
		{"Stages[0].Blocks is 0", EfficientNet{ImageSize: [2]int{16, 16}, StemWidth: 4, NormEps: 1e-3}},
		{"Stages[0].Kernel is 4, want an odd number", EfficientNet{ImageSize: [2]int{16, 16}, StemWidth: 4, NormEps: 1e-3, Stages: [8]EfficientNetStage{
			{Blocks: 1, Width: 6, Kernel: 4, Stride: 1, Expand: 1},
		}}},
		{"Stages[2] is", EfficientNet{ImageSize: [2]int{16, 16}, StemWidth: 4, NormEps: 1e-3, Stages: [8]EfficientNetStage{
			{Blocks: 1, Width: 6, Kernel: 3, Stride: 1, Expand: 1}, {}, {Blocks: 1, Width: 6, Kernel: 3, Stride: 1, Expand: 1},
		}}},
		{"Registers is -1", TIPS{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, Registers: -1, Activation: nn.GELU, NormEps: 1e-6, LayerScale: 1}},
		{"LayerScale is 0", TIPS{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, Registers: 2, Activation: nn.GELU, NormEps: 1e-6}},
		{"NormEps is 0", PlainViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, Activation: nn.GELU}},
		{"QFormer.Heads is 3, which does not divide", BLIP2{
			ImageSize: size, PatchSize: 4, Width: 16, Layers: 1, Heads: 2, EmbedDim: 4, Activation: nn.GELU, NormEps: 1e-6,
			QFormer: QFormer{Queries: 3, Width: 8, Layers: 3, Heads: 3, Hidden: 12, CrossEvery: 2, NormEps: 1e-12},
		}},
		{"Width is 18, want a multiple of 4", ConvStemViT{ImageSize: [2]int{16, 16}, Width: 18, Layers: 1, Heads: 2, EmbedDim: 8}},
	} {
		if err := c.cfg.Validate(); err == nil || !strings.Contains(err.Error(), "vision: "+c.want) {
			t.Errorf("got error %v, want vision: %s…", err, c.want)
		}
	}
}

// TestBLIP2Trains: every parameter of the tower has a gradient, and twenty steps down it
// bring the vectors nearer to given ones. The trainer does not take a tower of several vectors.
func TestBLIP2Trains(t *testing.T) {
	tower := randomTower(t, BLIP2{
		ImageSize: [2]int{8, 12}, PatchSize: 4, Width: 16, Layers: 1, Heads: 2, EmbedDim: 4, Activation: nn.GELU, NormEps: 1e-6,
		QFormer: QFormer{Queries: 3, Width: 8, Layers: 2, Heads: 2, Hidden: 12, CrossEvery: 2, NormEps: 1e-12},
	})
	pixels, want := randomPixels(2*3*8*12), randomPixels(2*3*4)
	var first, last float64
	for step := range 20 {
		off, grads := towerGradients(t, tower, pixels, want)
		if last = off; step == 0 {
			first = off
		}
		for i, p := range tower.Params() {
			if !slices.ContainsFunc(grads[i], func(v float32) bool { return v != 0 }) {
				t.Fatalf("step %d: %s has no gradient", step, p.Name)
			}
			for j, g := range grads[i] {
				p.Data[j] -= 0.01 * g
			}
		}
	}
	if !(last < 0.8*first) {
		t.Errorf("the squared distance went from %g to %g in 20 steps, want less than four fifths", first, last)
	}
}

// towerGradients are half the squared distance of a tower's features of two images from
// given ones, and its gradient by each parameter.
func towerGradients(t *testing.T, tower Tower, pixels, want []float32) (off float64, grads [][]float32) {
	t.Helper()
	dy := towerFeatures(t, tower, pixels)
	for i := range dy {
		dy[i] -= want[i]
		off += float64(dy[i]) * float64(dy[i]) / 2
	}
	g, size := G.NewGraph(), tower.Config().Dims().ImageSize
	y, err := tower.Forward(Input{Pixels: pixelNode(g, pixels, []int{2, 3, size[0], size[1]})})
	if err != nil {
		t.Fatal(err)
	}
	var leaves []*G.Node
	for _, p := range tower.Params() {
		leaves = append(leaves, p.Node(g))
	}
	nodes, err := nn.VJP(G.Nodes{y}, G.Nodes{nn.Leaf(g, "dy", dy, y.Shape()...)}, leaves...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.NewMachine(g, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		grads = append(grads, slices.Clone(nn.Floats(n)))
	}
	return off, grads
}
