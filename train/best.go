package train

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/goclip/goclip/internal/safetensors"
)

// Best keeps the weights with which a test went best, so that training on beyond them
// costs nothing (early stopping; Prechelt, 1998).
type Best struct {
	// Of is what counts: a name of what [Run].Test returns, of which more is better.
	Of string
	// Patience, where it is not zero, ends the run after this many tests in a row that
	// were not better than the best before.
	Patience int
}

// bestSoFar is part of a checkpoint.
type bestSoFar struct {
	Value float64 `json:"value"`
	Step  int     `json:"step"`  // after which it was measured, counted from 0
	Tests int     `json:"tests"` // all
	Since int     `json:"since"` // tests after the best
}

func (b Best) check(run Run) error {
	switch {
	case b.Of == "" && b.Patience == 0:
	case b.Of == "" || b.Patience < 0:
		return fmt.Errorf("train: Best of %q with a Patience of %d, want the name of a measure and 0 or more", b.Of, b.Patience)
	case run.Test == nil:
		return errors.New("train: Best needs a Test")
	case run.Checkpoints.Dir == "":
		return errors.New("train: Best needs Checkpoints, in whose Dir the best model is kept")
	}
	return nil
}

// over says that the patience is at its end.
func (b Best) over(so bestSoFar) bool { return b.Patience > 0 && so.Since >= b.Patience }

func (b Best) stopped(so bestSoFar) string {
	return fmt.Sprintf("stopped early: %s has not been better than %.1f %%, of step %d, in %d tests", b.Of, 100*so.Value, so.Step+1, so.Since)
}

const bestFile = "best.safetensors"

// keepBest looks at what was just measured, by the averaged weights where there are any,
// and writes those if it is the best so far. A run that goes on from a checkpoint before
// the best comes by it again.
func (f *fit) keepBest(event *Event) error {
	of := f.run.Best.Of
	if of == "" {
		return nil
	}
	value, ok := event.Test[of]
	if !ok {
		return fmt.Errorf("it has no %q, of which the best model was to be kept", of)
	}
	f.best.Tests++
	if f.best.Since++; f.best.Tests > 1 && !(value > f.best.Value) {
		return nil
	}
	f.best.Value, f.best.Step, f.best.Since = value, event.Step, 0
	if f.t.world.rank() > 0 {
		return nil
	}
	return f.t.Averaged(func() error { return f.t.weights.write(filepath.Join(f.run.Checkpoints.Dir, bestFile)) })
}

// Best calls f while the model has the best weights that a run with a [Best] has kept in
// the folder of its checkpoints, and then restores those that it had. No step may run at
// the same time.
func (c Checkpoints) Best(t *Trainer, f func() error) error {
	if err := t.open(); err != nil {
		return err
	}
	if c.Dir == "" || f == nil {
		return errors.New("train: the best model: the Dir of the checkpoints or the function is missing")
	}
	path := filepath.Join(c.Dir, bestFile)
	file, err := safetensors.Open(path)
	if err != nil {
		return fmt.Errorf("train: the best model: %w", err)
	}
	defer file.Close()
	if err := file.Verify(); err != nil {
		return fmt.Errorf("train: the best model: %w: %w", errDamaged, err)
	}
	tensors := t.weights.tensors()
	if err := match(file, tensors, 0); err != nil {
		return fmt.Errorf("train: the best model: %s: %w", path, err)
	}
	defer t.weights.keep()()
	for _, x := range tensors {
		if err := file.Float32(x.Name, x.Float32); err != nil {
			return fmt.Errorf("train: the best model: %w", err)
		}
	}
	return f()
}

// tensors are the weights under their own names, in the memory that the run uses.
func (ws weights) tensors() (list []safetensors.Tensor) {
	for _, w := range ws {
		list = append(list, safetensors.Tensor{Name: w.param.Name, Shape: w.param.Shape, Float32: w.param.Data})
	}
	return list
}

func (ws weights) write(path string) error {
	if err := ws.finite(); err != nil {
		return err
	}
	sums, err := safetensors.Checksums(ws.tensors())
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, ws.tensors(), map[string]string{safetensors.ChecksumKey: sums})
}

// keep returns a function that gives the weights the values that they have now.
func (ws weights) keep() (restore func()) {
	kept := make([][]float32, len(ws))
	for i, w := range ws {
		kept[i] = append([]float32(nil), w.param.Data...)
	}
	return func() {
		for i, w := range ws {
			copy(w.param.Data, kept[i])
		}
	}
}
