package vision

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
)

// TestForwardPatches: all patches give the features of the whole image, in any
// order; of some, the others' pixels have no part in the features.
func TestForwardPatches(t *testing.T) {
	for _, pool := range []Pool{PoolClass, PoolMean} {
		t.Run(pool.String(), func(t *testing.T) {
			tower, err := New(ViT{
				ImageSize: [2]int{8, 12}, PatchSize: 4, Width: 16, Layers: 2, Heads: 2, EmbedDim: 8,
				Activation: nn.GELU, Pool: pool, NoClassToken: pool == PoolMean, NormEps: 1e-5,
			}, 1)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 1))
			pixels := make([]float32, 2*3*8*12)
			for i := range pixels {
				pixels[i] = float32(rng.NormFloat64())
			}
			features := func(keep ...int32) []float32 {
				t.Helper()
				out, err := patchFeatures(tower, pixels, keep)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			same := func(what string, got, want []float32) {
				t.Helper()
				for i := range want {
					if diff := math.Abs(float64(got[i] - want[i])); !(diff <= 1e-5) {
						t.Errorf("%s: feature %d is %g, want %g", what, i, got[i], want[i])
					}
				}
			}
			whole := features()
			same("all patches", features(0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5), whole)
			same("all patches in another order", features(5, 3, 1, 0, 2, 4, 1, 0, 2, 3, 5, 4), whole)

			some := features(0, 2, 3, 5)
			for y := range 4 { // the second patch of the first image, the third of the second
				pixels[y*12+5] += 10
				pixels[(3+1)*8*12+y*12+9] += 10
			}
			same("the pixels of other patches changed", features(0, 2, 3, 5), some)
			if got := features(1, 2, 3, 5); math.Abs(float64(got[0]-some[0])) <= 1e-5 {
				t.Errorf("another patch gives the same feature, %g", got[0])
			}
		})
	}
}

// patchFeatures runs the tower on some patches of two images, on all of nil.
func patchFeatures(tower Tower, pixels []float32, patches []int32) ([]float32, error) {
	g, size := G.NewGraph(), tower.Config().Dims().ImageSize
	var keep *G.Node
	if patches != nil {
		keep = G.NewMatrix(g, tensor.Int32, G.WithName("keep"), G.WithShape(2, len(patches)/2),
			G.WithValue(tensor.New(tensor.WithShape(2, len(patches)/2), tensor.WithBacking(patches))))
	}
	y, err := tower.Forward(Input{Pixels: pixelNode(g, pixels, []int{2, 3, size[0], size[1]}), Keep: keep})
	if err != nil {
		return nil, err
	}
	m, err := nn.NewMachine(g, y)
	if err != nil {
		return nil, err
	}
	if err := m.Run(); err != nil {
		return nil, err
	}
	return y.Value().Data().([]float32), nil
}

func TestForwardPatchesErrors(t *testing.T) {
	vit, err := New(ViT{
		ImageSize: [2]int{8, 8}, PatchSize: 4, Width: 8, Layers: 1, Heads: 2, EmbedDim: 8,
		Activation: nn.GELU, Pool: PoolClass, NormEps: 1e-5,
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	resnet, err := New(ResNet{ImageSize: [2]int{32, 32}, Width: 2, Heads: 1, EmbedDim: 4, Stages: [4]int{1, 1, 1, 1}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want    string
		tower   Tower
		patches []int32
	}{
		{"position 4 of sample 1 is outside its 4 tokens", vit, []int32{0, 4}},
		{"position -1 of sample 0 is outside its 4 tokens", vit, []int32{-1, 0}},
		{"ResNet: patch dropout is not supported", resnet, []int32{0, 0}},
	} {
		size := c.tower.Config().Dims().ImageSize
		_, err := patchFeatures(c.tower, make([]float32, 2*3*size[0]*size[1]), c.patches)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want …%s…", err, c.want)
		}
	}
}
