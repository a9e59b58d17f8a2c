package eval

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/goclip/goclip/internal/sweep"
)

// Classification is the result of classifying a labelled set, by any method. All shares
// of a nil one, and of one without images, are 0.
type Classification struct {
	Classes     []string
	Confusion   [][]int // [true class][predicted class]
	Top5        int     // images whose class was among the five most probable
	Calibration *Calibration
	Skipped     []error // samples that could not be used, and why

	index map[string]int // of each class
}

// newClassification has no image yet. Two classes of one name are an error.
func newClassification(classes []string) (*Classification, error) {
	c := &Classification{Classes: classes, Calibration: NewCalibration(0), index: make(map[string]int)}
	for i, l := range classes {
		if j, twice := c.index[l]; twice {
			return nil, fmt.Errorf("eval: classes %d and %d are both %q", j, i, l)
		}
		c.index[l] = i
		c.Confusion = append(c.Confusion, make([]int, len(classes)))
	}
	return c, nil
}

// truth returns the class of an image. One of another class is skipped.
func (c *Classification) truth(key, label string) (class int, ok bool) {
	class, ok = c.index[label]
	if !ok {
		c.Skipped = append(c.Skipped, fmt.Errorf("eval: %s: label %q is not a class", key, label))
	}
	return class, ok
}

// add counts one prediction. The rank is the true class's, from 0.
func (c *Classification) add(truth, predicted, rank int, probability float64) {
	c.Confusion[truth][predicted]++
	if rank < 5 {
		c.Top5++
	}
	c.Calibration.Add(probability, truth == predicted)
}

// addProbabilities counts one prediction given as the probability of each class;
// of equally probable ones the first wins.
func (c *Classification) addProbabilities(truth int, p []float64) {
	best, rank := 0, 0
	for i := range p {
		if p[i] > p[best] {
			best = i
		}
		if p[i] > p[truth] || p[i] == p[truth] && i < truth {
			rank++
		}
	}
	c.add(truth, best, rank, p[best])
}

// finish refuses a set of which nothing was left.
func (c *Classification) finish() (*Classification, error) {
	if c.N() == 0 {
		return nil, fmt.Errorf("eval: %w", sweep.Nothing(c.Skipped))
	}
	return c, nil
}

// N returns the number of images classified.
func (c *Classification) N() int {
	if c == nil {
		return 0
	}
	n := 0
	for i := range c.Classes {
		n += c.count(i)
	}
	return n
}

func (c *Classification) count(class int) int {
	n := 0
	if c == nil || class < 0 || class >= len(c.Confusion) {
		return 0
	}
	for _, k := range c.Confusion[class] {
		n += k
	}
	return n
}

// Accuracy is the share of images whose most probable class was theirs.
func (c *Classification) Accuracy() float64 {
	n := c.N()
	if n == 0 {
		return 0
	}
	right := 0
	for i := range c.Classes {
		right += c.Confusion[i][i]
	}
	return float64(right) / float64(n)
}

// Top5Accuracy is the share of images whose class was among the five most
// probable.
func (c *Classification) Top5Accuracy() float64 {
	n := c.N()
	if n == 0 {
		return 0
	}
	return float64(c.Top5) / float64(n)
}

// Class returns the accuracy on one class and the number of its images, both 0 where
// there is no such class.
func (c *Classification) Class(i int) (accuracy float64, n int) {
	n = c.count(i)
	if n == 0 {
		return 0, 0
	}
	return float64(c.Confusion[i][i]) / float64(n), n
}

// Balanced is the mean accuracy of the classes that have images, each of the
// same weight: the mean per-class recall of CLIP's benchmarks.
func (c *Classification) Balanced() float64 {
	if c.N() == 0 {
		return 0
	}
	sum, classes := 0.0, 0
	for i := range c.Classes {
		if accuracy, n := c.Class(i); n > 0 {
			sum += accuracy
			classes++
		}
	}
	return sum / float64(classes)
}

// MarshalJSON writes the counts together with the figures computed from them.
func (c *Classification) MarshalJSON() ([]byte, error) {
	if c.N() == 0 || c.Calibration == nil {
		return nil, errors.New("eval: classification: it is empty, want the result of a measurement")
	}
	type class struct {
		Name     string  `json:"name"`
		Images   int     `json:"pictures"`
		Accuracy float64 `json:"accuracy"`
	}
	classes := make([]class, len(c.Classes))
	for i, name := range c.Classes {
		accuracy, n := c.Class(i)
		classes[i] = class{name, n, accuracy}
	}
	return json.Marshal(struct {
		Images    int      `json:"pictures"`
		Accuracy  float64  `json:"accuracy"`
		Top5      float64  `json:"top5"`
		Balanced  float64  `json:"balanced"`
		ECE       float64  `json:"ece"`
		Bins      []Bin    `json:"calibration"`
		Classes   []class  `json:"classes"`
		Confusion [][]int  `json:"confusion"`
		Skipped   []string `json:"skipped"`
	}{c.N(), c.Accuracy(), c.Top5Accuracy(), c.Balanced(), c.Calibration.ECE(), c.Calibration.Bins, classes, c.Confusion, reasons(c.Skipped)})
}

func reasons(skipped []error) []string {
	list := make([]string, len(skipped))
	for i, err := range skipped {
		list[i] = err.Error()
	}
	return list
}
