package encoder

import (
	"context"
	"fmt"
	"image"

	"github.com/goclip/goclip/internal/guard"
)

// EncodeEachImage is [Model.EncodeImagesFunc] in which one bad image never costs the
// rest: faults[i] says, as an [ImageError], why image i cannot be used, and is nil where
// it can; the row of one that cannot is zeros. An error is one of the whole call.
func (m *Model) EncodeEachImage(ctx context.Context, n int, open func(i int) (image.Image, error)) (e *Embeddings, faults []error, err error) {
	if n < 0 || open == nil {
		_, err := m.encodeImages(ctx, n, open, nil)
		return &Embeddings{}, nil, err
	}
	faults = make([]error, n)
	if e, err = m.encodeImages(ctx, n, open, faults); err != nil {
		return nil, nil, err
	}
	for i, fault := range faults {
		if fault != nil {
			clear(e.Row(i))
		}
	}
	return e, faults, nil
}

// standIn takes the place of an image that cannot be used, so that its batch can go on.
func standIn(int) (image.Image, error) { return image.NewGray(image.Rect(0, 0, 32, 32)), nil }

// EncodeEachText is [Model.EncodeTexts] in which one bad text never costs the rest, as
// with [Model.EncodeEachImage].
func (m *Model) EncodeEachText(ctx context.Context, texts ...string) (e *Embeddings, faults []error, err error) {
	end, err := m.beginTexts()
	if err != nil {
		return nil, nil, err
	}
	defer end()
	if m.tok == nil {
		return nil, nil, fmt.Errorf("encoder: %w", errNoTokenizer)
	}
	faults = make([]error, len(texts))
	good, ids := make([]string, len(texts)), make([]int32, m.cfg.Text.Dims().ContextLength)
	bad := 0
	for i, t := range texts {
		if good[i] = t; ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if _, err := m.tokenize(ids, t); err != nil {
			faults[i], good[i] = fmt.Errorf("encoder: text %d: %w", i, err), ""
			bad++
		}
	}
	if bad == len(texts) && bad > 0 {
		return &Embeddings{N: bad, Dim: m.cfg.EmbedDim(), Data: make([]float32, bad*m.cfg.EmbedDim())}, faults, nil
	}
	if e, err = m.EncodeTexts(ctx, good...); err != nil {
		return nil, nil, err
	}
	for i, fault := range faults {
		if fault != nil {
			clear(e.Row(i))
		}
	}
	return e, faults, nil
}

// encodeImages takes the errors of images to faults, where that is not nil, and has
// blank images in their places.
func (m *Model) encodeImages(ctx context.Context, n int, open func(i int) (image.Image, error), faults []error) (*Embeddings, error) {
	end, err := m.beginImages()
	if err != nil {
		return nil, err
	}
	defer end()
	if n < 0 || n > 0 && open == nil {
		return nil, fmt.Errorf("encoder: %d images, opened by a function that is there: %t", n, open != nil)
	}
	p := m.cfg.Preprocess
	grids := make([][2]int, n) // where images become patches
	prepare := func(dst []float32, i int, open func(i int) (image.Image, error)) error {
		return guard.Call(func() error {
			img, err := open(i)
			if err != nil {
				return err
			}
			if p.MaxPatches > 0 {
				grids[i], err = p.Patches(dst, img)
				return err
			}
			return p.Image(dst, img)
		})
	}
	l := loader{n: n, size: p.Len(), batch: m.imagesPerPass(p.MaxPatches), load: func(dst []float32, i int) error {
		err := prepare(dst, i, open)
		if err == nil || faults == nil {
			return err
		}
		faults[i] = &ImageError{i, err}
		return prepare(dst, i, standIn)
	}}
	defer l.stop()
	e, err := m.forward(ctx, n, p.MaxPatches, func(s *session, from int) error {
		err := l.fill(s.pixels, from)
		s.setGrids(grids[from:])
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.normalize(), nil
}
