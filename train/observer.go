package train

// Event is what there is to tell after a step.
type Event struct {
	Stats
	Epoch    int      `json:"epoch"`              // from 0
	Bad      int      `json:"bad"`                // different samples in the ledger
	Warnings []string `json:"warnings,omitempty"` // in words, for the person who trains

	Test map[string]float64 `json:"test,omitempty"` // what [Run].Test measured, after some steps
}

// Observer is told of every step: it writes a log, draws a progress line,
// evaluates now and then. An error ends the training.
//
// In a run that goes on from a checkpoint the first event has the step after
// it; events of later steps, that an observer saw before the run was stopped,
// come again.
type Observer interface {
	Observe(Event) error
}

// ObserverFunc is a function as an [Observer].
type ObserverFunc func(Event) error

// Observe calls f.
func (f ObserverFunc) Observe(e Event) error { return f(e) }
