package job

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/goclip/goclip/internal/journal"
)

// Outcome is what a run that is over came to. It is written to outcome.json in the
// folder of the model.
type Outcome struct {
	Steps int `json:"steps"`
	// Before and After are the exam of the model that training began with, where
	// Job.Compare asks for it, and of the one that training came to. See [Exam].
	Before map[string]float64 `json:"before,omitempty"`
	After  map[string]float64 `json:"after,omitempty"`
	WiseFT *Curve             `json:"wise_ft,omitempty"`
}

// OutcomeFile is the name of the file with the [Outcome].
const OutcomeFile = "outcome.json"

func (o *Outcome) write(dir string) error {
	err := journal.WriteFile(filepath.Join(dir, OutcomeFile), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(o)
	})
	if err != nil {
		return fmt.Errorf("job: %w", err)
	}
	return nil
}

// before holds the exam before the first step. The model is as it began even where the run
// is about to be resumed.
func (t *Training) before(ctx context.Context) (map[string]float64, error) {
	if !t.job.Compare {
		return nil, nil
	}
	measured, err := t.job.Exam.of(t.job.Model)(ctx)
	if err != nil {
		return nil, fmt.Errorf("job: the exam before the first step: %w", err)
	}
	return measured, nil
}
