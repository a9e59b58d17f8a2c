package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/goclip/goclip/encoder"
)

// WiseFT is fine-tuning that forgets less: the weights that are saved lie on the line
// between those that training began with and the tuned ones (Wortsman et al., 2022, Robust
// fine-tuning of zero-shot models). Job.Exam and Keep are held at points along it.
type WiseFT struct {
	// Start opens the model that training began with. [Plan.Open] sets it.
	Start func() (*encoder.Model, error)
	// Keep is an exam of what is not to be forgotten; its Every counts for nothing.
	Keep Exam
	// Alpha, from 0, the start, to 1, the tuned model, is which one is saved; nil means the
	// point with the best mean of both exams' headlines.
	Alpha *float64
	// Points, from one end of the line to the other; zero means 11.
	Points int
}

// Curve is what [WiseFT] measured.
type Curve struct {
	Points []CurvePoint `json:"points"`
	Alpha  float64      `json:"alpha"` // of the model that was saved
}

// CurvePoint is the exams of one model of the line.
type CurvePoint struct {
	Alpha float64            `json:"alpha"`
	Tuned map[string]float64 `json:"tuned"`
	Kept  map[string]float64 `json:"kept"`
}

// score is what points are compared by.
func (p CurvePoint) score() float64 {
	_, tuned, _ := Headline(p.Tuned)
	_, kept, _ := Headline(p.Kept)
	return (tuned + kept) / 2
}

func (w *WiseFT) check(exam Exam) error {
	switch {
	case w == nil:
	case w.Start == nil:
		return errors.New("job: WiseFT: Start is missing: it is for a model that is fine-tuned")
	case exam.Set == nil || w.Keep.Set == nil:
		return errors.New("job: WiseFT goes by two exams, Job.Exam and Keep, and a Set is missing")
	case w.Alpha != nil && !(*w.Alpha >= 0 && *w.Alpha <= 1):
		return fmt.Errorf("job: WiseFT: Alpha is %g, want 0 to 1", *w.Alpha)
	case w.Points < 0 || w.Points == 1:
		return fmt.Errorf("job: WiseFT: Points is %d, want 2 or more", w.Points)
	}
	return nil
}

// wiseFT measures along the line to the model in Out and saves the chosen one there.
func (j *Job) wiseFT(ctx context.Context, o *Outcome) (c *Curve, err error) {
	start, err := j.WiseFT.Start()
	if err != nil {
		return nil, fmt.Errorf("job: WiseFT: %w", err)
	}
	defer func() { err = errors.Join(err, start.Close()) }()
	tuned, err := encoder.Load(j.Out, nil)
	if err != nil {
		return nil, fmt.Errorf("job: WiseFT: %w", err)
	}
	between, err := encoder.Load(j.Out, &encoder.Options{Trainable: true})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("job: WiseFT: %w", err), tuned.Close())
	}
	defer func() { err = errors.Join(err, between.Close()) }()
	c, err = j.line(ctx, o, start, tuned, between)
	if err == nil {
		err = between.Blend(start, tuned, c.Alpha)
	}
	if err = errors.Join(err, tuned.Close()); err != nil { // its file is about to be replaced
		return nil, fmt.Errorf("job: WiseFT: %w", err)
	}
	return c, between.SaveWith(j.Out, "", encoder.SaveOptions{Overwrite: true})
}

// line holds both exams along the line, where they have not been held before, and chooses.
func (j *Job) line(ctx context.Context, o *Outcome, start, tuned, between *encoder.Model) (*Curve, error) {
	c := new(Curve)
	n := cmp.Or(j.WiseFT.Points, 11)
	best := -1.0
	for i := range n {
		p := CurvePoint{Alpha: float64(i) / float64(n-1)}
		err := between.Blend(start, tuned, p.Alpha)
		switch i {
		case 0:
			p.Tuned = o.Before
		case n - 1:
			p.Tuned = o.After
		}
		if err == nil && p.Tuned == nil {
			p.Tuned, err = j.Exam.of(between)(ctx)
		}
		if err == nil {
			p.Kept, err = j.WiseFT.Keep.of(between)(ctx)
		}
		if err != nil {
			return nil, err
		}
		if c.Points = append(c.Points, p); p.score() > best {
			best, c.Alpha = p.score(), p.Alpha
		}
	}
	if j.WiseFT.Alpha != nil {
		c.Alpha = *j.WiseFT.Alpha
	}
	return c, nil
}
