package report

import (
	"cmp"
	"image"
	"slices"

	"golang.org/x/image/draw"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/lists"
)

// Mistake is an image that was taken for something else.
type Mistake struct {
	Key         string      `json:"key"`
	Label       string      `json:"label"` // what it is
	Own         float64     `json:"own"`   // the probability that it was given
	Predicted   string      `json:"predicted"`
	Probability float64     `json:"probability"`
	Image       image.Image `json:"-"` // small
}

// Hardest keeps the mistakes whose true label seemed least probable. The zero
// value is ready to use.
type Hardest struct {
	K int // how many; zero means 24

	worst []Mistake
}

// thumbnail is the longer side of a mistake's image in pixels.
const thumbnail = 128

// Add takes in an image with its predictions, the most probable first, as
// [eval.Classify] tells them. Without predictions or without an image it does nothing.
func (h *Hardest) Add(p dataset.Pair, best []encoder.Prediction) {
	if h == nil || len(best) == 0 || p.Image == nil {
		return
	}
	m := Mistake{Key: p.Key, Label: p.Label, Predicted: best[0].Label, Probability: best[0].Probability}
	if lists.Words(m.Label) == lists.Words(m.Predicted) {
		return
	}
	for _, b := range best {
		if lists.Words(b.Label) == lists.Words(p.Label) {
			m.Own = b.Probability
		}
	}
	k := cmp.Or(h.K, 24)
	if len(h.worst) >= k && m.Own >= h.worst[k-1].Own {
		return
	}
	m.Image = shrink(p.Image)
	at, _ := slices.BinarySearchFunc(h.worst, m.Own, func(m Mistake, own float64) int {
		if m.Own <= own { // of equal ones the earlier stays first
			return -1
		}
		return 1
	})
	h.worst = slices.Insert(h.worst, at, m)
	h.worst = h.worst[:min(len(h.worst), k)]
}

// Mistakes returns the mistakes kept, the hardest first.
func (h *Hardest) Mistakes() []Mistake {
	if h == nil {
		return nil
	}
	return slices.Clone(h.worst)
}

// shrink returns a copy of at most thumbnail pixels a side.
func shrink(img image.Image) image.Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if side := max(w, h); side > thumbnail {
		w, h = max(1, w*thumbnail/side), max(1, h*thumbnail/side)
	}
	small := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(small, small.Rect, img, b, draw.Src, nil)
	return small
}
