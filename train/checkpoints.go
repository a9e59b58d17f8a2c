package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/safetensors"
)

// Checkpoints is a folder with the checkpoints of one run, from which it can be resumed:
// weights, AdamW's moments, the moving average (EMA), the step, the position in the data
// and the ledger. [Trainer.Fit] locks it, and one that is in use is refused. A checkpoint
// serves to resume training; [encoder.Model.Save] writes a model to use.
//
// A resumed run is the same to the last bit as one that was never interrupted, on
// processors with the same vector instructions.
type Checkpoints struct {
	Dir string // created if missing; required, except that in [Run] "" means no checkpoints

	// Every is the number of steps between the checkpoints of [Trainer.Fit]; zero
	// means 1000. Fit also writes one at the end and when its context ends.
	Every int
	// Keep is the number of newest checkpoints that are kept; zero means 3. Where
	// KeepEvery is not zero, checkpoints whose step is a multiple of it are kept
	// as well.
	Keep, KeepEvery int
	// Longer goes on from a checkpoint whose run differs in its learning rate schedule only,
	// such as that of fewer steps; the rates from its step on are those of the new one.
	// Without it that is [ErrSchedule].
	Longer bool
}

func (c Checkpoints) ready() (Checkpoints, error) {
	if c.Dir == "" {
		return c, errors.New("train: checkpoints: Dir is missing")
	}
	if c.Every < 0 || c.Keep < 0 || c.KeepEvery < 0 {
		return c, fmt.Errorf("train: checkpoints: Every %d, Keep %d, KeepEvery %d: none may be negative", c.Every, c.Keep, c.KeepEvery)
	}
	c.Every, c.Keep = cmp.Or(c.Every, 1000), cmp.Or(c.Keep, 3)
	return c, nil
}

// Save writes a checkpoint of the trainer's current state; next is the Next of
// the last batch trained on. It is written completely or not at all, and only
// then are older ones removed. Of several ranks, of which all call it, the first one writes.
func (c Checkpoints) Save(t *Trainer, next dataset.Cursor) (err error) {
	c, err = c.ready()
	if err != nil {
		return err
	}
	if err := t.open(); err != nil {
		return err
	}
	if err := t.weights.finite(); err != nil {
		return fmt.Errorf("train: checkpoint of step %d: %w", t.step, err)
	}
	id, err := identify(t)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if t.world.rank() > 0 {
		return c.save(ctx, t, state{})
	}
	release, err := c.lock()
	if err != nil {
		return t.agree(ctx, err)
	}
	defer func() { err = errors.Join(err, release()) }()
	return c.save(ctx, t, state{Next: next, Identity: id})
}

// lock keeps other processes from writing to the folder. One that was killed does not.
func (c Checkpoints) lock() (release func() error, err error) {
	if release, err = journal.Lock(c.Dir); err != nil {
		return nil, fmt.Errorf("train: checkpoints: %w", err)
	}
	return release, nil
}

// save writes what all ranks know.
func (c Checkpoints) save(ctx context.Context, t *Trainer, s state) error {
	tensors, owners := tensorsOf(t)
	if err := t.collect(ctx, tensors, owners); err != nil {
		return err
	}
	if t.world.rank() > 0 {
		return t.agree(ctx, nil)
	}
	return t.agree(ctx, c.write(t, s, tensors))
}

func (c Checkpoints) write(t *Trainer, s state, tensors []safetensors.Tensor) error {
	if err := os.MkdirAll(c.Dir, 0o777); err != nil {
		return fmt.Errorf("train: checkpoints: %w", err)
	}
	if err := s.write(c.path(t.step), t, tensors); err != nil {
		return fmt.Errorf("train: checkpoint of step %d: %w", t.step, err)
	}
	if err := c.rotate(t.step); err != nil {
		return fmt.Errorf("train: removing old checkpoints: %w", err)
	}
	return nil
}

// Resumed says where a run resumes.
type Resumed struct {
	Path    string         // of the checkpoint; "" where the folder has none and the run starts at step 0
	Next    dataset.Cursor // for the Start of the batches
	Damaged []error        // newer checkpoints that were damaged and skipped
}

// Resume loads the newest undamaged checkpoint of the folder into the trainer.
// It is an error, which names the cause, if all are damaged, or if the newest is
// of another model, configuration, tokenizer or seed. Of several ranks, of which all call
// it, the first one reads.
func (c Checkpoints) Resume(t *Trainer) (Resumed, error) {
	c, err := c.ready()
	if err != nil {
		return Resumed{}, err
	}
	if err := t.open(); err != nil {
		return Resumed{}, err
	}
	id, err := identify(t)
	if err != nil {
		return Resumed{}, err
	}
	ctx := context.Background()
	var r Resumed
	var s state
	if t.world.rank() == 0 {
		r, s, err = c.resume(t, id)
	}
	if err = t.agree(ctx, err); err == nil {
		err = t.resumed(ctx, &r, &s, id)
	}
	return r, err
}

func (c Checkpoints) resume(t *Trainer, id identity) (r Resumed, s state, err error) {
	steps, err := c.steps()
	if err != nil {
		return r, s, fmt.Errorf("train: checkpoints: %w", err)
	}
	for _, step := range steps {
		s, err := c.restore(c.path(step), t, id)
		switch {
		case err == nil:
			r.Path, r.Next = c.path(step), s.Next
			return r, s, nil
		case !errors.Is(err, errDamaged):
			return r, s, err
		}
		r.Damaged = append(r.Damaged, err)
	}
	if r.Damaged != nil {
		return r, s, fmt.Errorf("train: no checkpoint in %s can be used: %w", c.Dir, errors.Join(r.Damaged...))
	}
	return r, s, nil
}

// Setting returns what the newest checkpoint says of its run by a name such as
// "model.Preprocess.Upright", the names being those of the differences that
// [Checkpoints.Resume] lists. A setting that is zero is empty. found is false where there
// is no checkpoint that can be read.
func (c Checkpoints) Setting(name string) (value string, found bool) {
	steps, err := c.steps()
	if err != nil {
		return "", false
	}
	for _, step := range steps {
		if f, err := safetensors.Open(c.path(step)); err == nil {
			s, err := readState(f, c.path(step))
			_ = f.Close() // nothing was written
			if err == nil {
				return s.Identity[name], true
			}
		}
	}
	return "", false
}

func (c Checkpoints) path(step int) string {
	return filepath.Join(c.Dir, fmt.Sprintf("step-%08d.safetensors", step))
}

var fileName = regexp.MustCompile(`^step-(\d{8,18})\.safetensors$`)

// steps lists the checkpoints of the folder, the newest first.
func (c Checkpoints) steps() ([]int, error) {
	entries, err := os.ReadDir(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var steps []int
	for _, e := range entries {
		if m := fileName.FindStringSubmatch(e.Name()); m != nil {
			n, _ := strconv.Atoi(m[1]) // up to 18 digits fit
			steps = append(steps, n)
		}
	}
	slices.Sort(steps)
	slices.Reverse(steps)
	return steps, err
}

// rotate removes what need not stay: old checkpoints, and files that a process
// was killed over. Checkpoints of later steps, damaged ones that the run went
// back behind, are left to be written anew.
func (c Checkpoints) rotate(now int) error {
	steps, err := c.steps()
	if err != nil {
		return err
	}
	kept := 0
	for _, step := range steps {
		switch {
		case step > now, c.KeepEvery > 0 && step%c.KeepEvery == 0:
		case kept < c.Keep:
			kept++
		default:
			if err := os.Remove(c.path(step)); err != nil {
				return err
			}
		}
	}
	return journal.Sweep(c.Dir)
}

// due says whether Fit writes a checkpoint after a step.
func (c Checkpoints) due(step int) bool { return c.Dir != "" && step%c.Every == 0 }
