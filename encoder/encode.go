package encoder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/goclip/goclip/nn"
)

// Embeddings are N vectors of Dim numbers, row-major.
type Embeddings struct {
	N, Dim int
	Data   []float32

	// Truncated counts the captions that did not fit into the context length.
	Truncated int
}

// Row returns vector i, a part of Data.
func (e *Embeddings) Row(i int) []float32 { return e.Data[i*e.Dim : (i+1)*e.Dim : (i+1)*e.Dim] }

// normalize scales every row to length one.
func (e *Embeddings) normalize() *Embeddings {
	for i := range e.N {
		nn.NormalizeRow(e.Row(i), e.Row(i))
	}
	return e
}

// EncodeImages preprocesses pictures and returns their embeddings, L2-normalised
// rows of Config().Vision.EmbedDim. A picture that cannot be used is an error
// that gives its number.
func (m *Model) EncodeImages(ctx context.Context, imgs ...image.Image) (*Embeddings, error) {
	return m.EncodeImagesFunc(ctx, len(imgs), func(i int) (image.Image, error) { return imgs[i], nil })
}

// EncodeImagesFunc is [Model.EncodeImages] for n pictures that open returns by
// number: [vision.DecodeFile] of a path, say. Open is called from several
// goroutines, and while a batch is in the tower the next is opened, so no more
// than two batches are in memory.
func (m *Model) EncodeImagesFunc(ctx context.Context, n int, open func(i int) (image.Image, error)) (*Embeddings, error) {
	l := loader{n: n, size: m.pixelsPerImage(), batch: m.imagesPerPass(), load: func(dst []float32, i int) error {
		img, err := open(i)
		if err != nil {
			return err
		}
		return m.cfg.Preprocess.Image(dst, img)
	}}
	defer l.stop()
	e, err := m.forward(ctx, n, l.fill)
	if err != nil {
		return nil, err
	}
	return e.normalize(), nil
}

// ImageFeatures returns the image tower's output, before normalisation, for
// pixels as Preprocess makes them: N × (3, H, W).
func (m *Model) ImageFeatures(ctx context.Context, pixels []float32) (*Embeddings, error) {
	n := m.pixelsPerImage()
	if len(pixels)%n != 0 {
		return nil, fmt.Errorf("encoder: %d pixel values are not a multiple of 3 × %d × %d", len(pixels), m.cfg.Vision.ImageSize[0], m.cfg.Vision.ImageSize[1])
	}
	return m.forward(ctx, len(pixels)/n, func(dst []float32, from int) error {
		copy(dst, pixels[from*n:])
		return nil
	})
}

func (m *Model) pixelsPerImage() int {
	return 3 * m.cfg.Vision.ImageSize[0] * m.cfg.Vision.ImageSize[1]
}

func (m *Model) imagesPerPass() int { return m.options.perPass(m.cfg.Vision.Tokens()) }

// forward runs the image tower on n pictures, a batch at a time. The function
// fill writes the pixels of a batch from the given picture on.
func (m *Model) forward(ctx context.Context, n int, fill func(dst []float32, from int) error) (*Embeddings, error) {
	dim, each := m.cfg.Vision.EmbedDim, m.imagesPerPass()
	out := &Embeddings{N: n, Dim: dim, Data: make([]float32, n*dim)}
	for from := 0; from < n; from += each {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := min(each, n-from)
		shape := imageShape{b}
		s, err := m.images.take(shape, func() (*session, error) { return m.imageSession(shape) })
		if err != nil {
			return nil, err
		}
		if err := fill(s.pixels, from); err != nil {
			return nil, err
		}
		features, err := s.run()
		if err != nil {
			return nil, fmt.Errorf("encoder: images %d to %d: %w", from, from+b-1, err)
		}
		copy(out.Data[from*dim:], features)
		m.images.put(shape, s)
	}
	return out, nil
}

// EncodeTexts tokenizes captions and returns their embeddings, L2-normalised
// rows of Config().Text.EmbedDim. Captions longer than the context length are
// cut, keeping the end token, and counted in Truncated.
func (m *Model) EncodeTexts(ctx context.Context, texts ...string) (*Embeddings, error) {
	if m.tok == nil {
		return nil, errors.New("encoder: the model has no tokenizer")
	}
	length := m.cfg.Text.ContextLength
	ids, cut := make([]int32, len(texts)*length), 0
	for i, s := range texts {
		if _, truncated := m.tok.Encode(ids[i*length:(i+1)*length], s); truncated {
			cut++
		}
	}
	e, err := m.TextFeatures(ctx, ids)
	if err != nil {
		return nil, err
	}
	e.Truncated = cut
	return e.normalize(), nil
}

// TextFeatures returns the text tower's output, before normalisation, for token
// ids padded to the context length: N × ContextLength.
func (m *Model) TextFeatures(ctx context.Context, ids []int32) (*Embeddings, error) {
	cfg := m.cfg.Text
	length := cfg.ContextLength
	if len(ids)%length != 0 {
		return nil, fmt.Errorf("encoder: %d token ids are not a multiple of the context length %d", len(ids), length)
	}
	n := len(ids) / length
	row := func(i int) []int32 { return ids[i*length:][:length] }
	last, order := make([]int, n), make([]int, n)
	for i := range n {
		last[i], order[i] = cfg.Last(row(i)), i
	}
	// Captions of one length share a pass: no padding is computed.
	tokens := func(i int) int { return length }
	if cfg.Trims() {
		tokens = func(i int) int { return last[i] + 1 }
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(last[a], last[b]) })
	}
	out := &Embeddings{N: n, Dim: cfg.EmbedDim, Data: make([]float32, n*cfg.EmbedDim)}
	for from := 0; from < n; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		shape := textShape{1, tokens(order[from])}
		most := m.options.perPass(shape.tokens)
		for from+shape.batch < n && shape.batch < most && tokens(order[from+shape.batch]) == shape.tokens {
			shape.batch++
		}
		batch := order[from : from+shape.batch]
		s, err := m.texts.take(shape, func() (*session, error) { return m.textSession(shape) })
		if err != nil {
			return nil, err
		}
		for j, i := range batch {
			copy(s.tokens[j*shape.tokens:][:shape.tokens], row(i))
			s.last[j] = int32(last[i])
		}
		features, err := s.run()
		if err != nil {
			return nil, fmt.Errorf("encoder: texts: %w", err)
		}
		for j, i := range batch {
			copy(out.Row(i), features[j*out.Dim:])
		}
		m.texts.put(shape, s)
		from += shape.batch
	}
	return out, nil
}

// Validate reports numbers that do not fit the fields.
func (e *Embeddings) Validate() error {
	if e.N < 0 || e.Dim < 1 || len(e.Data)/e.Dim != e.N || len(e.Data)%e.Dim != 0 {
		return fmt.Errorf("encoder: embeddings hold %d numbers, want N × Dim = %d × %d", len(e.Data), e.N, e.Dim)
	}
	return nil
}
