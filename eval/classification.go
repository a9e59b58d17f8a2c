package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/lists"
	"github.com/goclip/goclip/internal/sweep"
)

// Classification is the result of classifying a labelled set, by any method. All shares
// of a nil one, and of one without images, are 0.
type Classification struct {
	Classes     []string
	Confusion   [][]int // [true class][predicted class]
	Top5        int     // images whose class was among the five most probable
	Calibration *Calibration
	// Unknown are the labels of images that are no classes, in alphabetical order. Their
	// images count as wrong: no class could be right.
	Unknown []UnknownLabel
	// Missing are the classes that no image has.
	Missing []string
	Skipped []error // samples that could not be used, and why

	index    map[string]int // of each class, by its words
	verbatim bool           // or as it is written
	unknown  map[string]int // images, by label
}

// UnknownLabel is a label that is no class.
type UnknownLabel struct {
	Label  string `json:"name"`
	Images int    `json:"pictures"`
}

// newClassification has no image yet. Of several classes of the same words, the first
// is that of the images.
func newClassification(classes []string, verbatim bool) *Classification {
	c := &Classification{
		Classes: classes, Calibration: NewCalibration(0), index: make(map[string]int), verbatim: verbatim, unknown: make(map[string]int),
	}
	for i, l := range classes {
		key := lists.Key(l, verbatim)
		if _, twice := c.index[key]; !twice {
			c.index[key] = i
		}
		c.Confusion = append(c.Confusion, make([]int, len(classes)))
	}
	return c
}

// none is the class of an image whose label is no class.
const none = -1

// truth returns the class of an image, or none. One without a label is skipped.
func (c *Classification) truth(key, label string) (class int, ok bool) {
	if label == "" {
		c.Skipped = append(c.Skipped, &dataset.SampleError{Key: key, Err: errors.New("no label")})
		return none, false
	}
	class, ok = c.index[lists.Key(label, c.verbatim)]
	if !ok {
		class = none
		c.unknown[label]++
	}
	return class, true
}

// add counts one prediction. The rank is the true class's, from 0.
func (c *Classification) add(truth, predicted, rank int, probability float64) {
	if truth == none {
		c.Calibration.Add(probability, false)
		return
	}
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
		if truth != none && (p[i] > p[truth] || p[i] == p[truth] && i < truth) {
			rank++
		}
	}
	c.add(truth, best, rank, p[best])
}

// finish refuses a set of which nothing was left.
func (c *Classification) finish() (*Classification, error) {
	for _, label := range slices.Sorted(maps.Keys(c.unknown)) {
		c.Unknown = append(c.Unknown, UnknownLabel{label, c.unknown[label]})
	}
	if c.N() == 0 {
		return nil, fmt.Errorf("eval: %w", sweep.Nothing(c.Skipped))
	}
	for _, l := range c.Classes {
		if c.count(c.index[lists.Key(l, c.verbatim)]) == 0 {
			c.Missing = append(c.Missing, l)
		}
	}
	return c, nil
}

// Mismatch is an error that names the labels that are no classes and the classes that no
// image has, nil where there is neither.
func (c *Classification) Mismatch() error {
	if c == nil || len(c.Unknown)+len(c.Missing) == 0 {
		return nil
	}
	var said []string
	if len(c.Unknown) > 0 {
		var labels []string
		n := 0
		for _, u := range c.Unknown {
			labels = append(labels, u.Label)
			n += u.Images
		}
		said = append(said, fmt.Sprintf("%d of %d images have labels that are no classes, %s, and count as wrong", n, c.N(), lists.Quoted(labels, 10, 60)))
	}
	if len(c.Missing) > 0 {
		said = append(said, fmt.Sprintf("%d of %d classes have no image, %s", len(c.Missing), len(c.Classes), lists.Quoted(c.Missing, 10, 60)))
	}
	return errors.New("eval: " + strings.Join(said, "; "))
}

// N returns the number of images classified, those with unknown labels included.
func (c *Classification) N() int {
	if c == nil {
		return 0
	}
	n := 0
	for _, u := range c.Unknown {
		n += u.Images
	}
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
// same weight: the mean per-class recall of CLIP's benchmarks. An unknown label is a
// class of which nothing is right.
func (c *Classification) Balanced() float64 {
	if c.N() == 0 {
		return 0
	}
	sum, classes := 0.0, len(c.Unknown)
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
		Images    int            `json:"pictures"`
		Accuracy  float64        `json:"accuracy"`
		Top5      float64        `json:"top5"`
		Balanced  float64        `json:"balanced"`
		ECE       float64        `json:"ece"`
		Bins      []Bin          `json:"calibration"`
		Classes   []class        `json:"classes"`
		Confusion [][]int        `json:"confusion"`
		Unknown   []UnknownLabel `json:"unknown,omitempty"`
		Missing   []string       `json:"missing,omitempty"`
		Skipped   []string       `json:"skipped"`
	}{c.N(), c.Accuracy(), c.Top5Accuracy(), c.Balanced(), c.Calibration.ECE(), c.Calibration.Bins, classes, c.Confusion, c.Unknown, c.Missing, reasons(c.Skipped)})
}

func reasons(skipped []error) []string {
	list := make([]string, len(skipped))
	for i, err := range skipped {
		list[i] = err.Error()
	}
	return list
}
