package train

import "errors"

// Event is what observers are told after a step.
type Event struct {
	Stats
	Epoch    int      `json:"epoch"`              // from 0
	Bad      int      `json:"bad"`                // different samples in the ledger
	Warnings []string `json:"warnings,omitempty"` // sentences of a [Diagnosis]

	Test map[string]float64 `json:"test,omitempty"` // what [Run].Test measured, after some steps
}

// Observer is called after every step, for example to write a log or a progress
// line. An error ends the run.
//
// In a resumed run the first event is that of the step after the checkpoint;
// later steps that an observer saw before the interruption come again.
type Observer interface {
	Observe(Event) error
}

// ObserverFunc is a function as an [Observer].
type ObserverFunc func(Event) error

// Observe calls f.
func (f ObserverFunc) Observe(e Event) error {
	if f == nil {
		return errors.New("train: the ObserverFunc is nil")
	}
	return f(e)
}
