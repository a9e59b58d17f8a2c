package vision

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// naFlexes are small towers, for pictures of 2 × 3 patches where they are pixels.
func naFlexes() []NaFlex {
	c := NaFlex{
		ImageSize: [2]int{8, 12}, PatchSize: 4, PositionGrid: [2]int{2, 2}, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8,
		Activation: nn.GELU, NormEps: 1e-6,
	}
	mean, gated, siglip := c, c, c
	mean.Pool, mean.Registers, mean.LayerScale = PoolMean, 3, 1
	gated.Pool, gated.Registers, gated.SwiGLU, gated.LayerScale, gated.MLPRatio = PoolMap, 1, true, 1, 2
	siglip.Pool, siglip.NoProjection, siglip.EmbedDim, siglip.Interpolation = PoolMap, true, 16, Bilinear
	return []NaFlex{mean, gated, siglip}
}

// gridFeatures runs a tower on pictures as patches, which are padded to n with a number.
func gridFeatures(t *testing.T, tower Tower, n int, padding float32, pictures []patched) []float32 {
	t.Helper()
	each := 3 * tower.Config().(NaFlex).PatchSize * tower.Config().(NaFlex).PatchSize
	var patches []float32
	var grids []int32
	for _, p := range pictures {
		grids = append(grids, int32(p.grid[0]), int32(p.grid[1]))
		patches = append(append(patches, p.patches...), slices.Repeat([]float32{padding}, n*each-len(p.patches))...)
	}
	g := G.NewGraph()
	y, err := tower.Forward(Input{Patches: nn.Leaf(g, "patches", patches, len(pictures), n, each), Grid: nn.Leaf(g, "grids", grids, len(pictures), 2)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.NewMachine(g, y)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(nn.Floats(y))
}

type patched struct {
	grid    [2]int
	patches []float32
}

func patchesOf(rows, cols int) patched {
	return patched{[2]int{rows, cols}, randomPixels(rows * cols * 48)}
}

// TestNaFlexSameBits: a picture's features are the same alone and among pictures of other
// grids, whatever the padding is and how much of it there is, on any number of cores.
func TestNaFlexSameBits(t *testing.T) {
	pictures := []patched{patchesOf(2, 3), patchesOf(1, 7), patchesOf(3, 3), patchesOf(2, 3), patchesOf(1, 1), patchesOf(5, 1)}
	for i, c := range naFlexes() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			tower := randomTower(t, c)
			var want []float32
			for _, p := range pictures {
				want = append(want, gridFeatures(t, tower, p.grid[0]*p.grid[1], 0, []patched{p})...)
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
			for _, cores := range []int{1, 4} {
				for _, n := range []int{9, 12, 300} {
					runtime.GOMAXPROCS(cores)
					if got := gridFeatures(t, tower, n, float32(cores), pictures); !slices.Equal(got, want) {
						t.Errorf("padded to %d on %d cores: got %v, want %v", n, cores, got, want)
					}
				}
			}
		})
	}
}

// TestNaFlexPixels: a picture that is given as pixels has the features of its patches.
func TestNaFlexPixels(t *testing.T) {
	for i, c := range naFlexes() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			tower, pixels := randomTower(t, c), randomPixels(3*8*12)
			p := patched{grid: [2]int{2, 3}}
			for j := range 6 * 48 {
				ch, col, row, patch := j%3, j/3%4, j/12%4, j/48
				p.patches = append(p.patches, pixels[(ch*8+patch/3*4+row)*12+patch%3*4+col])
			}
			want := gridFeatures(t, tower, 8, 0, []patched{p})
			for j, v := range towerFeatures(t, tower, pixels) {
				if diff := math.Abs(float64(v - want[j])); !(diff <= 1e-5) {
					t.Fatalf("feature %d is %g, want %g", j, v, want[j])
				}
			}
		})
	}
}

// TestPreprocessGrid: an image becomes as many patches as fit, at about its shape. The
// values are Siglip2ImageProcessor's (transformers 5.24).
func TestPreprocessGrid(t *testing.T) {
	p := &Preprocess{PatchSize: 4, MaxPatches: 50, Resize: ResizeSquash, Std: [3]float32{1, 1, 1}}
	for size, want := range map[[2]int][2]int{{500, 1}: {50, 1}, {1, 500}: {1, 50}, {3, 3}: {7, 7}} {
		if got := p.Grid(size[0], size[1]); got != want {
			t.Errorf("an image of %v becomes %v patches, want %v", size, got, want)
		}
	}
	for h := 1; h < 2000; h = h*3 + 1 {
		for w := 1; w < 2000; w = w*2 + 1 {
			if g := p.Grid(h, w); g[0] < 1 || g[1] < 1 || g[0]*g[1] > 50 {
				t.Errorf("an image of %d × %d becomes %v patches", h, w, g)
			}
		}
	}
}

// TestPreprocessPatches: patches are the pixels in the order of row, column and channel,
// and zeros behind them.
func TestPreprocessPatches(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 4, 2))
	for i := range 8 {
		img.SetRGBA(i%4, i/4, color.RGBA{uint8(10 * i), uint8(10*i + 1), uint8(10*i + 2), 255})
	}
	p := &Preprocess{PatchSize: 2, MaxPatches: 3, Resize: ResizeSquash, Std: [3]float32{1, 1, 1}}
	dst := slices.Repeat([]float32{7}, p.Len())
	grid, err := p.Patches(dst, img)
	if err != nil || grid != [2]int{1, 2} {
		t.Fatalf("got a grid of %v, error %v, want 1 × 2", grid, err)
	}
	for i, v := range dst {
		ch, col, row, patch := i%3, i/3%2, i/6%2, i/12
		want := float32(10*(row*4+patch*2+col)+ch) / 255
		if patch == 2 {
			want = 0
		}
		if v != want {
			t.Errorf("number %d is %g, want %g", i, v, want)
		}
	}
	if rgb, err := p.RGB(img); err != nil || rgb.Bounds().Dx() != 4 || rgb.Bounds().Dy() != 2 {
		t.Errorf("RGB gives %v, error %v", rgb.Bounds(), err)
	}
	for want, f := range map[string]func() error{
		"images become patches, which Patches makes": func() error { return p.Image(dst, img) },
		"dst has 3 elements, want 3·2·2·3":           func() error { _, err := p.Patches(dst[:3], img); return err },
		"the image is nil":                           func() error { _, err := p.Patches(dst, nil); return err },
		"an image of 0×0 pixels":                     func() error { _, err := p.Patches(dst, image.NewRGBA(image.Rectangle{})); return err },
		"MaxPatches is 0": func() error {
			_, err := CLIPPreprocess(4).Patches(dst, img)
			return err
		},
		"MaxPatches 3 of PatchSize 0": func() error { return (&Preprocess{MaxPatches: 3, Std: p.Std}).Validate() },
		"MaxPatches 0 of PatchSize 3": func() error { return (&Preprocess{PatchSize: 3, Size: [2]int{4, 4}, Std: p.Std}).Validate() },
		"Size [4 4] beside MaxPatches": func() error {
			return (&Preprocess{PatchSize: 2, MaxPatches: 3, Size: [2]int{4, 4}, Std: p.Std}).Validate()
		},
		"Resize shortest beside MaxPatches": func() error { return (&Preprocess{PatchSize: 2, MaxPatches: 3, Std: p.Std}).Validate() },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
}
