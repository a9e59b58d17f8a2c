package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/internal/sweep"
	"github.com/goclip/goclip/report"
)

type evalCommand struct {
	modelFlags
	dataFlags
	leftOutFlag
	labelFlags
	promptFlags
	Upright *bool `negatable:"" help:"Turn photographs as their files say that they should be seen, as goclip classify does. Default: as the model was trained, which for published models is no."`

	Tasks []string `enum:"zero-shot,retrieval,knn,probe" placeholder:"TASK" help:"What to measure: zero-shot, retrieval, knn, probe. Default: zero-shot where images have labels, otherwise retrieval; with --train also knn and probe."`
	Train string   `placeholder:"SET" help:"Labelled training set, for knn and probe."`
	At    []int    `default:"1,5,10" placeholder:"K" help:"The k of retrieval's recall@k."`

	Convention   eval.Convention `enum:"equal-texts,plain,clip_benchmark,open_clip" default:"equal-texts" help:"What retrieval counts as right: ${enum}. equal-texts takes captions of the same words for one right answer of all their images; plain and clip_benchmark an image's own captions only, with ties against and for the model; open_clip one caption a query. The plain figures are always beside the others."`
	AllowMissing bool            `help:"Accept labels of the set that are no classes, whose images count as wrong, and classes without an image. Otherwise they are an error after the result."`

	Report    string `placeholder:"DIR" help:"Write report.html, a page with plots, and report.json there."`
	Overwrite bool   `help:"Replace another report in --report."`
	Log       string `placeholder:"FILE" help:"events.jsonl of the run, for the report's curves of the loss and of the tests during training."`
}

func (evalCommand) Help() string {
	return `zero-shot: classification by the labels as text. retrieval: recall@k of captions for images and of images for captions. ` +
		`knn and probe: k-nearest-neighbour classification and a linear probe on the embeddings of a labelled training set.

    goclip eval --model model --data test.csv
    goclip eval --model model --data test.tar --train train.tar --templates prompts.txt --report report
    goclip eval --model model --data flickr.csv --tasks retrieval --at 1,5,10 --json

The classes are the labels that occur in the set, unless --labels or --labels-file names them. An image whose label is no class counts as wrong; such labels, and classes without an image, are in the result, and the exit code is then 3 unless --allow-missing is given.`
}

// measured is the result of the command.
type measured struct {
	Results   []report.Result `json:"results,omitempty"`
	Retrieval *eval.Retrieval `json:"retrieval,omitempty"`
	Upright   bool            `json:"upright"` // photographs were turned as they should be seen
	Prompts   *promptsSaid    `json:"prompts,omitempty"`
	Written   string          `json:"report,omitempty"` // the page
}

// promptsSaid is what became of the prompts of zero-shot classification.
type promptsSaid struct {
	Count int                   `json:"count"`
	Cut   int                   `json:"cut"` // to the model's context
	Model encoder.Probabilities `json:"probabilities"`
}

func (c *evalCommand) Run(s *session) (err error) {
	if c.Report != "" {
		if err := freeReport(c.Report, c.Overwrite); err != nil {
			return occupied(err)
		}
	}
	if err := apart([]string{c.Report, c.LeftOut}, c.Data, c.Train); err != nil {
		return err
	}
	beside := filepath.Join(os.TempDir(), fmt.Sprintf("goclip-left-out-%d.jsonl", os.Getpid()))
	if c.Report != "" {
		beside = filepath.Join(c.Report, "left-out.jsonl")
	}
	if err := freeLeftOut(c.LeftOut, beside); err != nil {
		return err
	}
	templates, err := c.promptFlags.list()
	if err != nil {
		return err
	}
	course, err := readLog(c.Log)
	if err != nil {
		return err
	}
	labels, byID, err := c.labelFlags.list()
	if err != nil {
		return err
	}
	c.names = byID
	set, err := c.open(s, templates)
	if err != nil {
		return err
	}
	defer closing(&err, set.Close)
	s.say("%s: %v", c.Data, set.Seen())
	if again := twice(labels, c.VerbatimLabels); again != "" {
		s.warn("labels that are there twice, whose images all count for the earlier: %s", again)
	}
	if len(labels) == 0 {
		labels = set.Classes()
	}
	if err := c.plan(labels); err != nil {
		return err
	}
	c.upright = c.Upright
	m, err := c.load(s, need{images: true, words: slices.Contains(c.Tasks, "zero-shot") || slices.Contains(c.Tasks, "retrieval")})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	if c.Report != "" {
		if err := writable(filepath.Join(c.Report, "report.html")); err != nil {
			return err
		}
	}
	e := &evaluation{evalCommand: c, session: s, model: m, labels: labels, templates: templates}
	e.measured.Upright = m.Config().Preprocess.Upright
	if err := e.measure(set); err != nil {
		var nothing *sweep.NothingError
		if errors.As(err, &nothing) && len(s.lost) == 0 {
			s.leftOut(nothing.Skipped)
		}
		_, unwritten := s.writeLeftOut(set.Notes(), c.LeftOut, beside)
		return errors.Join(err, unwritten)
	}
	if c.Report != "" {
		course.tell(&e.page)
		if err := e.write(); err != nil {
			return err
		}
		e.Written = filepath.Join(c.Report, "report.html")
	}
	if _, err := s.writeLeftOut(set.Notes(), c.LeftOut, beside); err != nil {
		return err
	}
	if err := s.result(e.measured, e.words); err != nil {
		return err
	}
	return e.complete()
}

// complete is an error where a task had no result, or where labels and classes do not go
// together, which the result tells, too.
func (e *evaluation) complete() error {
	if len(e.failed) == 0 {
		return e.matched()
	}
	err := errors.Join(append(e.failed, e.matched())...)
	e.json = false // a second document would spoil the first
	return input(err)
}

func (e *evaluation) matched() error {
	var all []error
	for _, r := range e.Results {
		if err := r.Mismatch(); err != nil {
			all = append(all, fmt.Errorf("%s: %w", r.Name, err))
		}
	}
	if len(all) == 0 {
		return nil
	}
	if e.AllowMissing {
		for _, err := range all {
			e.say("%v", err)
		}
		return nil
	}
	e.json = false // a second document would spoil the first
	return input(fmt.Errorf("%w (--allow-missing accepts that)", errors.Join(all...)))
}

// plan chooses the tasks where none is given, and refuses those that cannot be.
func (c *evalCommand) plan(labels []string) error {
	if len(c.Tasks) == 0 {
		c.Tasks = []string{"retrieval"}
		if len(labels) > 0 {
			c.Tasks[0] = "zero-shot"
		}
		if c.Train != "" {
			c.Tasks = append(c.Tasks, "knn", "probe")
		}
	}
	for _, k := range c.At {
		if k < 1 {
			return wrong("--at %d, want 1 or more", k)
		}
	}
	for _, task := range c.Tasks {
		switch {
		case task == "zero-shot" && len(labels) == 0:
			return input(fmt.Errorf("%s: the set has no labels: zero-shot needs them, retrieval does not", c.Data))
		case (task == "knn" || task == "probe") && c.Train == "":
			return wrong("--tasks %s needs --train", task)
		}
	}
	return nil
}
