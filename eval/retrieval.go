package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// Retrieval is recall@k, image to text and text to image, over a set of images
// with captions: the share of queries with a right answer among the k nearest.
// An image with several captions has several right answers, one of which is
// enough, and each caption is a query, as in CLIP's benchmarks. Ties count
// against the model: a right answer ranks after wrong ones with the same score,
// including identical captions of other images.
type Retrieval struct {
	Images, Captions         int
	Different                int             // number of distinct captions; with far fewer than Captions, recall stays low for any model
	Truncated                int             // captions cut to the context length
	ImageToText, TextToImage map[int]float64 // by k
	Skipped                  []error         // samples that could not be used, and why
}

// Retrieve measures recall@k for each k. Samples that cannot be used are skipped
// and listed; a set of which none is left is an error.
func Retrieve(ctx context.Context, m *encoder.Model, src dataset.Source, ks ...int) (*Retrieval, error) {
	if err := positive(ks); err != nil {
		return nil, err
	}
	f, err := Embed(ctx, m, src, nil)
	if err != nil {
		return nil, err
	}
	return f.Retrieve(ctx, m, ks...)
}

// Retrieve measures recall@k on images already embedded by the model.
func (f *Features) Retrieve(ctx context.Context, m *encoder.Model, ks ...int) (*Retrieval, error) {
	if err := positive(ks); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errors.New("eval: retrieve: Model is nil")
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("eval: retrieve: %w", err)
	}
	if f.Images.Dim != m.Config().EmbedDim() {
		return nil, fmt.Errorf("eval: retrieve: images of %d numbers, but the model's embeddings have %d", f.Images.Dim, m.Config().EmbedDim())
	}
	r := &Retrieval{
		Images: f.Images.N, Skipped: f.Skipped,
		ImageToText: make(map[int]float64), TextToImage: make(map[int]float64),
	}
	var texts []string
	var owner []int // image of each caption
	different := make(map[string]bool)
	for i, captions := range f.Captions {
		for _, c := range captions {
			texts, owner = append(texts, c), append(owner, i)
			different[c] = true
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("eval: retrieve: none of %d images has a caption", f.Images.N)
	}
	words, err := m.EncodeTexts(ctx, texts...)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	if !kernel.AllFinite(words.Data) {
		return nil, errors.New("eval: a caption's embedding is not finite")
	}
	r.Captions, r.Different, r.Truncated = words.N, len(different), words.Truncated
	toText, err := ranks(ctx, f.Images, words, func(image, caption int) bool { return owner[caption] == image })
	if err != nil {
		return nil, err
	}
	toImage, err := ranks(ctx, words, f.Images, func(caption, image int) bool { return owner[caption] == image })
	if err != nil {
		return nil, err
	}
	recall(r.ImageToText, ks, toText)
	recall(r.TextToImage, ks, toImage)
	return r, nil
}

func positive(ks []int) error {
	for _, k := range ks {
		if k < 1 {
			return fmt.Errorf("eval: retrieve: k is %d, want 1 or more", k)
		}
	}
	return nil
}

// recall is the share of ranks below each k.
func recall(at map[int]float64, ks, ranks []int) {
	for _, k := range ks {
		hit := 0
		for _, rank := range ranks {
			if rank < k {
				hit++
			}
		}
		at[k] = float64(hit) / float64(len(ranks))
	}
}

// ranks returns how many wrong answers stand before each query's first right
// one; equal similarity counts against the query.
func ranks(ctx context.Context, queries, answers *encoder.Embeddings, right func(query, answer int) bool) ([]int, error) {
	out := make([]int, queries.N)
	err := similarities(ctx, queries, answers, func(q int, sim []float32) {
		best := float32(math.Inf(-1))
		for a, s := range sim {
			if right(q, a) {
				best = max(best, s)
			}
		}
		for a, s := range sim {
			if !right(q, a) && s >= best {
				out[q]++
			}
		}
	})
	return out, err
}

// similarities calls use with the cosines of each query to all answers, for
// several queries at once. Equal answers have equal cosines, to the bit.
func similarities(ctx context.Context, queries, answers *encoder.Embeddings, use func(query int, sim []float32)) error {
	dim, n := queries.Dim, answers.N
	block := min(max((1<<22)/max(n, 1), 1), 256, queries.N) // about 16 MB
	sims := make([]float32, block*n)
	for from := 0; from < queries.N; from += block {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		rows := min(block, queries.N-from)
		kernel.Gemm(kernel.NT, rows, n, dim, 1, queries.Data[from*dim:], dim, answers.Data, dim, 0, sims, n)
		parallel.For(rows, func(i int) { use(from+i, sims[i*n:][:n]) })
	}
	return nil
}

// MarshalJSON writes the recalls by k.
func (r *Retrieval) MarshalJSON() ([]byte, error) {
	if r == nil {
		return []byte("null"), nil
	}
	return json.Marshal(struct {
		Images      int             `json:"pictures"`
		Captions    int             `json:"captions"`
		Different   int             `json:"different_captions"`
		Truncated   int             `json:"truncated"`
		ImageToText map[int]float64 `json:"image_to_text"`
		TextToImage map[int]float64 `json:"text_to_image"`
		Skipped     []string        `json:"skipped"`
	}{r.Images, r.Captions, r.Different, r.Truncated, r.ImageToText, r.TextToImage, reasons(r.Skipped)})
}
