package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/nn"
)

// state is what a run needs besides its tensors to go on. Whatever is random in
// a run follows from its seeds, the step and the cursor.
type state struct {
	Version  int            `json:"version"`
	Step     int            `json:"step"`
	Next     dataset.Cursor `json:"next"`
	Identity identity       `json:"identity"`
	Ledger   []dataset.Bad  `json:"ledger,omitempty"`
	Best     *bestSoFar     `json:"best,omitempty"`
	Past     *past          `json:"past,omitempty"` // of the diagnosis

	tensors []safetensors.Tensor // as they were read, for the other ranks
	owners  []int
}

const (
	stateVersion = 2
	firstVersion = 1
	stateTensor  = "goclip.training" // a state as JSON, under a checksum like all tensors
)

// tensorsOf are all numbers of a run under their names in a checkpoint. They share
// the memory that the run uses, but for those that another rank owns, which have memory on
// the first one only; the others' have the owner everyone.
func tensorsOf(t *Trainer) (list []safetensors.Tensor, owners []int) {
	add := func(kind string, p *nn.Param, data []float32, owner int) {
		list = append(list, safetensors.Tensor{Name: kind + "." + p.Name, Shape: p.Shape, Float32: data})
		owners = append(owners, owner)
	}
	var params []*nn.Param
	if t.model.Trainable() { // else they are those of a file, which adapters leave as they are
		params = t.model.Params()
	}
	for _, w := range t.weights {
		if !slices.Contains(params, w.param) {
			params = append(params, w.param)
		}
	}
	for _, p := range params {
		add("model", p, p.Data, everyone)
	}
	t.solver.reserve(t.params)
	for i := range t.solver.moments {
		t.solver.moments[i].idle = nil // whoever has the list may write to what it lists
	}
	next := 0 // of the weights that are owned here
	for i, w := range t.weights {
		var own moment
		switch {
		case w.owner == t.world.rank():
			own = t.solver.moments[next]
			next++
		case t.cfg.muon(w) && t.world.rank() == 0:
			own = momentum(w.param.Size(), w.param.Shape[0])
		case t.cfg.muon(w):
			own = moment{rows: w.param.Shape[0]}
		case t.world.rank() == 0:
			own = t.cfg.Moments.of(w.param.Size(), newTables())
		default:
			own = t.cfg.Moments.elsewhere(w.param.Size())
		}
		for _, x := range own.tensors(w.param) {
			list, owners = append(list, x), append(owners, w.owner)
		}
		if t.average.mean != nil {
			add("ema", w.param, t.average.mean[i], everyone)
		}
	}
	return list, owners
}

const everyone = -1

// write makes the trainer's checkpoint: the old file at path, or the new one, never less.
func (s state) write(path string, t *Trainer, tensors []safetensors.Tensor) error {
	s.Version, s.Step = stateVersion, t.step
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tensors = append(tensors, safetensors.Tensor{Name: stateTensor, DType: tensorfile.U8, Shape: []int{len(data)}, Raw: data})
	sums, err := safetensors.Checksums(tensors)
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, tensors, map[string]string{safetensors.ChecksumKey: sums})
}

// errDamaged says that a file is not what was once written.
var errDamaged = errors.New("train: the checkpoint is damaged")

// restore reads a checkpoint of this very run into the trainer. An error that is
// errDamaged, or says that the run is another one, has changed nothing.
func (c Checkpoints) restore(path string, t *Trainer, id identity) (state, error) {
	f, err := safetensors.Open(path)
	if err != nil && errors.As(err, new(*fs.PathError)) {
		return state{}, fmt.Errorf("train: %w", err) // of the system, not of the file's content
	}
	if err != nil {
		return state{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	defer f.Close()
	if err := f.Verify(); err != nil {
		return state{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	s, err := readState(f, path)
	if err != nil {
		return state{}, err
	}
	if c.Longer {
		id = id.scheduledAs(s.Identity)
	}
	if diff := id.differences(s.Identity); diff != nil {
		err := fmt.Errorf("train: %s is of another run:%s", path, lines(diff))
		if id.scheduledAs(s.Identity).differences(s.Identity) == nil {
			err = fmt.Errorf("%w: %w", ErrSchedule, err)
		}
		return state{}, err
	}
	tensors, owners := tensorsOf(t)
	if err := match(f, tensors, 1); err != nil {
		return state{}, fmt.Errorf("%w: %s: %w", errDamaged, path, err)
	}
	for _, x := range tensors {
		if x.Raw != nil {
			var raw []byte
			raw, err = f.Bytes(x.Name)
			copy(x.Raw, raw)
		} else {
			err = f.Float32(x.Name, x.Float32)
		}
		if err != nil {
			return state{}, fmt.Errorf("train: the weights are partly restored: %w", err)
		}
	}
	t.step, t.solver.steps = s.Step, s.Step
	s.tensors, s.owners = tensors, owners
	return s, nil
}

// ErrSchedule says that a checkpoint is of a run with another learning rate schedule, such
// as that of another number of steps, and that nothing else differs: see
// [Checkpoints].Longer.
var ErrSchedule = errors.New("train: the checkpoint has another learning rate schedule")

// readState reads what a checkpoint holds besides its tensors.
func readState(f *safetensors.File, path string) (s state, err error) {
	data, err := f.Bytes(stateTensor)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return state{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	switch s.Version {
	case stateVersion:
	case firstVersion:
		s.Identity = identityOf1(s.Identity)
	default:
		return state{}, fmt.Errorf("train: %s has version %d, want %d or %d: a later version of goclip wrote it; use that version to resume", path, s.Version, firstVersion, stateVersion)
	}
	return s, nil
}

// match compares the tensors of a file with those of the run; the file holds besides more.
func match(f *safetensors.File, want []safetensors.Tensor, besides int) error {
	var wrong []string
	for _, x := range want {
		info, ok := f.Info(x.Name)
		dtype := cmp.Or(x.DType, tensorfile.F32)
		if !ok || info.DType != dtype || !slices.Equal(info.Shape, x.Shape) {
			wrong = append(wrong, fmt.Sprintf("%s: has %s%v, want %s%v", x.Name, info.DType, info.Shape, dtype, x.Shape))
		}
	}
	if n := len(f.Names()); n != len(want)+besides {
		wrong = append(wrong, fmt.Sprintf("%d tensors, want %d", n, len(want)+besides))
	}
	if wrong == nil {
		return nil
	}
	return errors.New("its content is not that of a checkpoint of this run:" + lines(wrong))
}

// lines puts each item on a line of its own.
func lines(items []string) string {
	text := ""
	for _, item := range items {
		text += "\n\t" + item
	}
	return text
}
