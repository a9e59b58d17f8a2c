package encoder_test

import (
	"context"
	"fmt"
	"image"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// naFlex is a model of images as patches, at most 12 of 4 × 4 pixels.
func naFlex(t *testing.T) *encoder.Model {
	cfg := config()
	cfg.Vision = vision.NaFlex{
		ImageSize: [2]int{8, 12}, PatchSize: 4, PositionGrid: [2]int{2, 2}, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16,
		Activation: nn.GELU, NormEps: 1e-6, Interpolation: vision.Bilinear, Pool: vision.PoolMap, NoProjection: true,
	}
	cfg.Preprocess = &vision.Preprocess{
		PatchSize: 4, MaxPatches: 12, Resize: vision.ResizeSquash, Interpolation: vision.Bilinear, Std: [3]float32{1, 1, 1},
	}
	return model(t, cfg)
}

// TestGrids: an image of any shape has the same embedding alone and among others of other
// shapes, from its pixels and from its patches, whatever follows these.
func TestGrids(t *testing.T) {
	ctx := context.Background()
	m := naFlex(t)
	var imgs []image.Image
	for i, img := range someImages(40) {
		wide := image.NewNRGBA(image.Rect(0, 0, 5+i%9, 30-2*(i%14)))
		for y := range wide.Rect.Dy() {
			for x := range wide.Rect.Dx() {
				wide.Set(x, y, img.At(x%9, y%9))
			}
		}
		imgs = append(imgs, wide)
	}
	all, err := m.EncodeImages(ctx, imgs...)
	check(t, err)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p, seen := m.Config().Preprocess, map[[2]int]bool{}
	for i, img := range imgs {
		one, err := m.EncodeImages(ctx, img)
		check(t, err)
		same(t, fmt.Sprint("image ", i), one.Data, all.Row(i))
		patches := slices.Repeat([]float32{float32(math.NaN())}, 15*48)
		grid, err := p.Patches(patches[:p.Len()], img)
		check(t, err)
		seen[grid] = true
		features, err := m.PatchFeatures(ctx, patches, [][2]int{grid})
		check(t, err)
		nn.NormalizeRow(features.Data, features.Data)
		same(t, fmt.Sprint("patches of image ", i), features.Data, all.Row(i))
	}
	if len(seen) < 3 {
		t.Errorf("the images have the grids %v only", seen)
	}
}

// TestPatchFeaturesRefuses: patches that are no grid are an error that names the image.
func TestPatchFeaturesRefuses(t *testing.T) {
	ctx := context.Background()
	m := naFlex(t)
	for _, c := range []struct {
		n     int
		grids [][2]int
		want  string
	}{
		{48, [][2]int{{1, 1}, {1, 1}}, "48 values of patches for 2 images, want a multiple of 3 × P × P = 48 for each"},
		{48, nil, "48 values of patches for 0 images"},
		{2 * 48, [][2]int{{1, 1}, {1, 2}}, "image 1 has a grid of 1 × 2, want 1 to 1 patches"},
		{48, [][2]int{{0, 1}}, "image 0 has a grid of 0 × 1"},
		{48, [][2]int{{-1, -1}}, "image 0 has a grid of -1 × -1"},
		{48, [][2]int{{math.MaxInt, math.MaxInt}}, "want 1 to 1 patches"},
	} {
		_, err := m.PatchFeatures(ctx, make([]float32, c.n), c.grids)
		fails(t, c.want, err)
	}
	none, err := m.PatchFeatures(ctx, nil, nil)
	check(t, err)
	if none.N != 0 || none.Dim != 16 {
		t.Errorf("no images have %d features of %d", none.N, none.Dim)
	}
	_, err = model(t, config()).PatchFeatures(ctx, make([]float32, 48), [][2]int{{1, 1}})
	fails(t, "an image tower of family vit takes no patches", err)
}

// TestVectors: of an image's several vectors the nearest counts, and what needs one vector
// says so.
func TestVectors(t *testing.T) {
	ctx := context.Background()
	cfg := config()
	cfg.Vision = vision.BLIP2{
		ImageSize: [2]int{20, 28}, PatchSize: 8, Width: 24, Layers: 1, Heads: 3, EmbedDim: 16, Activation: nn.GELU, NormEps: 1e-6,
		QFormer: vision.QFormer{Queries: 3, Width: 8, Layers: 2, Heads: 2, Hidden: 12, CrossEvery: 2, NormEps: 1e-12},
	}
	m, imgs := model(t, cfg), someImages(30)
	all, err := m.EncodeImages(ctx, imgs...)
	check(t, err)
	if all.N != 30 || all.Dim != 16 || all.Vectors != 3 || len(all.Data) != 30*3*16 {
		t.Fatalf("got %d × %d × %d numbers, %d in all", all.N, all.Vectors, all.Dim, len(all.Data))
	}
	one, err := m.EncodeImages(ctx, imgs[17])
	check(t, err)
	same(t, "image 17", one.Data, all.Row(17))
	words, err := m.EncodeTexts(ctx, captions(1)...)
	check(t, err)
	best := math.Inf(-1)
	for v := range slices.Chunk(all.Row(17), 16) {
		var dot, norm float64
		for i, x := range v {
			dot, norm = dot+float64(x)*float64(words.Data[i]), norm+float64(x)*float64(x)
		}
		if !(math.Abs(norm-1) <= 1e-5) {
			t.Errorf("a vector has the squared length %g", norm)
		}
		best = max(best, dot)
	}
	ranked, err := m.RankImages(ctx, captions(1)[0], imgs...)
	check(t, err)
	at := slices.IndexFunc(ranked, func(r encoder.Ranked) bool { return r.Index == 17 })
	if got := ranked[at].Score; !(math.Abs(got-best) <= 1e-6) {
		t.Errorf("image 17 has the score %g, want %g", got, best)
	}
	labels := captions(3)
	c, err := m.NewClassifier(ctx, labels, "{}")
	check(t, err)
	predictions, err := c.Classify(ctx, imgs[17])
	check(t, err)
	texts, err := m.RankTexts(ctx, imgs[17], labels...)
	check(t, err)
	for i, p := range predictions {
		if p.Index != texts[i].Index || !(math.Abs(p.Similarity-texts[i].Score) <= 1e-6) {
			t.Errorf("place %d: classified %+v, ranked %+v", i, p, texts[i])
		}
	}
	fails(t, "embeddings have 3 vectors for each image, want one", all.Validate())
}
