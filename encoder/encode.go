package encoder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// Embeddings are N vectors of Dim numbers, row-major.
type Embeddings struct {
	N, Dim int
	Data   []float32

	// Truncated counts the captions that did not fit into the context length, and Cut has
	// their places among the captions.
	Truncated int
	Cut       []int

	// Vectors, where not zero, says that each of the N has so many vectors, one after the
	// other, of which the nearest counts: those of a model whose image tower is a
	// [vision.MultiVector].
	Vectors int
}

// Row returns vector i, or all vectors of the i-th, a part of Data.
func (e *Embeddings) Row(i int) []float32 {
	n := max(1, e.Vectors) * e.Dim
	return e.Data[i*n : (i+1)*n : (i+1)*n]
}

// Cosine is the cosine of row i of normalised embeddings and a vector, the largest one
// where there are several vectors.
func (e *Embeddings) Cosine(i int, with []float32) float64 {
	best := math.Inf(-1)
	for v := range slices.Chunk(e.Row(i), e.Dim) {
		best = math.Max(best, float64(kernel.Dot(v, with)))
	}
	return best
}

// normalize scales every vector to length one.
func (e *Embeddings) normalize() *Embeddings {
	for v := range slices.Chunk(e.Data, e.Dim) {
		nn.NormalizeRow(v, v)
	}
	return e
}

// EncodeImages preprocesses images and returns their embeddings, L2-normalised rows.
// An image that cannot be used, or whose methods panic, is an [ImageError].
func (m *Model) EncodeImages(ctx context.Context, imgs ...image.Image) (*Embeddings, error) {
	return m.EncodeImagesFunc(ctx, len(imgs), func(i int) (image.Image, error) { return imgs[i], nil })
}

// EncodeImagesFunc is [Model.EncodeImages] for n images that open returns by
// index, for example with [vision.DecodeFile]. Open is called from several
// goroutines. The next batch is opened while one is in the tower, so at most
// two batches are in memory.
func (m *Model) EncodeImagesFunc(ctx context.Context, n int, open func(i int) (image.Image, error)) (*Embeddings, error) {
	return m.encodeImages(ctx, n, open, nil)
}

// ImageFeatures returns the image tower's output, before normalisation, for
// pixels as Preprocess makes them: N × (3, H, W).
func (m *Model) ImageFeatures(ctx context.Context, pixels []float32) (*Embeddings, error) {
	end, err := m.beginImages()
	if err != nil {
		return nil, err
	}
	defer end()
	size := m.cfg.Vision.Dims().ImageSize
	n := 3 * size[0] * size[1]
	if len(pixels)%n != 0 {
		return nil, fmt.Errorf("encoder: %d pixel values are not a multiple of 3 × %d × %d", len(pixels), size[0], size[1])
	}
	return m.forward(ctx, len(pixels)/n, 0, func(s *session, from int) error {
		copy(s.pixels, pixels[from*n:])
		return nil
	})
}

// PatchFeatures is [Model.ImageFeatures] for images of several grids, with a tower that is
// a [vision.PatchReader]: len(grids) × (N, P·P·3), as [vision.Preprocess.Patches] makes
// them, and the rows and columns of each. What is behind an image's patches has no part in
// its features, whatever it is.
func (m *Model) PatchFeatures(ctx context.Context, patches []float32, grids [][2]int) (*Embeddings, error) {
	end, err := m.beginImages()
	if err != nil {
		return nil, err
	}
	defer end()
	each, ok := m.patchLen()
	switch {
	case !ok:
		return nil, fmt.Errorf("encoder: an image tower of family %s takes no patches", m.cfg.Vision.Family())
	case len(grids) == 0 && len(patches) == 0:
		return &Embeddings{Dim: m.cfg.EmbedDim(), Vectors: m.vectors()}, nil
	case len(grids) == 0 || len(patches)%(len(grids)*each) != 0:
		return nil, fmt.Errorf("encoder: %d values of patches for %d images, want a multiple of 3 × P × P = %d for each", len(patches), len(grids), each)
	}
	n := len(patches) / len(grids) / each
	for i, g := range grids {
		if g[0] < 1 || g[1] < 1 || g[0] > n/g[1] {
			return nil, fmt.Errorf("encoder: image %d has a grid of %d × %d, want 1 to %d patches", i, g[0], g[1], n)
		}
	}
	return m.forward(ctx, len(grids), n, func(s *session, from int) error {
		copy(s.pixels, patches[from*n*each:])
		s.setGrids(grids[from:])
		for i, image := 0, s.pixels; len(image) > 0; i, image = i+1, image[n*each:] {
			clear(image[grids[from+i][0]*grids[from+i][1]*each : n*each])
		}
		return nil
	})
}

// vectors is how many vectors an image's embedding has, 0 where it is a vector.
func (m *Model) vectors() int {
	if v, ok := m.cfg.Vision.(vision.MultiVector); ok {
		return v.Vectors()
	}
	return 0
}

// patchLen is how many numbers a patch has, if the image tower takes patches.
func (m *Model) patchLen() (int, bool) {
	p, ok := m.cfg.Vision.(vision.PatchReader)
	if !ok {
		return 0, false
	}
	return 3 * p.Patch() * p.Patch(), true
}

// beginImages is begin for what needs the image tower.
func (m *Model) beginImages() (end func(), err error) {
	if end, err = m.begin(); err == nil && m.image == nil {
		end()
		return nil, errors.New("encoder: the model has no image tower")
	}
	return end, err
}

// beginTexts is begin for what needs the text tower.
func (m *Model) beginTexts() (end func(), err error) {
	if end, err = m.begin(); err == nil && m.text == nil {
		end()
		return nil, errors.New("encoder: the model has no text tower")
	}
	return end, err
}

// ImagesPerPass is how many images share a pass of the image tower, [Options].BatchSize where
// that is set; 0 without an image tower. To encode more at once takes memory and no less time.
func (m *Model) ImagesPerPass() int {
	if m == nil || m.cfg.Vision == nil {
		return 0
	}
	patches := 0
	if m.cfg.Preprocess != nil {
		patches = m.cfg.Preprocess.MaxPatches
	}
	return m.imagesPerPass(patches)
}

// imagesPerPass is the size of a batch of images of so many patches, 0 for pixels.
func (m *Model) imagesPerPass(patches int) int {
	return m.options.perPass(cmp.Or(patches, m.cfg.Vision.Dims().Tokens))
}

// forward runs the image tower on n images, a batch at a time, of so many patches each, 0
// for pixels. The function fill writes the input of a batch from the given image on.
func (m *Model) forward(ctx context.Context, n, patches int, fill func(s *session, from int) error) (*Embeddings, error) {
	vectors := m.vectors()
	dim, each := m.cfg.Vision.Dims().EmbedDim, m.imagesPerPass(patches)
	out := &Embeddings{N: n, Dim: dim, Vectors: vectors, Data: make([]float32, n*dim*max(1, vectors))}
	for from := 0; from < n; from += each {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := min(each, n-from)
		shape := imageShape{b, patches}
		s, err := m.images.take(shape, func() (*session, error) { return m.imageSession(shape) })
		if err != nil {
			return nil, err
		}
		if err := fill(s, from); err != nil {
			return nil, err
		}
		features, err := s.run()
		if err != nil {
			return nil, fmt.Errorf("encoder: images %d to %d: %w", from, from+b-1, err)
		}
		copy(out.Data[from*dim*max(1, vectors):], features)
		m.images.put(shape, s)
	}
	return out, nil
}

// EncodeTexts tokenizes captions and returns their embeddings, L2-normalised
// rows. Captions longer than the context length are
// cut, keeping the end token, counted in Truncated and listed in Cut.
func (m *Model) EncodeTexts(ctx context.Context, texts ...string) (*Embeddings, error) {
	end, err := m.beginTexts()
	if err != nil {
		return nil, err
	}
	defer end()
	if m.tok == nil {
		return nil, fmt.Errorf("encoder: %w", errNoTokenizer)
	}
	length := m.cfg.Text.Dims().ContextLength
	ids, cut := make([]int32, len(texts)*length), []int(nil)
	for i, s := range texts {
		truncated, err := m.tokenize(ids[i*length:][:length], s)
		if err != nil {
			return nil, fmt.Errorf("encoder: text %d: %w", i, err)
		}
		if truncated {
			cut = append(cut, i)
		}
	}
	e, err := m.textFeatures(ctx, Tokens{IDs: ids})
	if err != nil {
		return nil, err
	}
	e.Truncated, e.Cut = len(cut), cut
	return e.normalize(), nil
}

// Tokenize writes the token ids of a caption to dst, which has the context length, padded,
// and reports whether the caption was cut to fit. A tokenizer that panics, or whose count
// or ids are out of range, is an error that names the caption.
func (m *Model) Tokenize(dst []int32, caption string) (truncated bool, err error) {
	end, err := m.beginTexts()
	if err != nil {
		return false, err
	}
	defer end()
	if truncated, err = m.tokenize(dst, caption); err != nil {
		return false, fmt.Errorf("encoder: %w", err)
	}
	return truncated, nil
}

func (m *Model) tokenize(dst []int32, caption string) (truncated bool, err error) {
	dims, n := m.cfg.Text.Dims(), 0
	switch {
	case m.tok == nil:
		return false, errNoTokenizer
	case len(dst) != dims.ContextLength:
		return false, fmt.Errorf("room for %d token ids, want the context length, %d", len(dst), dims.ContextLength)
	}
	err = guard.Call(func() (err error) {
		n, truncated, err = tokenizer.TryEncode(m.tok, dst, caption)
		return err
	})
	switch {
	case err != nil:
	case n < 0 || n > len(dst):
		err = fmt.Errorf("it gave %d tokens, want 0 to %d", n, len(dst))
	default:
		err = checkIDs(dst, dims.VocabSize)
	}
	if err != nil {
		return false, fmt.Errorf("tokenizer: caption %.80q: %w", caption, err)
	}
	return truncated, nil
}

var errNoTokenizer = errors.New("the model has no tokenizer")

// checkIDs refuses ids that the text tower does not have.
func checkIDs(ids []int32, vocab int) error {
	for i, id := range ids {
		if id < 0 || int64(id) >= int64(vocab) {
			return fmt.Errorf("id %d at position %d is outside the vocabulary of %d", id, i, vocab)
		}
	}
	return nil
}

// TextFeatures returns the text tower's output, before normalisation, for token
// ids padded to the context length: N × ContextLength.
func (m *Model) TextFeatures(ctx context.Context, ids []int32) (*Embeddings, error) {
	return m.TokenFeatures(ctx, Tokens{IDs: ids})
}

// Tokens are token ids with what tokenizers of transformers may say beside them: N ×
// ContextLength numbers each.
type Tokens struct {
	IDs   []int32 // padded
	Mask  []int32 // 0 for tokens that count for nothing; nil where the tower finds its padding by itself
	Types []int32 // BERT's token types, which tell two sentences apart; nil for 0
}

// TokenFeatures is [Model.TextFeatures] with what is told beside the ids. A tower that
// does not read it is an error.
func (m *Model) TokenFeatures(ctx context.Context, t Tokens) (*Embeddings, error) {
	end, err := m.beginTexts()
	if err != nil {
		return nil, err
	}
	defer end()
	return m.textFeatures(ctx, t)
}

// textRows asks what the tower reads of each caption.
func (m *Model) textRows(t Tokens, length int) ([]text.Row, error) {
	if len(t.IDs)%length != 0 {
		return nil, fmt.Errorf("encoder: %d token ids are not a multiple of the context length %d", len(t.IDs), length)
	}
	for _, told := range [][]int32{t.Mask, t.Types} {
		if told != nil && len(told) != len(t.IDs) {
			return nil, fmt.Errorf("encoder: %d token ids, but a mask or token types for %d", len(t.IDs), len(told))
		}
	}
	rows := make([]text.Row, len(t.IDs)/length)
	for i := range rows {
		r, err := m.textRow(t.IDs[i*length:][:length])
		if err != nil {
			return nil, fmt.Errorf("encoder: text %d: %w", i, err)
		}
		if t.Mask != nil {
			for j, seen := range t.Mask[i*length:][:length] {
				if seen != 0 {
					r.Length = max(r.Length, j+1)
				}
			}
		}
		rows[i] = r
	}
	return rows, nil
}

func (m *Model) textFeatures(ctx context.Context, t Tokens) (*Embeddings, error) {
	cfg := m.cfg.Text
	length, dim := cfg.Dims().ContextLength, cfg.Dims().EmbedDim
	rows, err := m.textRows(t, length)
	if err != nil {
		return nil, err
	}
	n := len(rows)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	// Captions of one length share a pass: no padding is computed.
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rows[a].Length, rows[b].Length) })
	tokens := func(i int) int { return rows[i].Length }
	out := &Embeddings{N: n, Dim: dim, Data: make([]float32, n*dim)}
	for from := 0; from < n; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		shape := textShape{1, tokens(order[from]), t.Mask != nil, t.Types != nil}
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
			copy(s.tokens[j*shape.tokens:][:shape.tokens], t.IDs[i*length:])
			if shape.mask {
				copy(s.mask[j*shape.tokens:][:shape.tokens], t.Mask[i*length:])
			}
			if shape.types {
				copy(s.types[j*shape.tokens:][:shape.tokens], t.Types[i*length:])
			}
			s.pooled[j] = int32(rows[i].Pooled)
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

// textRow asks the tower's configuration what it reads of a caption, and checks it.
func (m *Model) textRow(ids []int32) (r text.Row, err error) {
	if err := checkIDs(ids, m.cfg.Text.Dims().VocabSize); err != nil {
		return r, err
	}
	err = guarded("tower", func() error {
		r = m.cfg.Text.Row(ids)
		return nil
	})
	if err == nil && (r.Length < 1 || r.Length > len(ids) || r.Pooled < 0 || r.Pooled >= r.Length) {
		err = fmt.Errorf("the text tower reads %+v of %d tokens", r, len(ids))
	}
	return r, err
}

// Validate reports a length of Data other than N × Dim, or several vectors a row.
func (e *Embeddings) Validate() error {
	if e != nil && e.Vectors > 1 {
		return fmt.Errorf("encoder: embeddings have %d vectors for each image, want one", e.Vectors)
	}
	return e.validate()
}

func (e *Embeddings) validate() error {
	if e == nil {
		return errors.New("encoder: the Embeddings are nil")
	}
	if e.N < 0 || e.Dim < 1 || e.Vectors < 0 || len(e.Data)/e.Dim != e.N*max(1, e.Vectors) || len(e.Data)%e.Dim != 0 {
		return fmt.Errorf("encoder: embeddings hold %d numbers, want N × Dim = %d × %d", len(e.Data), e.N, e.Dim)
	}
	return nil
}
