package command

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/report"
)

// evaluation is one run of the command.
type evaluation struct {
	*evalCommand
	*session
	measured
	model     *encoder.Model
	labels    []string
	templates []string
	page      report.Report
	failed    []error // of tasks that have no result; the others stand
}

func (e *evaluation) asked(task string) bool { return slices.Contains(e.Tasks, task) }

func (e *evaluation) measure(set *dataset.Set) error {
	var classifier *encoder.Classifier
	var err error
	if e.asked("zero-shot") {
		o := encoder.ClassifierOptions{Templates: e.templates, Verbatim: e.VerbatimLabels}
		if classifier, err = e.model.NewClassifierWith(e, e.labels, o); err != nil {
			return err
		}
		e.Prompts = &promptsSaid{len(e.labels) * len(e.templates), len(classifier.Cut()), e.model.Probabilities()}
		e.cut("prompts", classifier.Cut(), e.Prompts.Count)
	}
	var hardest report.Hardest
	f, err := eval.Embed(e, e.model, e.watch("test set", set), func(p dataset.Pair, row *encoder.Embeddings) {
		if classifier != nil && p.Label != "" {
			hardest.Add(p, classifier.Predict(row)[0])
		}
	})
	if err != nil {
		return input(err)
	}
	f.Verbatim = e.VerbatimLabels
	e.leftOut(f.Skipped)
	if classifier != nil {
		z, err := f.Classify(classifier)
		if err != nil {
			return input(err)
		}
		e.leftOut(z.Skipped[len(f.Skipped):]) // those without a label
		e.Results = append(e.Results, report.Result{Name: "zero-shot", Classification: z})
	}
	if err := e.trained(f); err != nil {
		e.failed = append(e.failed, err)
	}
	if e.asked("retrieval") {
		r, err := f.RetrieveWith(e, e.model, &eval.RetrievalOptions{Convention: e.Convention, At: e.At})
		switch {
		case err != nil:
			e.failed = append(e.failed, err)
		case r.Truncated > 0:
			e.warn("%d of %d captions are longer than the model's context and were cut, so their ends count for nothing", r.Truncated, r.Captions)
		}
		if err == nil {
			e.Retrieval = r
		}
	}
	if e.Err() != nil {
		return e.Err()
	}
	if len(e.Results) == 0 && e.Retrieval == nil {
		return input(errors.Join(e.failed...))
	}
	e.page.Mistakes = hardest.Mistakes()
	if e.Report != "" && f.Images.N >= 3 {
		e.page.Map, err = report.NewMap(f)
	}
	return err
}

// trained measures what a labelled training set allows.
func (e *evaluation) trained(f *eval.Features) (err error) {
	if !e.asked("knn") && !e.asked("probe") {
		return nil
	}
	set, err := e.openAs(e, e.Train, e.templates)
	if err != nil {
		return err
	}
	defer closing(&err, set.Close)
	known, err := eval.Embed(e, e.model, e.watch("training set", set), nil)
	if err != nil {
		return input(err)
	}
	known.Verbatim = e.VerbatimLabels
	e.leftOut(known.Skipped)
	add := func(name string, c *eval.Classification, err error) {
		if err != nil {
			e.failed = append(e.failed, err)
			return
		}
		e.leftOut(c.Skipped[len(f.Skipped):])
		e.Results = append(e.Results, report.Result{Name: name, Classification: c})
	}
	if e.asked("knn") {
		c, err := f.KNN(e, known, nil)
		add("nearest neighbours", c, err)
	}
	if e.asked("probe") {
		var c *eval.Classification
		probe, err := eval.FitProbe(e, known, nil, &eval.ProbeOptions{Progress: e.counter("probe", "fits")})
		if err == nil {
			c, err = probe.Classify(f)
		}
		add("linear probe", c, err)
	}
	return nil
}

// write writes the report.
func (e *evaluation) write() error {
	p := &e.page
	p.Title = reportTitle + filepath.Base(e.Model) + "?"
	p.Results, p.Retrieval = e.Results, e.Retrieval
	n := 0
	for _, param := range e.model.Params() {
		n += len(param.Data)
	}
	p.Facts = []report.Fact{
		{Name: "model", Value: fmt.Sprintf("%s, %d parameters", e.Model, n)},
		{Name: "test set", Value: e.Data},
		{Name: "prompts", Value: strings.Join(e.templates[:min(len(e.templates), 5)], " · ")},
	}
	p.Facts = append(p.Facts, report.Fact{Name: "photographs", Value: e.orientation()})
	if e.Train != "" {
		p.Facts = append(p.Facts, report.Fact{Name: "training set", Value: e.Train})
	}
	return errors.Join(
		journal.WriteFile(filepath.Join(e.Report, "report.json"), p.WriteJSON),
		journal.WriteFile(filepath.Join(e.Report, "report.html"), p.WriteHTML))
}

// orientation says how photographs were seen, which other commands may do otherwise.
func (e *evaluation) orientation() string {
	if e.measured.Upright {
		return turned(true)
	}
	return turned(false) + ": so the published evaluations do, while goclip classify, index and search turn them (--upright does it here)"
}

func (e *evaluation) words(w io.Writer) {
	for _, r := range e.Results {
		fmt.Fprintf(w, "%s: %.1f %% of %d images, top five %.1f %%, mean of classes %.1f %%, calibration error %.1f %%\n",
			r.Name, 100*r.Accuracy(), r.N(), 100*r.Top5Accuracy(), 100*r.Balanced(), 100*r.Calibration.ECE())
		if err := r.Mismatch(); err != nil {
			fmt.Fprintf(w, "  %v\n", err)
		}
	}
	if r := e.Retrieval; r != nil {
		fmt.Fprintf(w, "retrieval: %d images, %d captions", r.Images, r.Captions)
		if r.Different < r.Captions {
			fmt.Fprintf(w, ", of which %d differ", r.Different)
		}
		if r.Truncated > 0 {
			fmt.Fprintf(w, ", %d cut to the model's context", r.Truncated)
		}
		fmt.Fprintf(w, "; by the convention %s\n", r.Convention)
		for _, k := range e.At {
			fmt.Fprintf(w, "  recall@%d: image to text %.1f %%, text to image %.1f %%", k, 100*r.ImageToText[k], 100*r.TextToImage[k])
			if r.Different < r.Captions && r.Convention != eval.ConventionPlain {
				fmt.Fprintf(w, " (plain: %.1f %%, %.1f %%)", 100*r.PlainImageToText[k], 100*r.PlainTextToImage[k])
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintf(w, "photographs: %s\n", e.orientation())
	if e.Written != "" {
		fmt.Fprintf(w, "report: %s\n", e.Written)
	}
}
