package explain

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

// TestPointingGame trains a model for seconds on discs of eight colours and looks where it
// points in scenes of two of them.
func TestPointingGame(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a model")
	}
	ctx := context.Background()
	m := colours(t)
	const scenes = 100
	rng, right := rand.New(rand.NewPCG(5, 5)), map[string]int{}
	for range scenes {
		first, second := discs(rng)
		img, err := shapes.Scene{Ground: ground(rng), Objects: []shapes.Object{first, second}}.Draw(32)
		check(t, err)
		for _, pair := range [][2]shapes.Object{{first, second}, {second, first}} {
			named, other := pair[0], pair[1]
			for name, o := range map[string]Options{
				"gradients":         {},
				"gradients against": {Against: []string{other.Color.String()}},
				"patches":           {Method: Patches},
				"patches against":   {Method: Patches, Against: []string{other.Color.String()}},
			} {
				got, err := Image(ctx, m, img, named.Color.String(), o)
				check(t, err)
				if x, y := got.Peak(); math.Abs(x-named.X) <= named.Radius && math.Abs(y-named.Y) <= named.Radius {
					right[name]++
				}
			}
		}
	}
	for name, least := range map[string]int{"gradients": 80, "gradients against": 80, "patches": 50, "patches against": 50} {
		if percent := 100 * right[name] / (2 * scenes); percent < least {
			t.Errorf("%s: %d %% of the peaks are in the disc that is named, want %d; a place at random is in 17 %% of them", name, percent, least)
		}
	}
}

// discs are two of different colours, in opposite corners or halves.
func discs(rng *rand.Rand) (a, b shapes.Object) {
	a = shapes.Object{Color: shapes.Color(rng.IntN(8)), X: 0.25, Y: 0.25 + 0.5*rng.Float64(), Radius: 0.18 + 0.05*rng.Float64()}
	b = shapes.Object{Color: (a.Color + shapes.Color(1+rng.IntN(7))) % 8, X: 0.75, Y: 0.25 + 0.5*rng.Float64(), Radius: 0.18 + 0.05*rng.Float64()}
	if rng.IntN(2) == 0 {
		a.X, b.X = b.X, a.X
	}
	return a, b
}

func ground(rng *rand.Rand) shapes.Ground {
	v := uint8(rng.IntN(40))
	if rng.IntN(2) == 0 {
		v = 255 - v
	}
	return shapes.Ground{From: color.NRGBA{v, v, v, 255}, To: color.NRGBA{v, v, v, 255}}
}

// colours is a model that knows the colours' names, of one disc and of two.
func colours(t *testing.T) *encoder.Model {
	t.Helper()
	p := vision.CLIPPreprocess(32)
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{32, 32}, PatchSize: 8, Width: 32, Layers: 2, Heads: 2, EmbedDim: 32,
			Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 20, VocabSize: 130, Width: 32, Layers: 1, Heads: 2, EmbedDim: 32,
			Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: p,
	}, letters.Tokenizer{}, 1)
	check(t, err)
	const steps, size = 200, 32
	src := dataset.NewIndexed(steps*size, func(i int) dataset.Sample {
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		a, b := discs(rng)
		scene, caption := shapes.Scene{Ground: ground(rng), Objects: []shapes.Object{a}}, a.Color.String()
		if i%2 == 0 {
			scene.Objects, caption = append(scene.Objects, b), a.Color.String()+" "+b.Color.String()
		}
		return dataset.Sample{File: "discs", Key: fmt.Sprint(i), Captions: []string{caption},
			Decode: func() (image.Image, error) { return scene.Draw(32) }}
	})
	trainer, err := train.New(m, train.Config{LR: train.Cosine(3e-3, steps/20, steps), WeightDecay: 0.1, ClipNorm: 1})
	check(t, err)
	check(t, trainer.Fit(context.Background(), src, train.Run{Steps: steps, Batches: dataset.BatchOptions{Size: size, Seed: 1}}))
	return m
}
