// Package report writes what was measured of a model as JSON and as one HTML
// page: the run's loss and tests, accuracy by class, confusion, calibration,
// retrieval, the hardest mistakes with their images and a map of the embeddings.
// The page is a single file that runs no script, asks no network for anything and
// can be read on light and dark screens.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/goclip/goclip/eval"
)

// Report is the content of a report. Only the title is required; empty parts
// are left out of the page.
type Report struct {
	Title     string          `json:"title"`
	Facts     []Fact          `json:"facts,omitempty"` // of the model, the data, the run
	Loss      []Point         `json:"loss,omitempty"`
	Tests     []Test          `json:"tests,omitempty"` // on the way
	Warnings  []Warning       `json:"warnings,omitempty"`
	Compared  []Compared      `json:"compared,omitempty"` // before and after
	Line      *Line           `json:"line,omitempty"`
	Results   []Result        `json:"results,omitempty"`
	Retrieval *eval.Retrieval `json:"retrieval,omitempty"`
	Mistakes  []Mistake       `json:"mistakes,omitempty"` // the hardest first
	Map       *Map            `json:"map,omitempty"`
}

// Fact is a name and a value to show.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Point is the loss of one training step, and the loss at chance level.
type Point struct {
	Step   int     `json:"step"`
	Loss   float64 `json:"loss"`
	Chance float64 `json:"chance"`
}

// Test is an evaluation after a step of the run: fractions of 1, by names such as
// "top1".
type Test struct {
	Step   int                `json:"step"`
	Shares map[string]float64 `json:"test"`
}

// Warning is a sentence about the run, with the step after which it was told.
type Warning struct {
	Step int    `json:"step"`
	Text string `json:"text"`
}

// Compared is a fraction of 1 before and after a fine-tuning.
type Compared struct {
	Name   string  `json:"name"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Line is what was measured of models between one that was fine-tuned, at 0, and what it
// came to, at 1 (WiSE-FT).
type Line struct {
	Alphas []float64 `json:"alphas"` // rising
	Tuned  []float64 `json:"tuned"`  // fractions of 1, of what it is tuned for
	Kept   []float64 `json:"kept"`   // of what it should not forget
	Saved  float64   `json:"saved"`  // the alpha of the model that was saved
}

func (l *Line) validate() error {
	if l == nil {
		return nil
	}
	if len(l.Alphas) < 2 || len(l.Tuned) != len(l.Alphas) || len(l.Kept) != len(l.Alphas) {
		return fmt.Errorf("report: Line of %d, %d and %d numbers, want as many of each, and two or more", len(l.Alphas), len(l.Tuned), len(l.Kept))
	}
	for i, a := range l.Alphas {
		if !(a >= 0 && a <= 1 && l.Tuned[i] >= 0 && l.Tuned[i] <= 1 && l.Kept[i] >= 0 && l.Kept[i] <= 1) || i > 0 && !(a > l.Alphas[i-1]) {
			return fmt.Errorf("report: Line: point %d is %g, %g, %g, want rising alphas and all from 0 to 1", i, a, l.Tuned[i], l.Kept[i])
		}
	}
	return nil
}

// Result is a classification with the name of its method, as "zero-shot" or
// "linear probe". The page shows all beside each other, and the details of the
// first.
type Result struct {
	Name string `json:"name"`
	*eval.Classification
}

// MarshalJSON puts the name beside the figures.
func (r Result) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name    string               `json:"name"`
		Figures *eval.Classification `json:"figures"`
	}{r.Name, r.Classification})
}

// Validate reports the first part that cannot be shown.
func (r *Report) Validate() error {
	if r == nil {
		return errors.New("report: the Report is nil")
	}
	if r.Title == "" {
		return errors.New("report: Title is missing")
	}
	for i, p := range r.Loss {
		if bad(p.Loss) || bad(p.Chance) || i > 0 && p.Step <= r.Loss[i-1].Step {
			return fmt.Errorf("report: Loss[%d] is step %d, loss %g, chance %g: want finite numbers and rising steps", i, p.Step, p.Loss, p.Chance)
		}
	}
	for i, t := range r.Tests {
		if i > 0 && t.Step <= r.Tests[i-1].Step {
			return fmt.Errorf("report: Tests[%d] is step %d after %d, want rising steps", i, t.Step, r.Tests[i-1].Step)
		}
		for name, v := range t.Shares {
			if !(v >= 0 && v <= 1) {
				return fmt.Errorf("report: Tests[%d]: %s is %g, want 0 to 1", i, name, v)
			}
		}
	}
	for i, res := range r.Results {
		if res.Classification == nil || res.N() == 0 {
			return fmt.Errorf("report: Results[%d] (%s) has no images", i, res.Name)
		}
	}
	if err := r.Line.validate(); err != nil {
		return err
	}
	if r.Map != nil {
		return r.Map.validate()
	}
	return nil
}

func bad(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

var errNoWriter = errors.New("report: the writer is nil")

// WriteJSON writes the report, without images.
func (r *Report) WriteJSON(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if w == nil {
		return errNoWriter
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
