package main

import (
	"cmp"
	"image/color"
	"math"
	"slices"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/scaling"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

const (
	side      = 32 // of the images that the towers see
	batchSize = 64
)

// size is one model of the family: the width of both towers and the depth of the
// image tower. The text tower has one layer, since captions are easier.
type size struct{ width, layers int }

// plan is what is trained: every size on every amount of data, as far as the budget
// goes. Sizes and amounts double, and so do the costs from one to the next, so that
// each diagonal of the grid is a row of runs of about equal cost, from small models on
// much data to large ones on little.
type plan struct {
	sizes   []size
	samples []int   // amounts of data, in pairs seen
	most    float64 // FLOPs of a run
	cut     int     // rows and columns of the grid that this shortens
	beyond  float64 // FLOPs of the run that tests the prediction, over the most of the others
	repeats []int   // how often the images of a set come, in runs that show what new ones are worth
}

// full takes four to six minutes on two cores.
var full = plan{
	sizes:   []size{{16, 1}, {24, 1}, {32, 2}, {48, 2}, {64, 2}, {96, 2}},
	samples: []int{8192, 16384, 32768, 65536, 131072, 262144},
	most:    3.3e12,
	cut:     2,
	beyond:  3.1,
	repeats: []int{4, 16, 64},
}

// quick is a sketch of it, in about a minute.
var quick = plan{
	sizes:   []size{{12, 1}, {16, 1}, {24, 1}, {32, 2}},
	samples: []int{6144, 12288, 24576, 49152},
	most:    2e11,
	cut:     1,
	beyond:  3.1,
	repeats: []int{16},
}

// candidates are the sizes that the test of the prediction may choose from: those of
// the plan, and larger ones.
func (p plan) candidates() []size {
	last := p.sizes[len(p.sizes)-1]
	return append(slices.Clone(p.sizes), size{last.width, 2 * last.layers}, size{last.width * 4 / 3, last.layers + 1})
}

// runs lists the grid, the most expensive first, so that none of those is left alone
// on one core at the end.
func (p plan) runs(s *study) ([]scaling.Run, error) {
	var all []scaling.Run
	cost := map[scaling.Run]float64{}
	for _, z := range p.sizes {
		each, err := s.cost(z)
		if err != nil {
			return nil, err
		}
		for _, n := range p.samples {
			if r := s.run(z, n); each*float64(n) <= p.most {
				all, cost[r] = append(all, r), each*float64(n)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b scaling.Run) int { return cmp.Compare(cost[b], cost[a]) })
	return all, nil
}

// repeated lists runs of a small and a large model that see ever fewer images, again
// and again.
func (p plan) repeated(s *study) ([]scaling.Run, error) {
	var all []scaling.Run
	for _, z := range []size{p.sizes[1], p.sizes[len(p.sizes)-2]} {
		for _, times := range append([]int{1}, p.repeats...) {
			r := s.run(z, p.samples[len(p.samples)-3])
			r.Unique = max(min(r.Unique, r.Samples()/times), batchSize)
			if !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// shared returns an amount of data that all sizes were trained on, and a size that was
// trained on all amounts: not the largest, since the budget cuts the corner of the grid
// off.
func (p plan) shared() (samples int, z size) {
	return p.samples[len(p.samples)-1-p.cut], p.sizes[len(p.sizes)-1-p.cut]
}

func (s *study) run(z size, samples int) scaling.Run {
	r := scaling.Run{
		Data: s.sets.name, Width: z.width, Layers: z.layers, TextLayers: 1, Batch: batchSize,
		Steps: max(1, samples/batchSize),
		// Narrow models bear, and need, larger steps.
		LR:   s.sets.lr * math.Sqrt(64/float64(z.width)),
		Seed: s.seed,
	}
	r.Unique = min(s.sets.available, r.Samples())
	return r
}

// cost is that of training a model of a size on one pair, in FLOPs.
func (s *study) cost(z size) (float64, error) {
	return scaling.TrainingFLOPs(s.config(z))
}

// params are those of a size, without embeddings.
func (s *study) params(z size) (int, error) {
	m, err := encoder.New(s.config(z), s.tok, 0)
	if err != nil {
		return 0, err
	}
	return scaling.Params(m), nil
}

func (s *study) config(z size) encoder.Config {
	return encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{side, side}, PatchSize: 8, Width: z.width, Layers: z.layers, Heads: heads(z.width), EmbedDim: z.width,
			Activation: nn.QuickGELU, Pool: vision.PoolMean, NoClassToken: true, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: s.sets.context, VocabSize: s.tok.VocabSize(), Width: z.width, Layers: 1, Heads: heads(z.width), EmbedDim: z.width,
			Activation: nn.QuickGELU, Mask: text.MaskPadding, Pool: text.PoolMean, EOSTokenID: int32(s.tok.VocabSize() - 1), NormEps: 1e-5,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{side, side}, Resize: vision.ResizeShortest, Interpolation: vision.Bicubic,
			Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25}, Ground: color.White,
		},
	}
}

// heads are of about 24 numbers each.
func heads(width int) int {
	n := max(1, width/24)
	for width%n != 0 {
		n--
	}
	return n
}
