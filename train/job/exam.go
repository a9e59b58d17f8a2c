package job

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/internal/lists"
)

// Exam evaluates a model during training, with open_clip's names of metrics:
// zero-shot accuracy where the set has classes, and retrieval recall@k otherwise.
type Exam struct {
	Set       dataset.Source // nil for no exam
	Classes   []string
	Templates []string // for the classes
	Every     int      // steps between evaluations; zero means once per epoch
}

// every is the number of steps between measurements.
func (e Exam) every(samples, batch, steps int) int {
	switch {
	case e.Every != 0:
		return e.Every
	case samples < batch: // a stream
		return steps
	}
	return samples / batch
}

// of returns the measurement of a model, nil where there is no set.
func (e Exam) of(m *encoder.Model) func(ctx context.Context) (map[string]float64, error) {
	switch {
	case e.Set == nil:
		return nil
	case len(e.Classes) > 0:
		return measured(func(ctx context.Context) (map[string]float64, error) { return e.accuracy(ctx, m) })
	}
	return measured(func(ctx context.Context) (map[string]float64, error) { return e.recall(ctx, m) })
}

// Headline returns the figure of an exam by which models are compared: top1, or else the
// mean of recall@1 in both directions, named R@1. found is false where there is neither.
func Headline(measured map[string]float64) (name string, value float64, found bool) {
	if value, found = measured["top1"]; found {
		return "top1", value, true
	}
	there, ok := measured["image_to_text_R@1"]
	back, also := measured["text_to_image_R@1"]
	return headline, (there + back) / 2, ok && also
}

const (
	headline = "R@1"
	searched = 1 << 30 // bytes, about a second's
)

// measured adds the headline, so that it can be asked for by its name.
func measured(of func(ctx context.Context) (map[string]float64, error)) func(ctx context.Context) (map[string]float64, error) {
	if of == nil {
		return nil
	}
	return func(ctx context.Context) (map[string]float64, error) {
		m, err := of(ctx)
		if name, value, found := Headline(m); err == nil && found {
			m[name] = value
		}
		return m, err
	}
}

// headline is the name of the figure that models are compared by.
func (e Exam) headline() string {
	if len(e.Classes) > 0 {
		return "top1"
	}
	return headline
}

// unheard are the classes of which no sample of an indexed training set has the label or a
// caption with their words. Of a stream nothing is known before it was read, and captions
// that would take long to search are taken to have them all.
func (e Exam) unheard(set dataset.Source) []string {
	x, ok := indexed(set)
	if !ok || len(e.Classes) == 0 {
		return nil
	}
	said := make(map[string]bool)
	var captions strings.Builder
	for i := range x.Len() {
		s := x.At(i)
		said[strings.ToLower(lists.Words(s.Label))] = true
		for _, c := range s.Words() {
			if !said[c] {
				said[c] = true
				captions.WriteString(strings.ToLower(c) + "\n")
			}
		}
	}
	text := captions.String()
	long := len(text)*len(e.Classes) > searched
	return slices.DeleteFunc(slices.Clone(e.Classes), func(class string) bool {
		words := strings.ToLower(lists.Words(class))
		return said[words] || text != "" && long || strings.Contains(text, words)
	})
}

// indexed is a set whose samples can be had by their numbers.
func indexed(set dataset.Source) (*dataset.Indexed, bool) {
	switch x := set.(type) {
	case *dataset.Indexed:
		return x, x != nil
	case interface {
		Indexed() (*dataset.Indexed, bool)
	}:
		return x.Indexed()
	}
	return nil, false
}

func (e Exam) accuracy(ctx context.Context, m *encoder.Model) (map[string]float64, error) {
	classifier, err := m.NewClassifier(ctx, e.Classes, e.Templates...)
	if err != nil {
		return nil, err
	}
	c, err := eval.Classify(ctx, m, classifier, e.Set, nil)
	if err != nil {
		return nil, err
	}
	return map[string]float64{"top1": c.Accuracy(), "top5": c.Top5Accuracy()}, nil
}

func (e Exam) recall(ctx context.Context, m *encoder.Model) (map[string]float64, error) {
	ks := []int{1, 5, 10}
	r, err := eval.Retrieve(ctx, m, e.Set, ks...)
	if err != nil {
		return nil, err
	}
	found := make(map[string]float64)
	for _, k := range ks {
		found[fmt.Sprintf("image_to_text_R@%d", k)] = r.ImageToText[k]
		found[fmt.Sprintf("text_to_image_R@%d", k)] = r.TextToImage[k]
	}
	return found, nil
}
