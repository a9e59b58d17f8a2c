package train

import (
	"math"

	"github.com/goclip/goclip/dataset"
)

// Stats is what one step measured.
type Stats struct {
	Step       int     `json:"step"`      // counted from 0
	Loss       float64 `json:"loss"`      // before the update
	Chance     float64 `json:"chance"`    // the loss of a model that knows nothing: ln B for InfoNCE
	GradNorm   float64 `json:"grad_norm"` // global, before clipping
	LR         float64 `json:"lr"`
	LogitScale float64 `json:"logit_scale"`       // exp(logit_scale) after the update
	Clamped    bool    `json:"clamped,omitempty"` // it is at its limit, 1 or Config.MaxLogitScale
	// The mean cosine of two pictures, and of two captions, of the batch: 1 says
	// that all embeddings are one.
	ImageCosine float64 `json:"image_cosine"`
	TextCosine  float64 `json:"text_cosine"`
	Pairs       int     `json:"pairs"`
	Truncated   int     `json:"truncated,omitempty"` // captions that did not fit into the context length
	// Repeated pairs have the picture or the caption of an earlier pair of the
	// batch, and yet count as a wrong answer for it.
	Repeated int `json:"repeated,omitempty"`
}

func (t *Trainer) chance(b int) float64 {
	n, s := float64(b), t.cfg.LabelSmoothing
	if t.cfg.Loss == "infonce" {
		return math.Log(n) // a teacher's loss, too
	}
	// Sigmoid: every combination answered by the prior, the mean target.
	p := (1-s)/n + s/2
	prior := -n * (p*math.Log(p) + (1-p)*math.Log(1-p))
	return (1-t.cfg.Distill)*prior + t.cfg.Distill*math.Log(n)
}

// clamp bounds the temperature as CLIP does, unless it is frozen. It returns the
// factor, and whether it is at its limit.
func (t *Trainer) clamp() (scale float64, limited bool) {
	p := t.model.LogitScale()
	if t.trains(p) {
		limit := float32(math.Log(t.cfg.MaxLogitScale))
		p.Data[0] = min(max(p.Data[0], 0), limit)
		limited = p.Data[0] == 0 || p.Data[0] == limit
	}
	return math.Exp(float64(p.Data[0])), limited
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

// fingerprint is the same for the same pictures, and for others hardly ever.
func fingerprint(pixels []float32) uint64 {
	h := uint64(len(pixels))
	for _, v := range pixels {
		h = (h ^ uint64(math.Float32bits(v))) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h
}

// repeated counts the pairs with the picture, by its fingerprint, or the caption
// of an earlier pair of another group.
func repeated(pairs []dataset.Pair, prints []uint64, groups []int32) int {
	pictures, captions := make(map[uint64]int32), make(map[string]int32)
	n := 0
	for i, pair := range pairs {
		a, seen := pictures[prints[i]]
		b, said := captions[pair.Caption]
		if seen && a != groups[i] || said && b != groups[i] {
			n++
		}
		pictures[prints[i]], captions[pair.Caption] = groups[i], groups[i]
	}
	return n
}
