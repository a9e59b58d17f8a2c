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

// AddLoRA gives the model new adapters, which change nothing until they are
// trained. Training such a model trains the adapters alone, so its weights may
// stay mapped from a file. No other method may run at the same time.
func (m *Model) AddLoRA(cfg LoRA, seed uint64) error {
	end, err := m.begin()
	if err != nil {
		return err
	}
	defer end()
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
	switch p := m.Precision(); p {
	case Float32:
	case Int8:
		return errors.New("LoRA: the model's linear layers are integers: load it without Options.Precision")
	default:
		return fmt.Errorf("LoRA: the model's weights are kept as %v: load it without Options.Precision", p)
	}
	if m.lora != nil {
		return errors.New("LoRA: the model already has adapters: call MergeLoRA or RemoveLoRA first")
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
	linears := m.adaptable()
	var targets []*nn.Param
	for _, pattern := range cfg.Targets {
		matched := false
		for _, l := range linears {
			ok, err := path.Match(pattern, l.Name)
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
	if m == nil || m.lora == nil {
		return LoRA{}, false
	}
	return *m.lora, true
}

// Adapters lists the parameters of the adapters, in a fixed order. They are not
// among Params.
func (m *Model) Adapters() []*nn.Param {
	var ps []*nn.Param
	for _, p := range m.adaptable() {
		if a := p.Adapter(); a != nil {
			ps = append(ps, a.Params()...)
		}
	}
	return ps
}

// MergeLoRA adds the adapters to the weights and removes them; features stay
// the same up to rounding. No other method may run at the same time, and an
// existing trainer of the model must not be used any more.
func (m *Model) MergeLoRA() error {
	end, err := m.begin()
	if err != nil {
		return err
	}
	defer end()
	if m.lora == nil {
		return errNoAdapters
	}
	for _, p := range m.adaptable() {
		if p.Adapter() != nil {
			p.MergeAdapter()
		}
	}
	m.RemoveLoRA()
	return nil
}

var errNoAdapters = errors.New("encoder: LoRA: the model has no adapters")

// RemoveLoRA removes the adapters: the model is what it was without them. No
// other method may run at the same time, and an existing trainer of the model
// must not be used any more. Without adapters it does nothing.
func (m *Model) RemoveLoRA() {
	if m == nil {
		return
	}
	for _, p := range m.adaptable() {
		p.RemoveAdapter()
	}
	m.lora = nil
	m.changed()
}

// adaptable lists the weights of the towers' linear layers.
func (m *Model) adaptable() []*nn.Param {
	return slices.DeleteFunc(slices.Concat(m.textParams(), m.imageParams()), func(p *nn.Param) bool { return !p.Adaptable() })
}

// changed forgets the compiled passes of what the model was.
func (m *Model) changed() {
	m.images.reset()
	m.texts.reset()
}
