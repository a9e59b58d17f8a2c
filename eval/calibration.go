package eval

import "math"

// calibrationBins is the number of bins that the literature measures with.
const calibrationBins = 15

// Calibration compares the confidence of predictions with their accuracy.
// Predictions fall into bins of equal width by the probability of the predicted
// class, each including its upper bound and not its lower one (Guo et al.,
// 2017).
type Calibration struct {
	Bins []Bin // of 0 to 1
}

// Bin is the predictions of one range of probabilities.
type Bin struct {
	N          int     `json:"n"`
	Right      int     `json:"right"`
	Confidence float64 `json:"confidence"` // sum of the probabilities
}

// NewCalibration returns an empty measurement; bins below one means fifteen.
func NewCalibration(bins int) *Calibration {
	if bins < 1 {
		bins = calibrationBins
	}
	return &Calibration{Bins: make([]Bin, bins)}
}

// Add counts one prediction, made with a probability between 0 and 1. A nil
// Calibration does not count.
func (c *Calibration) Add(probability float64, right bool) {
	if c == nil {
		return
	}
	if len(c.Bins) == 0 {
		c.Bins = make([]Bin, calibrationBins)
	}
	n := len(c.Bins)
	b := &c.Bins[min(max(int(math.Ceil(probability*float64(n)))-1, 0), n-1)]
	b.N++
	b.Confidence += probability
	if right {
		b.Right++
	}
}

// ECE is the expected calibration error: the distance of a bin's accuracy from
// its mean probability, averaged over all predictions. It is 0 where there are
// none.
func (c *Calibration) ECE() float64 {
	if c == nil {
		return 0
	}
	n, sum := 0, 0.0
	for _, b := range c.Bins {
		n += b.N
		sum += math.Abs(float64(b.Right) - b.Confidence)
	}
	return sum / float64(max(n, 1))
}
