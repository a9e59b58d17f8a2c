// Package train trains CLIP models on image–caption pairs. The plain training step
// is all in step.go.
//
// The loop is the caller's: [Trainer.Step] trains on one batch and returns its
// [Stats]. [Trainer.Fit] is a loop for long runs, with checkpoints to resume from
// and observers. Runs with the same seed and the same sequence of batches end with
// the same weights, bit for bit, on any number of cores, interrupted or not.
package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/vision"
)

// Trainer updates a model's parameters. It is not safe for concurrent use, and
// the model must not encode while a step runs.
type Trainer struct {
	model       *encoder.Model
	cfg         Config
	weights     weights       // with their names; frozen parameters are not among them
	world       world         // who trains the model together
	owned       weights       // those that this rank updates: all, where it is alone
	params      []G.ValueGrad // the same, as a solver takes them
	objective   objective
	strategy    strategy
	solver      AdamW
	temperature temperature
	average     average
	step        int
}

// New returns a trainer of m's LoRA adapters if it has any, and of all its
// parameters otherwise.
func New(m *encoder.Model, cfg Config) (*Trainer, error) {
	t := &Trainer{model: m}
	if err := t.open(); err != nil {
		return nil, err
	}
	cfg, err := cfg.withDefaults(m)
	if err != nil {
		return nil, err
	}
	if !m.Trainable() && len(m.Adapters()) == 0 {
		return nil, errors.New("train: the model's weights are mapped from a file: load it with Options.Trainable, or give it LoRA adapters")
	}
	if v, ok := m.Config().Vision.(vision.MultiVector); ok {
		return nil, fmt.Errorf("train: the image tower gives %d vectors for an image, and losses take one", v.Vectors())
	}
	if err := m.CanSave(); err != nil && !cfg.Unsaved {
		return nil, fmt.Errorf("train: %w (Config.Unsaved trains it all the same)", err)
	}
	t.cfg = cfg
	if t.objective, err = newObjective(cfg); err != nil {
		return nil, err
	}
	if t.weights, err = cfg.trained(m); err != nil {
		return nil, err
	}
	t.world = world{cfg.Ranks}
	t.world.divide(t.weights)
	t.owned = t.weights.owned(t.world.rank())
	for _, w := range t.owned {
		t.params = append(t.params, w)
	}
	t.weights.slowed(m, cfg.LayerDecay)
	for _, w := range t.weights {
		if cfg.muon(w) {
			w.rate *= cfg.MuonRate
		}
	}
	graphs := &graphs{
		model: m, weights: t.weights, objective: t.objective, passes: make(map[shape]*pass),
		dropout: newPatchDropout(m, cfg.PatchDropout, cfg.Seed),
		again:   cfg.GradCheckpointing,
		world:   t.world, micro: cfg.MicroBatch,
	}
	t.strategy = whole{graphs}
	if cfg.MicroBatch > 0 {
		t.strategy = cached{whole: whole{graphs}}
	}
	t.solver = AdamW{
		Beta1: cfg.Beta1, Beta2: cfg.Beta2, Eps: cfg.Eps, WeightDecay: cfg.WeightDecay, ClipNorm: cfg.ClipNorm, Moments: cfg.Moments,
		Rate:   func(i int) float64 { return t.owned[i].rate },
		matrix: func(i int) bool { return cfg.muon(t.owned[i]) }, momentum: cfg.Momentum,
		Exempt: func(i int, _ G.Value) bool {
			p := t.owned[i].param
			return !p.Decayed() || matches(cfg.NoDecay, p.Name)
		},
	}
	t.temperature = temperature{m.LogitScale(), cfg.MaxLogitScale, t.weights.find(m.LogitScale().Name) == nil}
	t.average = newAverage(cfg.EMA, t.weights)
	return t, nil
}

// Gradient returns the last step's gradient of the parameter of that name, before
// clipping, valid until the next step; nil if there is none, as of what another rank updates.
func (t *Trainer) Gradient(name string) []float32 {
	if t == nil {
		return nil
	}
	if w := t.weights.find(name); w != nil && w.grad != nil {
		return w.grad.Data().([]float32)
	}
	return nil
}

// Steps returns the number of steps done.
func (t *Trainer) Steps() int {
	if t == nil {
		return 0
	}
	return t.step
}

// begin checks what a step needs and returns its learning rate. The model is held
// until end is called.
func (t *Trainer) begin(ctx context.Context, b *Batch) (rate float64, end func(), err error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, t.world.agree(ctx, err, nil)
	}
	if end, err = t.hold(); err != nil {
		return 0, nil, err
	}
	if err = b.check(t.model, t.cfg); err == nil {
		rate, err = t.cfg.rate(t.step)
	}
	err = t.meet(ctx, b, err)
	if err != nil {
		end()
		return 0, nil, err
	}
	return rate, end, nil
}

// rate asks the schedule, which may be the caller's own.
func (c Config) rate(step int) (rate float64, err error) {
	err = guard.Call(func() error {
		rate = c.LR(step)
		return nil
	})
	if err == nil && !(rate >= 0 && rate <= math.MaxFloat32) {
		err = fmt.Errorf("it is %g, want a number that is 0 or more", rate)
	}
	if err != nil {
		err = fmt.Errorf("train: step %d: LR: %w", step, err)
	}
	return rate, err
}

// open is an error where the model is closed or there is none.
func (t *Trainer) open() error {
	release, err := t.hold()
	if err == nil {
		release()
	}
	return err
}

func (t *Trainer) hold() (release func(), err error) {
	if t == nil {
		return nil, errors.New("train: the Trainer is nil")
	}
	if release, err = t.model.Hold(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return release, nil
}
