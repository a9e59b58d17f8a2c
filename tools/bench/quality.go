package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
)

// quality prints how near a model that examples/train has trained stays to itself with
// other weights, on images that it never saw.
func quality(ctx context.Context, w io.Writer, dir string) error {
	drawn := shapes.Set{Seed: 1}
	known, err1 := drawn.Known(1120)
	unseen, err2 := drawn.Unseen(560)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	imgs := make([]image.Image, known.Len())
	for i := range imgs {
		p, err := known.At(i).Pair(0)
		if err != nil {
			return err
		}
		imgs[i] = p.Image
	}
	fmt.Fprintln(w, "| weights | known combinations | unseen | cosine of images with float32: median, 1st percentile, least | of captions: least |\n|---|---|---|---|---|")
	var images, texts *encoder.Embeddings // float32's
	for _, p := range []encoder.Precision{encoder.Float32, encoder.Float16, encoder.BFloat16, encoder.Int8} {
		m, err := encoder.Load(dir, &encoder.Options{Precision: p})
		if err != nil {
			return err
		}
		var right [2]float64
		for i, set := range []*dataset.Indexed{known, unseen} {
			classifier, err := m.NewClassifier(ctx, drawn.Classes(), drawn.Templates()...)
			if err != nil {
				return err
			}
			c, err := eval.Classify(ctx, m, classifier, set, nil)
			if err != nil {
				return err
			}
			right[i] = 100 * c.Accuracy()
		}
		a, err1 := m.EncodeImages(ctx, imgs...)
		b, err2 := m.EncodeTexts(ctx, drawn.Classes()...)
		if err := errors.Join(err1, err2, m.Close()); err != nil {
			return err
		}
		if p == encoder.Float32 {
			images, texts = a, b
		}
		c, t := cosines(a, images), cosines(b, texts)
		fmt.Fprintf(w, "| %v | %.2f %% | %.2f %% | %.5f, %.5f, %.5f | %.5f |\n", p, right[0], right[1], median(c), c[len(c)/100], c[0], t[0])
	}
	return nil
}

// cosines of each row of one with that of the other, sorted.
func cosines(a, b *encoder.Embeddings) (all []float64) {
	for i := range a.N {
		all = append(all, cosine(a.Row(i), b.Row(i)))
	}
	slices.Sort(all)
	return all
}
