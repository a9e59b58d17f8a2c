package command

import (
	"errors"
	"fmt"
	"io"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
)

type classifyCommand struct {
	modelFlags
	labelFlags
	promptFlags
	imageFlags
	uprightFlag
	explainFlags
	VerbatimLabels bool `help:"Put labels into prompts as they are written. Otherwise underscores and repeated spaces are spaces, in Unicode's composed form."`

	Top    int      `default:"3" help:"Labels to show for each image, the most probable first."`
	Images []string `arg:"" help:"Image files; - is standard input."`
}

func (classifyCommand) Help() string {
	return `Classification is zero-shot: each label is put into the prompt templates, and their embedding is compared with the image's. ` +
		`Probabilities of a model trained with softmax are over the labels given, so give all that may apply; a model trained with sigmoids, such as SigLIP, judges each label by itself ("goclip info" says which a model is).

    goclip classify --model model --labels "cat,dog,golden retriever" photo.jpg
    goclip classify --model model --labels-file imagenet.txt --templates prompts.txt --json *.jpg
    goclip classify --model model --labels "cat,dog" --explain maps photo.jpg

An image that cannot be read is reported, the others are classified, and the exit code is 3.`
}

type guess struct {
	Label       string  `json:"label"`
	Index       int     `json:"index"` // in the list of labels
	Probability float64 `json:"probability"`
	Similarity  float64 `json:"similarity"`
}

type classified struct {
	File    string  `json:"file"`
	Guesses []guess `json:"predictions,omitempty"`
	Map     string  `json:"map,omitempty"` // a PNG
	Error   string  `json:"error,omitempty"`
}

func (c *classifyCommand) Run(s *session) (err error) {
	if c.Top < 1 {
		return wrong("--top %d, want 1 or more", c.Top)
	}
	labels, _, err := c.labelFlags.list()
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
	if err := c.explainFlags.free(); err != nil {
		return err
	}
	c.upright = &c.Upright
	m, err := c.load(s, need{images: true, words: true})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	if again := twice(labels, c.VerbatimLabels); again != "" {
		s.warn("labels that are there twice, of which the later never comes first: %s", again)
	}
	classifier, err := m.NewClassifierWith(s, labels, encoder.ClassifierOptions{Templates: templates, Verbatim: c.VerbatimLabels})
	if err != nil {
		return err
	}
	s.cut("prompts", classifier.Cut(), len(labels)*len(templates))
	all, unread := make([]classified, len(c.Images)), 0
	reading := c.decode(s)
	for i, file := range c.Images {
		all[i].File = file
		img, err := s.picture(file, reading)
		if err != nil {
			err = hinted(err)
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
		if all[i].Map, err = c.draw(s, m, classifier, i, file, img, best[0].Index); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, b := range best[:min(c.Top, len(best))] {
			all[i].Guesses = append(all[i].Guesses, guess{b.Label, b.Index, b.Probability, b.Similarity})
		}
	}
	err = s.result(all, func(w io.Writer) {
		for _, p := range all {
			for _, g := range p.Guesses {
				fmt.Fprintf(w, "%s\t%5.1f %%\t%s\n", dataset.Printable(p.File), 100*g.Probability, g.Label)
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
