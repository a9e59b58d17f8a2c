package main

import (
	"context"
	"slices"

	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/examples/internal/prompt"
	"github.com/goclip/goclip/examples/internal/sheet"
)

// judge is a model that names images, or nobody.
type judge struct {
	model      *encoder.Model // nil for nobody
	classifier *encoder.Classifier
	right, of  int
}

func newJudge(ctx context.Context, dir string, prompts []string) (*judge, error) {
	if dir == "" {
		return &judge{}, nil
	}
	model, err := encoder.Load(dir, nil)
	if err != nil {
		return nil, err
	}
	c, err := model.NewClassifier(ctx, candidates(prompts), templates()...)
	return &judge{model: model, classifier: c}, err
}

func (j *judge) close() error {
	if j.model == nil {
		return nil
	}
	return j.model.Close()
}

// candidates are what an image may be named.
func candidates(prompts []string) []string {
	var names []string
	add := func(more ...string) {
		for _, n := range more {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	for _, c := range (shapes.Set{}).Classes() {
		add("a " + c)
	}
	add(prompts...)
	for _, p := range prompts {
		if prompt.Figures(p) > 1 { // one figure with one word changed is there already
			add(prompt.Rivals(p)...)
		}
	}
	return names
}

func (j *judge) names() int { return len(j.classifier.Labels()) }

// name has the judge look at an image and say which caption it has.
func (j *judge) name(ctx context.Context, cell *sheet.Cell) error {
	if j.model == nil {
		return nil
	}
	best, err := j.classifier.Classify(ctx, cell.Image)
	if err != nil {
		return err
	}
	j.of++
	cell.Verdict, cell.Note = sheet.Wrong, "it says: "+best[0].Label
	if best[0].Label == cell.Caption {
		cell.Verdict, cell.Note = sheet.Right, ""
		j.right++
	}
	return nil
}
