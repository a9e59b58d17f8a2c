package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// Retrieval is recall@k, image to text and text to image, over a set of images
// with captions: the share of queries with a right answer among the k nearest.
// An image with several captions has several right answers, one of which is
// enough, and each caption is a query, as in CLIP's benchmarks. What else is a right
// answer, and how ties count, the Convention says.
type Retrieval struct {
	Convention               Convention
	Images, Captions         int
	Different                int             // number of distinct captions
	Truncated                int             // captions cut to the context length
	ImageToText, TextToImage map[int]float64 // by k
	// PlainImageToText and PlainTextToImage are the same by [ConventionPlain], under
	// which equal captions of other images are wrong answers.
	PlainImageToText, PlainTextToImage map[int]float64
	// ImageToTextRank and TextToImageRank are of the first right answers.
	ImageToTextRank, TextToImageRank Ranks
	Skipped                          []error // samples that could not be used, and why
}

// Ranks are figures of the ranks of right answers, counted from 1 as open_clip does.
type Ranks struct {
	Mean   float64 `json:"mean"`
	Median float64 `json:"median"` // of an even number the mean of the two in the middle, rounded down
}

// RetrievalOptions say what is measured. Nil means the zero value.
type RetrievalOptions struct {
	Convention Convention
	At         []int // the k of recall@k; nil means 1, 5 and 10
}

// Retrieve measures recall@k for each k by [ConventionEqualTexts]. Samples that cannot be
// used are skipped and listed; a set of which none is left is an error.
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
	return f.RetrieveWith(ctx, m, &RetrievalOptions{At: slices.Concat([]int{}, ks)})
}

// RetrieveWith is [Features.Retrieve] with options.
func (f *Features) RetrieveWith(ctx context.Context, m *encoder.Model, o *RetrievalOptions) (*Retrieval, error) {
	if o == nil {
		o = &RetrievalOptions{}
	}
	ks := o.At
	if ks == nil {
		ks = []int{1, 5, 10}
	}
	if err := positive(ks); err != nil {
		return nil, err
	}
	if err := enum.Valid(o.Convention, conventionNames()); err != nil {
		return nil, fmt.Errorf("eval: retrieve: Convention %w", err)
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
	c := newCaptions(f.Captions)
	if len(c.of) == 0 {
		return nil, fmt.Errorf("eval: retrieve: none of %d images has a caption", f.Images.N)
	}
	words, err := m.EncodeTexts(ctx, c.texts...)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	if !kernel.AllFinite(words.Data) {
		return nil, errors.New("eval: a caption's embedding is not finite")
	}
	r := &Retrieval{
		Convention: o.Convention, Images: f.Images.N, Captions: len(c.of), Different: len(c.texts), Skipped: f.Skipped,
	}
	for _, i := range words.Cut {
		r.Truncated += len(c.uses[i])
	}
	found, plain := newOutcome(o.Convention, f.Images.N, c), newOutcome(ConventionPlain, f.Images.N, c)
	err = similarities(ctx, f.Images, words, func(image int, sim []float32) {
		found.toText(image, sim)
		plain.toText(image, sim)
	})
	if err != nil {
		return nil, err
	}
	err = similarities(ctx, words, f.Images, func(text int, sim []float32) {
		found.toImage(text, sim)
		plain.toImage(text, sim)
	})
	if err != nil {
		return nil, err
	}
	for _, o := range []*outcome{found, plain} {
		o.texts = slices.DeleteFunc(o.texts, func(rank int) bool { return rank < 0 })
	}
	r.ImageToText, r.TextToImage = recall(ks, found.texts), recall(ks, found.images)
	r.PlainImageToText, r.PlainTextToImage = recall(ks, plain.texts), recall(ks, plain.images)
	r.ImageToTextRank, r.TextToImageRank = ranked(found.texts), ranked(found.images)
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

// recall is the share of ranks, from 0, below each k.
func recall(ks, ranks []int) map[int]float64 {
	at := make(map[int]float64)
	for _, k := range ks {
		hit := 0
		for _, rank := range ranks {
			if rank < k {
				hit++
			}
		}
		at[k] = float64(hit) / float64(len(ranks))
	}
	return at
}

func ranked(ranks []int) Ranks {
	sorted, sum := slices.Sorted(slices.Values(ranks)), 0.0
	for _, r := range ranks {
		sum += float64(r)
	}
	n := len(ranks)
	return Ranks{Mean: sum/float64(n) + 1, Median: float64((sorted[(n-1)/2]+sorted[n/2])/2 + 1)}
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
		Convention       Convention      `json:"convention"`
		Images           int             `json:"pictures"`
		Captions         int             `json:"captions"`
		Different        int             `json:"different_captions"`
		Truncated        int             `json:"truncated"`
		ImageToText      map[int]float64 `json:"image_to_text"`
		TextToImage      map[int]float64 `json:"text_to_image"`
		PlainImageToText map[int]float64 `json:"plain_image_to_text"`
		PlainTextToImage map[int]float64 `json:"plain_text_to_image"`
		ImageToTextRank  Ranks           `json:"image_to_text_rank"`
		TextToImageRank  Ranks           `json:"text_to_image_rank"`
		Skipped          []string        `json:"skipped"`
	}{r.Convention, r.Images, r.Captions, r.Different, r.Truncated, r.ImageToText, r.TextToImage, r.PlainImageToText, r.PlainTextToImage,
		r.ImageToTextRank, r.TextToImageRank, reasons(r.Skipped)})
}
