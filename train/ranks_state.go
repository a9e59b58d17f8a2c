package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/goclip/goclip/internal/safetensors"
)

// collect gives the first rank the tensors of the others.
func (t *Trainer) collect(ctx context.Context, tensors []safetensors.Tensor, owners []int) error {
	for i, x := range tensors {
		if owners[i] == everyone {
			continue
		}
		if err := t.world.pass(ctx, owners[i], 0, x); err != nil {
			return err
		}
	}
	return nil
}

// pass gives one rank a tensor that another has, where they are two.
func (w world) pass(ctx context.Context, from, to int, x safetensors.Tensor) error {
	if from == to || w.rank() != from && w.rank() != to {
		return nil
	}
	data := x.Float32
	if x.Raw != nil {
		data = words(x.Raw)
	}
	if w.rank() == from {
		return w.exchange(ctx, []Message{{to, data}}, nil)
	}
	err := w.exchange(ctx, nil, []Message{{from, data}})
	if x.Raw != nil {
		copy(x.Raw, unworded(data))
	}
	return err
}

// resumed gives the other ranks what the first one has read of a checkpoint, if there is one,
// and sees to it that all are of the same run.
func (t *Trainer) resumed(ctx context.Context, r *Resumed, s *state, id identity) error {
	if t.world.size() == 1 {
		return nil
	}
	var told telling
	if t.world.rank() == 0 {
		told = telling{Path: r.Path, Step: t.step, Identity: id, State: s}
		for _, err := range r.Damaged {
			told.Damaged = append(told.Damaged, err.Error())
		}
	}
	if err := t.world.document(ctx, &told); err != nil {
		return err
	}
	if diff := id.differences(told.Identity); diff != nil {
		return t.agree(ctx, fmt.Errorf("train: this rank is of another run than rank 0, whose is called the checkpoint:%s", lines(diff)))
	}
	if err := t.agree(ctx, nil); err != nil || told.Path == "" {
		return err
	}
	tensors, owners := s.tensors, s.owners
	if t.world.rank() > 0 {
		tensors, owners = tensorsOf(t)
	}
	for i, x := range tensors {
		var err error
		if owner := owners[i]; owner == everyone {
			err = t.world.broadcast(ctx, 0, x.Float32)
		} else {
			err = t.world.pass(ctx, 0, owner, x)
		}
		if err != nil {
			return err
		}
	}
	if t.world.rank() > 0 {
		*r = Resumed{Path: told.Path, Next: told.State.Next}
		for _, text := range told.Damaged {
			r.Damaged = append(r.Damaged, errors.New(text))
		}
		*s = *told.State
		t.step, t.solver.steps = told.Step, told.Step
	}
	return nil
}

// telling is what the first rank says of a checkpoint.
type telling struct {
	Path     string
	Step     int
	Damaged  []string
	Identity identity
	State    *state
}

// document gives all ranks the first one's.
func (w world) document(ctx context.Context, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	size := make([]float32, 4)
	halves(size, uint64(len(text)))
	if err := w.broadcast(ctx, 0, size); err != nil {
		return err
	}
	data := make([]float32, whole64(size))
	if w.rank() == 0 {
		copy(data, words(text))
	}
	if err := w.broadcast(ctx, 0, data); err != nil || w.rank() == 0 {
		return err
	}
	return json.Unmarshal(unworded(data), v)
}
