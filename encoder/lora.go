package encoder

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/goclip/goclip/nn"
)

// LoRA says which linear layers of a model get adapters, updates of low rank
// beside their weights (Hu et al., 2022).
type LoRA struct {
	Rank  int     // of the updates; required
	Alpha float64 // an update is scaled by Alpha/Rank; zero means Rank
	// Targets are path.Match patterns of the names of the layers' weights, such as
	// "visual.transformer.resblocks.*.attn.*"; nil means all linear layers: those of
	// the blocks, with queries, keys and values as one, and of the poolings.
	Targets []string
}

// AddLoRA gives the model fresh adapters, which change nothing until they are
// trained. Training such a model trains the adapters alone, and its weights may
// then be mapped from a file. No other method may run meanwhile.
func (m *Model) AddLoRA(cfg LoRA, seed uint64) error {
	if err := m.adapt(cfg); err != nil {
		return fmt.Errorf("encoder: %w", err)
	}
	for _, p := range m.Adapters() {
		p.Init(seed)
	}
	return nil
}

// adapt adds adapters that have no memory yet.
func (m *Model) adapt(cfg LoRA) error {
	if m.lora != nil {
		return errors.New("LoRA: the model has adapters: MergeLoRA or RemoveLoRA comes first")
	}
	if cfg.Targets == nil {
		cfg.Targets = []string{"*"}
	}
	if cfg.Alpha == 0 {
		cfg.Alpha = float64(cfg.Rank)
	}
	if cfg.Rank < 1 || cfg.Rank > 1<<16 || !(cfg.Alpha > 0 && cfg.Alpha < 1e9) {
		return fmt.Errorf("LoRA: Rank is %d and Alpha %g, want 1 to %d and a positive number", cfg.Rank, cfg.Alpha, 1<<16)
	}
	linears := m.linears()
	var targets []*nn.Linear
	for _, pattern := range cfg.Targets {
		matched := false
		for _, l := range linears {
			ok, err := path.Match(pattern, l.Weight.Name)
			if err != nil {
				return fmt.Errorf("LoRA: %q is a malformed pattern", pattern)
			}
			if matched = matched || ok; ok && !slices.Contains(targets, l) {
				targets = append(targets, l)
			}
		}
		if !matched {
			return fmt.Errorf("LoRA: %q matches no weight of a linear layer", pattern)
		}
	}
	for _, l := range targets {
		l.Adapt(cfg.Rank, cfg.Alpha/float64(cfg.Rank))
	}
	m.lora = &cfg
	m.changed()
	return nil
}

// LoRA returns what the model's adapters were made with, and whether it has any.
func (m *Model) LoRA() (cfg LoRA, ok bool) {
	if m.lora == nil {
		return LoRA{}, false
	}
	return *m.lora, true
}

// Adapters lists the parameters of the adapters, in a fixed order. They are not
// among Params.
func (m *Model) Adapters() []*Param {
	var ps []*Param
	for _, l := range m.linears() {
		if l.LoRA != nil {
			ps = append(ps, l.LoRA.Params()...)
		}
	}
	return ps
}

// MergeLoRA adds the adapters to the weights, which gives the same features to
// rounding, and removes them. No other method may run meanwhile, and a trainer
// of the model must not be used any more.
func (m *Model) MergeLoRA() error {
	if m.lora == nil {
		return errNoAdapters
	}
	for _, l := range m.linears() {
		if l.LoRA != nil {
			l.Merge()
		}
	}
	m.RemoveLoRA()
	return nil
}

var errNoAdapters = errors.New("encoder: LoRA: the model has no adapters")

// RemoveLoRA takes the adapters off: the model is what it was without them. No
// other method may run meanwhile, and a trainer of the model must not be used
// any more.
func (m *Model) RemoveLoRA() {
	for _, l := range m.linears() {
		l.LoRA = nil
	}
	m.lora = nil
	m.changed()
}

func (m *Model) linears() []*nn.Linear {
	return append(m.text.Linears(), m.image.Linears()...)
}

// changed forgets the compiled passes of what the model was.
func (m *Model) changed() {
	m.images.reset()
	m.texts.reset()
}
