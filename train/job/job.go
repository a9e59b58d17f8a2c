// Package job is a complete training run, as goclip train does it: a model, a set, and
// a folder for the log, the checkpoints to resume from and finally the model.
package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/lists"
	"github.com/goclip/goclip/internal/output"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/observe"
)

// Job is the configuration of a run.
type Job struct {
	// Out is the folder for the model, events.jsonl (every step's stats),
	// left-out.jsonl (samples that cannot be used) and the folder checkpoints.
	// Required.
	Out string
	// A folder that holds anything else than a training or a model is refused.
	// Overwrite replaces a model in Out that is not of this run.
	Overwrite bool
	// Inputs are files and folders that the run reads, such as those of Set. It does not
	// write into any of the folders, nor into that of the set's first sample: Out and TensorBoard there are an error.
	Inputs []string
	// Model is trained in place. [Fresh] makes a new one. Required. The adapters of one
	// that has some are saved as lora.safetensors, and merged into the model's weights.
	Model *encoder.Model
	// Set is the training set, Batches how to iterate over it; its Start is
	// overwritten. Set is required.
	Set     dataset.Source
	Batches dataset.BatchOptions

	Config train.Config
	Steps  int // of the whole run; required
	// Exam, where it has a Set, evaluates the model during training. With Compare it is also
	// held before the first step.
	Exam    Exam
	Compare bool
	// KeepBest saves the model with which the exam went best, by its [Headline], and not the
	// last. Patience, where it is not zero, ends the run after as many exams that were not
	// better than the best before; it implies KeepBest.
	KeepBest bool
	Patience int
	// WiseFT, where not nil, saves a model between the one that training began with and the
	// tuned one.
	WiseFT *WiseFT
	// Longer goes on from the checkpoints of a run of fewer steps in Out; see
	// [train.Checkpoints].
	Longer bool

	// CheckpointEvery is the number of steps between checkpoints, zero means 1000; Keep
	// the number of newest checkpoints that are kept, zero means 3.
	CheckpointEvery, Keep int
	TensorBoard           string // folder for its events; empty for none
	// Observers are called after every step, in addition to the log.
	Observers []train.Observer
}

// Training is a job that is ready to run.
type Training struct {
	job     Job
	trainer *train.Trainer
	opened  []*encoder.Model // by Plan.Open
}

// Close closes the models that [Plan.Open] loaded or made; after [New] it does nothing.
func (t *Training) Close() error {
	if t == nil {
		return nil
	}
	return closeAll(t.opened)
}

// Result is the outcome of a run.
type Result struct {
	Steps   int
	Last    train.Event // last event of this process; empty where no step was left to do
	LeftOut int         // samples that could not be used
	// Pairs counts the captions that the steps of this process were given, with repetitions,
	// and Truncated those of them that were cut to the model's context length.
	Pairs, Truncated int
	Outcome          Outcome
}

// New checks a job and prepares its trainer. Nothing is written yet.
func New(j Job) (*Training, error) {
	if j.Model == nil {
		return nil, errors.New("job: Model is missing")
	}
	switch {
	case j.Out == "":
		return nil, errors.New("job: Out is missing")
	case j.Set == nil:
		return nil, errors.New("job: Set is missing")
	case j.Steps < 1:
		return nil, fmt.Errorf("job: Steps is %d, want 1 or more", j.Steps)
	case j.Batches.Size < 1:
		return nil, fmt.Errorf("job: Batches.Size is %d, want 1 or more", j.Batches.Size)
	case j.Exam.Set == nil && (j.KeepBest || j.Patience != 0 || j.Compare):
		return nil, errors.New("job: KeepBest, Patience and Compare go by an Exam, whose Set is missing")
	case j.Patience < 0:
		return nil, fmt.Errorf("job: Patience is %d, want 0 or more", j.Patience)
	}
	if err := j.ranks(); err != nil {
		return nil, err
	}
	if err := j.WiseFT.check(j.Exam); err != nil {
		return nil, err
	}
	if j.Batches.Ledger == nil {
		j.Batches.Ledger = &dataset.Ledger{}
	}
	t, err := train.New(j.Model, j.Config)
	if err != nil {
		return nil, err
	}
	return &Training{job: j, trainer: t}, nil
}

// Steps returns the number of steps done.
func (t *Training) Steps() int {
	if t == nil {
		return 0
	}
	return t.trainer.Steps()
}

// Run trains, or resumes where an earlier process was interrupted, and saves the model,
// with the averaged weights if EMA is on. When ctx ends it writes a checkpoint and
// returns an error that wraps ctx's; running the same job again resumes from there and
// ends with the same weights.
//
// Out is locked meanwhile: a second run there is an error. If Out holds a model but no
// checkpoints of its run, Run returns [ErrOccupied] unless Overwrite is set.
//
// Where Config.Ranks are set, all of them call it. The first one writes, and the others'
// results are empty but for Steps; what goes wrong on one is the error of all, see [train.Agree].
func (t *Training) Run(ctx context.Context) (r Result, err error) {
	if t == nil || t.trainer == nil {
		return r, errors.New("job: the Training is empty, want one of New")
	}
	ranks := t.job.Config.Ranks
	if ranks != nil && ranks.Rank() > 0 {
		r, err = t.follow(ctx)
	} else {
		r, err = t.lead(ctx)
	}
	return r, train.Agree(ctx, ranks, err)
}

// lead is Run on the first rank, or on the only one.
func (t *Training) lead(ctx context.Context) (r Result, err error) {
	if err := t.apart(); err != nil {
		return r, fmt.Errorf("job: %w", err)
	}
	release, err := journal.Lock(t.job.Out)
	if err != nil {
		return r, fmt.Errorf("job: %w", err)
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := t.replaceable(); err != nil {
		return r, err
	}
	if err := journal.Sweep(t.job.Out); err != nil {
		return r, fmt.Errorf("job: %w", err)
	}
	observers, done, err := t.observers(&r)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, done()) }()
	j := &t.job
	before, err := t.before(ctx)
	if err != nil {
		return r, err
	}
	run := t.run(observers)
	if err := train.Agree(ctx, j.Config.Ranks, nil); err != nil {
		return r, err
	}
	fitErr := t.trainer.Fit(ctx, j.Set, run)
	r.Steps, r.LeftOut = t.trainer.Steps(), j.Batches.Ledger.Len()
	if err := journal.WriteFile(filepath.Join(j.Out, "left-out.jsonl"), j.Batches.Ledger.WriteJSONLines); err != nil {
		return r, errors.Join(fitErr, fmt.Errorf("job: %w", err))
	}
	if fitErr != nil {
		return r, fitErr
	}
	r.Outcome = Outcome{Steps: r.Steps, Before: before}
	if last := r.Last; run.Best.Of == "" && last.Step+1 == r.Steps && j.Compare {
		r.Outcome.After = last.Test // with the weights that are saved; nil where no step was left to do
	}
	err = t.finish(ctx, run, &r.Outcome)
	return r, err
}

// run is what the trainer is told.
func (t *Training) run(observers []train.Observer) train.Run {
	j := &t.job
	run := train.Run{
		Steps: j.Steps, Batches: j.Batches, Observers: observers,
		Test: j.Exam.of(j.Model), TestEvery: j.Exam.every(j.Set.Len(), j.Batches.Size, j.Steps),
		Checkpoints: train.Checkpoints{Dir: t.checkpoints(), Every: j.CheckpointEvery, Keep: j.Keep, Longer: j.Longer},
	}
	if j.KeepBest || j.Patience > 0 {
		run.Best = train.Best{Of: j.Exam.headline(), Patience: j.Patience}
	}
	if names := j.Exam.unheard(j.Set); len(names) > 0 {
		run.Warnings = append(run.Warnings, fmt.Sprintf("%d of the %d classes of the test never occur in the training set: %s; "+
			"are they spelt alike?", len(names), len(j.Exam.Classes), lists.Quoted(names, 10, 40)))
	}
	return run
}

// finish saves the model and says what came out.
func (t *Training) finish(ctx context.Context, run train.Run, o *Outcome) (err error) {
	save := func() error {
		if of := t.job.Exam.of(t.job.Model); of != nil && o.After == nil && (t.job.Compare || run.Best.Of != "") {
			if o.After, err = of(ctx); err != nil {
				return err
			}
		}
		return t.save()
	}
	if run.Best.Of != "" {
		err = run.Checkpoints.Best(t.trainer, save)
	} else {
		err = t.trainer.Averaged(save)
	}
	if err != nil {
		return err
	}
	if t.job.WiseFT != nil {
		if o.WiseFT, err = t.job.wiseFT(ctx, o); err != nil {
			return err
		}
	}
	return o.write(t.job.Out)
}

// apart refuses to write among what is not a training's own.
func (t *Training) apart() error {
	j := &t.job
	inputs := slices.Clone(j.Inputs)
	if x, ok := indexed(j.Set); ok && x.Len() > 0 {
		inputs = append(inputs, x.At(0).File)
	}
	if err := output.Outside(j.Out, inputs...); err != nil {
		return err
	}
	if j.TensorBoard != "" {
		if err := output.Outside(j.TensorBoard, inputs...); err != nil {
			return err
		}
	}
	return output.Free(j.Out, output.Kind{Name: "a training or a model", Folder: true, Is: isTraining}, true)
}

// isTraining knows the folder of one by its files, none of which may be another program's.
func isTraining(dir string) bool {
	found := encoder.Saved(dir)
	for name, begin := range map[string]string{"events.jsonl": `{"step":`, "left-out.jsonl": `{"file":`} {
		text, err := read(filepath.Join(dir, name), int64(len(begin)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || !strings.HasPrefix(begin, string(text)) {
			return false
		}
		found = true
	}
	entries, err := os.ReadDir(filepath.Join(dir, checkpoints))
	for _, e := range entries {
		found = found || strings.HasPrefix(e.Name(), "step-")
	}
	return found && (err == nil || errors.Is(err, fs.ErrNotExist))
}

// observers opens the logs, which done closes.
func (t *Training) observers(r *Result) (all []train.Observer, done func() error, err error) {
	log, err := observe.OpenJSONLines(filepath.Join(t.job.Out, "events.jsonl"))
	if err != nil {
		return nil, nil, err
	}
	done = log.Close
	all = append(all, t.job.Observers...)
	all = append(all, log, train.ObserverFunc(func(e train.Event) error {
		r.Last = e
		r.Pairs, r.Truncated = r.Pairs+e.Pairs, r.Truncated+e.Truncated
		return nil
	}))
	if t.job.TensorBoard != "" {
		board, err := observe.OpenTensorBoard(t.job.TensorBoard)
		if err != nil {
			return nil, nil, errors.Join(err, log.Close())
		}
		all = append(all, board)
		done = func() error { return errors.Join(log.Close(), board.Close()) }
	}
	return all, done, nil
}

// ErrOccupied says that Out holds a model of another run, or files of one.
var ErrOccupied = errors.New("job: the folder holds a model, or files of one, but no checkpoints to resume from")

func (t *Training) checkpoints() string { return filepath.Join(t.job.Out, checkpoints) }

// replaceable refuses a folder with a model, unless a training of this folder made it,
// whose checkpoints are there. Whether they are of the same training is seen when it
// goes on.
func (t *Training) replaceable() error {
	if t.job.Overwrite || !encoder.Saved(t.job.Out) {
		return nil
	}
	entries, err := os.ReadDir(t.checkpoints())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("job: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "step-") {
			return nil
		}
	}
	return fmt.Errorf("%w: %s", ErrOccupied, t.job.Out)
}

// save writes the model. One with adapters is written with them merged, and they are
// saved beside it.
func (t *Training) save() (err error) {
	m, options := t.job.Model, encoder.SaveOptions{Overwrite: true} // see replaceable
	if _, adapted := m.LoRA(); !adapted {
		return m.SaveWith(t.job.Out, "", options)
	}
	path := filepath.Join(t.checkpoints(), adapters)
	if err := m.SaveLoRA(path); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	file, err := read(path, math.MaxInt64)
	if err != nil {
		return err
	}
	options.Merged, options.Beside = true, map[string][]byte{adapters: file}
	return m.SaveWith(t.job.Out, "", options)
}

// read reads a regular file, up to a limit: a pipe would wait for a writer.
func read(path string, limit int64) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("job: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("job: %w", err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

const (
	adapters    = "lora.safetensors" // what a model's adapters are saved in
	checkpoints = "checkpoints"
)

// Steps is the number of steps of epochs over a set of the given number of samples,
// without the incomplete last batch of each epoch.
func Steps(epochs, samples, batch int) int { return epochs * (samples / max(batch, 1)) }

// Warmup is the default number of warm-up steps of a run of the given number of
// steps: a twentieth.
func Warmup(steps int) int { return steps / 20 }
