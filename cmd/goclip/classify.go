package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/vision"
)

type classifyCommand struct {
	modelFlags
	labelFlags
	promptFlags
	Top    int      `default:"3" help:"Labels to show for each image, the most probable first."`
	Images []string `arg:"" help:"Image files."`
}

func (classifyCommand) Help() string {
	return `Classification is zero-shot: each label is put into the prompt templates, and their embedding is compared with the image's. ` +
		`Probabilities are over the labels given, so give all that may apply.

    goclip classify --model model --labels "cat,dog,golden retriever" photo.jpg
    goclip classify --model model --labels-file imagenet.txt --templates prompts.txt --json *.jpg

An image that cannot be read is reported, the others are classified, and the exit code is 3.`
}

type guess struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
	Similarity  float64 `json:"similarity"`
}

type classified struct {
	File    string  `json:"file"`
	Guesses []guess `json:"predictions,omitempty"`
	Error   string  `json:"error,omitempty"`
}

func (c *classifyCommand) Run(s *session) (err error) {
	if c.Top < 1 {
		return wrong("--top %d, want 1 or more", c.Top)
	}
	labels, err := c.labelFlags.list()
	if err != nil {
		return err
	}
	if len(labels) == 0 {
		return wrong("no labels: give --labels or --labels-file")
	}
	templates, err := c.promptFlags.list()
	if err != nil {
		return err
	}
	m, err := c.load(s, need{images: true, words: true})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	classifier, err := m.NewClassifier(s, labels, templates...)
	if err != nil {
		return err
	}
	all, unread := make([]classified, len(c.Images)), 0
	for i, file := range c.Images {
		all[i].File = file
		img, err := vision.DecodeFile(file, nil)
		if err != nil {
			s.say("%v", err)
			all[i].Error = err.Error()
			unread++
			continue
		}
		best, err := classifier.Classify(s, img)
		var bad *encoder.ImageError
		if errors.As(err, &bad) { // it costs none of the others
			s.say("%s: %v", file, bad.Err)
			all[i].Error = bad.Err.Error()
			unread++
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, b := range best[:min(c.Top, len(best))] {
			all[i].Guesses = append(all[i].Guesses, guess{b.Label, b.Probability, b.Similarity})
		}
	}
	err = s.result(all, func(w io.Writer) {
		for _, p := range all {
			for _, g := range p.Guesses {
				fmt.Fprintf(w, "%s\t%5.1f %%\t%s\n", p.File, 100*g.Probability, g.Label)
			}
		}
	})
	if err == nil && unread > 0 {
		// Said image by image already; a second document would spoil the first.
		s.json = false
		return input(fmt.Errorf("%d of %d images cannot be read", unread, len(all)))
	}
	return err
}
