package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/internal/kernel"
)

// int8 prints what integers are worth beside float32: the speed of a random ViT-B/32 on
// each instruction set, and how near a model that examples/train has trained stays.
func (o *options) int8(ctx context.Context, trained string) error {
	if err := near(ctx, trained); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	cfg, ok := encoder.ConfigByName("ViT-B-32")
	if !ok {
		return errors.New("no configuration ViT-B-32")
	}
	m, err := encoder.New(cfg, nil, 1)
	if err != nil {
		return err
	}
	dir := filepath.Join(scratch, "model")
	if err := m.Save(dir); err != nil {
		return err
	}
	for _, isa := range []string{"avx512", "avx2", "neon"} {
		restore, err := kernel.ForceISA(isa)
		if err != nil {
			continue // not on this machine
		}
		err = o.int8Speed(ctx, dir, isa)
		restore()
		if err != nil {
			return err
		}
	}
	return nil
}

// pair opens a model with float32 and with integers.
func pair(dir string) (models [2]*encoder.Model, closeBoth func() error, err error) {
	for i, p := range []encoder.Precision{encoder.Float32, encoder.Int8} {
		if models[i], err = encoder.Load(dir, &encoder.Options{Precision: p}); err != nil {
			return models, nil, err
		}
	}
	return models, func() error { return errors.Join(models[0].Close(), models[1].Close()) }, nil
}

func (o *options) int8Speed(ctx context.Context, dir, isa string) (err error) {
	models, closeBoth, err := pair(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBoth()) }()
	cfg := models[0].Config()
	for _, batch := range []int{1, 8} {
		pixels, ids := make([]float32, batch*cfg.Preprocess.Len()), make([]int32, batch*cfg.Text.Dims().ContextLength)
		for i := range pixels {
			pixels[i] = float32(math.Sin(0.37 * float64(i)))
		}
		for i := range ids {
			ids[i] = int32(1 + i*7919%40000)
			if (i+1)%cfg.Text.Dims().ContextLength == 0 {
				ids[i] = 49407 // the end
			}
		}
		for what, run := range map[string]func(m *encoder.Model) (*encoder.Embeddings, error){
			"images":   func(m *encoder.Model) (*encoder.Embeddings, error) { return m.ImageFeatures(ctx, pixels) },
			"captions": func(m *encoder.Model) (*encoder.Embeddings, error) { return m.TextFeatures(ctx, ids) },
		} {
			best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
			var got [2]*encoder.Embeddings
			for range 3 * o.rounds {
				for i, m := range models {
					start := time.Now()
					if got[i], err = run(m); err != nil {
						return err
					}
					best[i] = min(best[i], time.Since(start))
				}
			}
			fmt.Printf("%s, %s, batch %d: float32 %.1f ms, int8 %.1f ms, ratio %.2f, least cosine %.4f\n", what, isa, batch,
				1e3*best[0].Seconds(), 1e3*best[1].Seconds(), best[0].Seconds()/best[1].Seconds(), cosines(got)[0])
		}
	}
	return nil
}

// near compares a trained toy with itself on images that it never saw.
func near(ctx context.Context, dir string) (err error) {
	models, closeBoth, err := pair(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBoth()) }()
	drawn := shapes.Set{Seed: 1}
	known, err1 := drawn.Known(1120)
	unseen, err2 := drawn.Unseen(560)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for i, set := range []*dataset.Indexed{known, unseen} {
		for j, m := range models {
			classifier, err := m.NewClassifier(ctx, drawn.Classes(), drawn.Templates()...)
			if err != nil {
				return err
			}
			c, err := eval.Classify(ctx, m, classifier, set, nil)
			if err != nil {
				return err
			}
			fmt.Printf("%s combinations, %s: %.2f %%\n", []string{"known", "unseen"}[i], []string{"float32", "int8"}[j], 100*c.Accuracy())
		}
	}
	imgs := make([]image.Image, known.Len())
	for i := range imgs {
		p, err := known.At(i).Pair(0)
		if err != nil {
			return err
		}
		imgs[i] = p.Image
	}
	var images, texts [2]*encoder.Embeddings
	for i, m := range models {
		if images[i], err = m.EncodeImages(ctx, imgs...); err != nil {
			return err
		}
		if texts[i], err = m.EncodeTexts(ctx, drawn.Classes()...); err != nil {
			return err
		}
	}
	c := cosines(images)
	fmt.Printf("cosines of %d images: median %.4f, 1st percentile %.4f, least %.4f; of %d captions: least %.4f\n",
		len(c), c[len(c)/2], c[len(c)/100], c[0], texts[0].N, cosines(texts)[0])
	return nil
}

// cosines of each row of one with that of the other, sorted.
func cosines(e [2]*encoder.Embeddings) (all []float64) {
	for i := range e[0].N {
		var dot, a, b float64
		for j, v := range e[0].Row(i) {
			w := e[1].Row(i)[j]
			dot, a, b = dot+float64(v)*float64(w), a+float64(v)*float64(v), b+float64(w)*float64(w)
		}
		all = append(all, dot/math.Sqrt(a*b))
	}
	slices.Sort(all)
	return all
}
