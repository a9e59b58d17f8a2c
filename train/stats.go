package train

import (
	"fmt"
	"math"

	"github.com/goclip/goclip/internal/kernel"
)

// Stats is what one step measured.
type Stats struct {
	Step       int     `json:"step"`      // counted from 0
	Loss       float64 `json:"loss"`      // before the update
	Chance     float64 `json:"chance"`    // the loss at chance level: ln B for InfoNCE; 0 where unknown
	GradNorm   float64 `json:"grad_norm"` // global, before clipping
	LR         float64 `json:"lr"`
	LogitScale float64 `json:"logit_scale"`       // exp(logit_scale) after the update
	Clamped    bool    `json:"clamped,omitempty"` // exp(logit_scale) is at its limit, 1 or Config.MaxLogitScale
	// The mean cosine of two images, and of two captions, of the batch; 1 means
	// that the embeddings have collapsed to one vector.
	ImageCosine float64 `json:"image_cosine"`
	TextCosine  float64 `json:"text_cosine"`
	Pairs       int     `json:"pairs"`
	Truncated   int     `json:"truncated,omitempty"` // captions cut to the context length
	// Answers is the number of different right answers among the pairs: those of one group
	// share theirs. A batch of one has nothing to tell apart.
	Answers int `json:"answers,omitempty"`
	// Repeated is the number of pairs with the image or caption of an earlier
	// pair of the batch that still count as a wrong answer for it (false
	// negatives).
	Repeated int `json:"repeated,omitempty"`
}

// measure is what a batch says of itself and what came of its pass.
func measure(b *Batch, out outcome, norm float64) Stats {
	return Stats{
		Pairs: b.N, Truncated: b.Truncated, Repeated: b.Repeated, Answers: b.answers(),
		Loss: out.loss, GradNorm: norm,
		ImageCosine: meanCosine(out.embeddings[image], b.N), TextCosine: meanCosine(out.embeddings[text], b.N*b.texts()),
	}
}

// finite is an error that says where a NaN or an infinity comes from: the first of the
// pixels, the weights, the loss and the gradients that has one.
func (s Stats) finite(b *Batch, ws weights, grads [][]float32) error {
	if !math.IsNaN(s.Loss) && !math.IsInf(s.Loss, 0) && !math.IsNaN(s.GradNorm) && !math.IsInf(s.GradNorm, 0) {
		return nil
	}
	where := "the loss"
	for i, g := range grads {
		if !kernel.AllFinite(g) {
			where += " and the gradient of " + ws[i].param.Name
			break
		}
	}
	if err := ws.finite(); err != nil {
		where = fmt.Sprintf("the weights, since an earlier step: %v", err)
	}
	if i := b.spoilt(); i >= 0 {
		where = fmt.Sprintf("the pixels of image %d of the batch", i)
	}
	return fmt.Errorf("train: step %d: loss %g, gradient norm %g: not finite in %s; the step changed nothing", s.Step, s.Loss, s.GradNorm, where)
}

// spoilt is the first image here with a pixel that is no number, or -1.
func (b *Batch) spoilt() int {
	n := b.images()
	for i := range n {
		each := len(b.Pixels) / n
		if !kernel.AllFinite(b.Pixels[i*each:][:each]) {
			return b.held.from + i
		}
	}
	return -1
}

// finite is an error that names the first weight with a NaN or an infinity.
func (ws weights) finite() error {
	for _, w := range ws {
		if !kernel.AllFinite(w.param.Data) {
			return fmt.Errorf("%s holds numbers that are not finite", w.param.Name)
		}
	}
	return nil
}

// meanCosine is the mean of the cosines of all pairs among n normalised rows,
// from the square of their sum.
func meanCosine(rows []float32, n int) float64 {
	sum, own := make([]float64, len(rows)/n), 0.0
	for i, v := range rows {
		sum[i%len(sum)] += float64(v)
		own += float64(v) * float64(v)
	}
	square := 0.0
	for _, v := range sum {
		square += v * v
	}
	return (square - own) / float64(n*(n-1))
}

// fingerprint is the same for the same images, and for others hardly ever.
func fingerprint(pixels []float32) uint64 {
	h := uint64(len(pixels))
	add := func(low, high float32) {
		h = (h ^ uint64(math.Float32bits(low)) ^ uint64(math.Float32bits(high))<<32) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	for ; len(pixels) >= 2; pixels = pixels[2:] {
		add(pixels[0], pixels[1])
	}
	if len(pixels) > 0 {
		add(pixels[0], 0)
	}
	return h
}

// seen is what pairs are known again by.
type seen struct {
	prints   []uint64 // of the images
	captions []string
}

// repeated counts the pairs with the image, by its fingerprint, or the caption
// of an earlier pair of another group.
func (s seen) repeated(groups []int32) int {
	images, captions := make(map[uint64]int32), make(map[string]int32)
	n := 0
	for i, caption := range s.captions {
		a, seen := images[s.prints[i]]
		b, said := captions[caption]
		if seen && a != groups[i] || said && b != groups[i] {
			n++
		}
		images[s.prints[i]], captions[caption] = groups[i], groups[i]
	}
	return n
}
