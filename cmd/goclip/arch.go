package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/hub"
	"github.com/goclip/goclip/train/job"
)

// model is the one to fine-tune, or a new one where there is none.
func (c *trainCommand) model(s *session, set dataset.Source, base *hub.Model) (*encoder.Model, error) {
	if base == nil {
		c.Arch = cmp.Or(c.Arch, "toy")
		return c.fresh(s, set)
	}
	m, err := base.Load(&encoder.Options{Trainable: c.LoRARank == 0, Edited: c.Edited})
	if err != nil || c.LoRARank == 0 {
		return m, input(err)
	}
	adapters := encoder.LoRA{Rank: c.LoRARank, Alpha: c.LoRAAlpha, Targets: c.LoRATargets}
	if err := m.AddLoRA(adapters, c.Seed); err != nil {
		return nil, coded{errors.Join(err, m.Close()), misuse}
	}
	return m, nil
}

// fresh is a new model with a tokenizer of the set's words.
func (c *trainCommand) fresh(s *session, set dataset.Source) (*encoder.Model, error) {
	arch, found, err := job.FindArchitecture(c.Arch)
	switch {
	case err != nil:
		return nil, input(err)
	case !found:
		names := job.ArchitectureNames()
		return nil, wrong("no --arch %s%s; there are %v, and .json files in the form of open_clip's model_configs", c.Arch, nearest(c.Arch, names), names)
	}
	tok, err := job.Vocabulary(s, set, c.Vocab)
	if err != nil && s.Err() == nil {
		return nil, wrong("--vocab %d: %w", c.Vocab, err)
	}
	if err != nil {
		return nil, input(err)
	}
	m, err := job.Fresh(arch, tok, c.Loss == "sigmoid", c.Seed)
	if err != nil {
		return nil, input(fmt.Errorf("%s: %w", c.Arch, err))
	}
	return m, nil
}
