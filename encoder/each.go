package encoder

import (
	"context"
	"fmt"
	"image"
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
