package main

import (
	"context"
	"fmt"
	"image"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/sheet"
)

const (
	trials     = 100
	candidates = 100

	// Each trial begins this many images after the one before. The set goes
	// through 56 combinations in turn, so any combination can be the right one,
	// and two of the images at most that follow it are of the same.
	stride = candidates + 3
)

// measure counts how often the right one of 100 drawn images is first for its
// caption, and the right one of their captions for the image. The others show
// a figure of another colour or another shape, so that only one is right.
func measure(ctx context.Context, model *encoder.Model) (*sheet.Sheet, error) {
	set, err := shapes.Set{Seed: 17}.Known(trials * stride)
	if err != nil {
		return nil, err
	}
	page := sheet.New("100 images for each prompt, the best eight")
	firstImage, firstCaption, wrong := 0, 0, 0
	for trial := range trials {
		pairs, err := draw(set, trial)
		if err != nil {
			return nil, err
		}
		right := trial % candidates // its place, so that equals favour nobody
		images, texts, err := encode(ctx, model, pairs)
		if err != nil {
			return nil, err
		}
		ranked, err := encoder.Rank(texts.Row(right), images)
		if err != nil {
			return nil, err
		}
		back, err := encoder.Rank(images.Row(right), texts)
		if err != nil {
			return nil, err
		}
		if back[0].Index == right {
			firstCaption++
		}
		if ranked[0].Index == right {
			firstImage++
		} else {
			wrong++
		}
		if trial < 4 || ranked[0].Index != right && wrong <= 4 {
			show(page.Row(pairs[right].Caption), pairs, ranked[:8], right)
		}
	}
	for _, line := range []string{
		fmt.Sprintf("the right image is first of %d for %d of %d prompts", candidates, firstImage, trials),
		fmt.Sprintf("the right caption is first of %d for %d of %d images", candidates, firstCaption, trials),
	} {
		page.Footer(line)
		fmt.Println(line)
	}
	return page, nil
}

// draw returns the candidates of a trial, of which one has the label of the
// first image from the trial's beginning.
func draw(set *dataset.Indexed, trial int) ([]dataset.Pair, error) {
	right, err := set.At(trial * stride).Pair(0)
	if err != nil {
		return nil, err
	}
	pairs := make([]dataset.Pair, 0, candidates)
	for i := trial*stride + 1; len(pairs) < candidates; i++ {
		if len(pairs) == trial%candidates {
			pairs = append(pairs, right)
			continue
		}
		other, err := set.At(i).Pair(0)
		if err != nil {
			return nil, err
		}
		if other.Label != right.Label {
			pairs = append(pairs, other)
		}
	}
	return pairs, nil
}

func encode(ctx context.Context, model *encoder.Model, pairs []dataset.Pair) (images, texts *encoder.Embeddings, err error) {
	imgs, captions := make([]image.Image, len(pairs)), make([]string, len(pairs))
	for i, p := range pairs {
		imgs[i], captions[i] = p.Image, p.Caption
	}
	if images, err = model.EncodeImages(ctx, imgs...); err != nil {
		return nil, nil, err
	}
	texts, err = model.EncodeTexts(ctx, captions...)
	return images, texts, err
}

// show adds the best candidates to a row, the right one in green.
func show(row *sheet.Row, pairs []dataset.Pair, best []encoder.Ranked, right int) {
	for place, r := range best {
		cell := sheet.Cell{Image: pairs[r.Index].Image, Note: fmt.Sprintf("%.3f  %s", r.Score, pairs[r.Index].Label)}
		switch {
		case r.Index == right:
			cell.Verdict = sheet.Right
		case place == 0:
			cell.Verdict = sheet.Wrong
		}
		row.Add(cell)
	}
}
