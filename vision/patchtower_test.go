package vision

import (
	"fmt"
	"image"
	"math"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// TestPatchOfOneIsTheImage: where an image is a single patch and nothing else is a token,
// attending to it alone is attending to all, so its feature is the image's.
func TestPatchOfOneIsTheImage(t *testing.T) {
	size := [2]int{4, 4}
	mean := ViT{
		ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, Activation: nn.GELU, NormEps: 1e-5,
		Pool: PoolMean, NoClassToken: true,
	}
	mapped := mean
	mapped.Pool, mapped.PoolQueries, mapped.PoolHeads = PoolMap, 2, 2
	for i, c := range []Config{
		mean, mapped,
		SigLIP{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, Activation: nn.GELU, NormEps: 1e-6},
		GapViT{ImageSize: size, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8, LayerScale: 1},
	} {
		tower, pixels := randomTower(t, c), randomPixels(2*3*16)
		want, got := towerFeatures(t, tower, pixels), featuresOfPatches(t, tower, pixels)
		if len(got) != len(want) {
			t.Fatalf("%d %s: %d numbers, want %d", i, c.Family(), len(got), len(want))
		}
		for j := range got {
			if d := math.Abs(float64(got[j] - want[j])); !(d <= 1e-5) {
				t.Errorf("%d %s: number %d is %g, want %g", i, c.Family(), j, got[j], want[j])
			}
		}
	}
}

// TestPatchTowers: each has as many features as its grid has places, and they differ.
func TestPatchTowers(t *testing.T) {
	n := 0
	for i, c := range timmTowers() {
		tower := randomTower(t, c)
		if _, ok := tower.(PatchTower); !ok {
			continue
		}
		n++
		t.Run(fmt.Sprint(i, " ", c.Family()), func(t *testing.T) {
			d, grid := c.Dims(), c.(Gridded).Grid()
			got := featuresOfPatches(t, tower, randomPixels(3*d.ImageSize[0]*d.ImageSize[1]))
			if len(got) != grid[0]*grid[1]*d.EmbedDim {
				t.Fatalf("%d numbers, want %v × %d", len(got), grid, d.EmbedDim)
			}
			for j := d.EmbedDim; j < len(got); j += d.EmbedDim {
				if !(math.Abs(float64(got[j]-got[0])) > 1e-6) {
					t.Errorf("patch %d has the feature of patch 0", j/d.EmbedDim)
				}
			}
		})
	}
	if n < 5 {
		t.Errorf("%d towers have features of patches, want at least 5", n)
	}
}

func featuresOfPatches(t *testing.T, tower Tower, pixels []float32) []float32 {
	t.Helper()
	size := tower.Config().Dims().ImageSize
	y, err := tower.(PatchTower).ForwardPatches(Input{Pixels: pixelNode(G.NewGraph(), pixels, []int{len(pixels) / 3 / size[0] / size[1], 3, size[0], size[1]})})
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
	return nn.Floats(y)
}

// TestCovers: what of an image is seen, whatever the way it is fitted.
func TestCovers(t *testing.T) {
	for _, c := range []struct {
		resize Resize
		want   [4]float64
	}{
		{ResizeShortest, [4]float64{0.25, 0, 0.75, 1}},
		{ResizeLongest, [4]float64{0, -0.5, 1, 1.5}},
		{ResizeSquash, [4]float64{0, 0, 1, 1}},
	} {
		p := CLIPPreprocess(32)
		p.Resize = c.resize
		got, err := p.Covers(image.NewGray(image.Rect(0, 0, 200, 100)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if !(math.Abs(got[i]-c.want[i]) <= 0.02) {
				t.Errorf("%v: got %v, want %v", c.resize, got, c.want)
			}
		}
	}
	if _, err := CLIPPreprocess(32).Covers(nil); err == nil {
		t.Error("a nil image covers something")
	}
	if _, err := CLIPPreprocess(32).Covers(image.NewGray(image.Rect(0, 0, 0, 5))); err == nil {
		t.Error("an image without pixels covers something")
	}
}
