package explain

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// towers are image towers of 16 features, with what can be said of them.
func towers() map[string]struct {
	vision             vision.Config
	gradients, patches bool
	grid               [2]int
} {
	vit := vision.ViT{
		ImageSize: [2]int{16, 24}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16,
		Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5,
	}
	mean, mapped := vit, vit
	mean.Pool = vision.PoolMean
	mapped.Pool, mapped.PoolQueries, mapped.PoolHeads = vision.PoolMap, 1, 2
	type row = struct {
		vision             vision.Config
		gradients, patches bool
		grid               [2]int
	}
	return map[string]row{
		"class token":    {vit, true, true, [2]int{2, 3}},
		"mean":           {mean, true, true, [2]int{2, 3}},
		"attention pool": {mapped, true, true, [2]int{2, 3}},
		"siglip": {vision.SigLIP{ImageSize: [2]int{16, 24}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, Activation: nn.GELUTanh, NormEps: 1e-6},
			true, true, [2]int{2, 3}},
		"registers": {vision.TIPS{ImageSize: [2]int{16, 24}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, Registers: 2, Activation: nn.GELU, NormEps: 1e-6, LayerScale: 1},
			true, false, [2]int{2, 3}},
		"rotary": {vision.EVA02{ImageSize: [2]int{16, 24}, PatchSize: 8, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16, RotaryGrid: 16},
			true, false, [2]int{2, 3}},
		"convnext": {vision.ConvNeXt{ImageSize: [2]int{64, 96}, Widths: [4]int{8, 8, 16, 16}, Depths: [4]int{1, 1, 2, 1}, EmbedDim: 16, NormEps: 1e-6, Head: vision.HeadMLP},
			true, false, [2]int{2, 3}},
		"resnet": {vision.ResNet{ImageSize: [2]int{64, 96}, Width: 8, EmbedDim: 16, Stages: [4]int{1, 1, 1, 1}},
			true, false, [2]int{2, 3}},
		"query transformer": {vision.BLIP2{
			ImageSize: [2]int{16, 24}, PatchSize: 8, Width: 16, Layers: 1, Heads: 2, EmbedDim: 16, Activation: nn.GELU, NormEps: 1e-6,
			QFormer: vision.QFormer{Queries: 3, Width: 8, Layers: 2, Heads: 2, Hidden: 12, CrossEvery: 2, NormEps: 1e-12},
		}, false, false, [2]int{}},
	}
}

func model(t *testing.T, v vision.Config) *encoder.Model {
	t.Helper()
	p := vision.CLIPPreprocess(0)
	p.Size = v.Dims().ImageSize
	m, err := encoder.New(encoder.Config{Vision: v, Preprocess: p, Text: text.Transformer{
		ContextLength: 40, VocabSize: 130, Width: 16, Layers: 1, Heads: 2, EmbedDim: v.Dims().EmbedDim,
		Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
	}}, letters.Tokenizer{}, 1)
	check(t, err)
	return m
}

func noise(w, h int) image.Image {
	rng, img := rand.New(rand.NewPCG(3, 3)), image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.IntN(256)) | uint8(i%4/3*255)
	}
	return img
}

// TestFamilies: what has a map has one of its grid, with the same bits on any number of
// cores, and what has none says which family it is.
func TestFamilies(t *testing.T) {
	ctx, img := context.Background(), noise(50, 40)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for name, f := range towers() {
		m := model(t, f.vision)
		for by, able := range map[Method]bool{Gradients: f.gradients, Patches: f.patches} {
			t.Run(name+", "+by.String(), func(t *testing.T) {
				runtime.GOMAXPROCS(1)
				want, err := Image(ctx, m, img, "a dog", Options{Method: by})
				if !able {
					if err == nil || !strings.Contains(err.Error(), "family "+f.vision.Family()) {
						t.Fatalf("got %v, want an error that names the family", err)
					}
					return
				}
				check(t, err)
				if want.Rows != f.grid[0] || want.Cols != f.grid[1] || len(want.Cells) != f.grid[0]*f.grid[1] {
					t.Fatalf("%d × %d with %d cells, want %v", want.Rows, want.Cols, len(want.Cells), f.grid)
				}
				if slices.Min(want.Cells) == slices.Max(want.Cells) {
					t.Errorf("all cells are %g", want.Cells[0])
				}
				for _, cores := range []int{2, 4} {
					runtime.GOMAXPROCS(cores)
					got, err := Image(ctx, m, img, "a dog", Options{Method: by})
					check(t, err)
					if !slices.Equal(got.Cells, want.Cells) {
						t.Errorf("on %d cores: got %v, want %v", cores, got.Cells, want.Cells)
					}
				}
			})
		}
	}
}

func TestBadInput(t *testing.T) {
	ctx, img := context.Background(), noise(20, 20)
	m := model(t, towers()["class token"].vision)
	closed := model(t, towers()["class token"].vision)
	check(t, closed.Close())
	broken := model(t, towers()["class token"].vision)
	broken.Vision().Params()[0].Data[0] = float32(math.NaN())
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	for name, c := range map[string]struct {
		call func() (*Map, error)
		want string
	}{
		"no model":     {func() (*Map, error) { return Image(ctx, nil, img, "a", Options{}) }, "model is nil"},
		"closed model": {func() (*Map, error) { return Image(ctx, closed, img, "a", Options{}) }, "closed"},
		"broken":       {func() (*Map, error) { return Image(ctx, broken, img, "a", Options{Method: Patches}) }, "overflow"},
		"no image":     {func() (*Map, error) { return Image(ctx, m, nil, "a", Options{}) }, "image is nil"},
		"no pixels":    {func() (*Map, error) { return Image(ctx, m, noise(0, 4), "a", Options{}) }, "no pixels"},
		"panics":       {func() (*Map, error) { return Image(ctx, m, bad{img}, "a", Options{}) }, "ouch"},
		"method":       {func() (*Map, error) { return Image(ctx, m, img, "a", Options{Method: 7}) }, "Method"},
		"canceled":     {func() (*Map, error) { return Image(canceled, m, img, "a", Options{}) }, "canceled"},
		"against self": {func() (*Map, error) { return Image(ctx, m, img, "a", Options{Against: []string{"a"}}) }, "no direction"},
		"short target": {func() (*Map, error) { return Vector(ctx, m, img, make([]float32, 3), Patches) }, "3 numbers, want the embeddings' 16"},
		"nil target":   {func() (*Map, error) { return Vector(ctx, nil, img, nil, Patches) }, "model is nil"},
		"not a number": {func() (*Map, error) { return Vector(ctx, m, img, slices.Repeat([]float32{float32(math.NaN())}, 16), 0) }, "not finite"},
	} {
		got, err := c.call()
		if err == nil || got != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want an error with %q", name, got, err, c.want)
		}
	}
	_, err := Image(ctx, m, bad{img}, "a", Options{})
	if image := (*encoder.ImageError)(nil); !errors.As(err, &image) {
		t.Errorf("got %v, want an ImageError", err)
	}
}

type bad struct{ image.Image }

func (bad) At(int, int) color.Color { panic("ouch") }

func TestMethodNames(t *testing.T) {
	for _, m := range []Method{Gradients, Patches} {
		b, err := m.MarshalText()
		check(t, err)
		var got Method
		if check(t, got.UnmarshalText(b)); got != m {
			t.Errorf("%s became %v", b, got)
		}
	}
	if err := new(Method).UnmarshalText([]byte("guess")); err == nil {
		t.Error("guess is a method")
	}
}
