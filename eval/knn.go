package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
)

// KNNOptions are the settings of k-NN classification. Nil means the zero value,
// which suits most.
type KNNOptions struct {
	K           int     // neighbours; zero means 20
	Temperature float64 // zero means 0.07
}

// KNN classifies the images by their K nearest in a labelled training set. A
// neighbour votes for its class with the weight exp(cosine/Temperature), as in
// Wu et al., 2018, and DINO (Caron et al., 2021); a probability is a class's
// share of the votes. Of equally near neighbours the earlier counts, of equally
// voted classes the first in the alphabet.
func (f *Features) KNN(ctx context.Context, train *Features, o *KNNOptions) (*Classification, error) {
	var opts KNNOptions
	if o != nil {
		opts = *o
	}
	if opts.K == 0 {
		opts.K = 20
	}
	if opts.Temperature == 0 {
		opts.Temperature = 0.07
	}
	if opts.K < 1 || !(opts.Temperature > 0) {
		return nil, fmt.Errorf("eval: k-NN: K is %d and Temperature %g, want both above 0", opts.K, opts.Temperature)
	}
	classes, known, err := train.labelled(f)
	if err != nil {
		return nil, fmt.Errorf("eval: k-NN: %w", err)
	}
	c, err := f.classification(classes, train.Verbatim)
	if err != nil {
		return nil, err
	}
	votes := make([][]float64, f.Images.N)
	err = similarities(ctx, f.Images, known.x, func(q int, sim []float32) {
		votes[q] = known.vote(nearest(sim, opts.K), sim, len(classes), opts.Temperature)
	})
	if err != nil {
		return nil, err
	}
	for i, label := range f.Labels {
		if truth, ok := c.truth(f.Keys[i], label); ok {
			c.addProbabilities(truth, votes[i])
		}
	}
	return c.finish()
}

// vote returns each class's share of the votes.
func (l *labelled) vote(neighbours []int, sim []float32, classes int, temperature float64) []float64 {
	p, sum := make([]float64, classes), 0.0
	for _, n := range neighbours {
		// Relative to the nearest, so that nothing overflows.
		w := math.Exp((float64(sim[n]) - float64(sim[neighbours[0]])) / temperature)
		p[l.y[n]] += w
		sum += w
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// nearest returns the places of the k largest numbers, the largest first, of
// equal ones the earlier.
func nearest(sim []float32, k int) []int {
	best := make([]int, 0, min(k, len(sim)))
	for i, s := range sim {
		if len(best) == k && s <= sim[best[k-1]] {
			continue
		}
		at := sort.Search(len(best), func(j int) bool { return sim[best[j]] < s })
		if len(best) == k {
			best = best[:k-1]
		}
		best = slices.Insert(best, at, i)
	}
	return best
}
