package encoder

import (
	"errors"
	"fmt"
	"slices"
)

// Join returns a model of the image tower of one model and the text tower of another,
// with the logit_scale and the tokenizer of the latter, for checkpoints that store
// each tower separately. Where the text tower came without a logit_scale, as M-CLIP's do,
// which are trained towards the features of a CLIP, it is the image model's. It shares the
// weights of both: closing it closes both, and once either is closed its methods return
// [ErrClosed]. Adapters are given to one of the three alone.
func Join(image, text *Model) (*Model, error) {
	if image == nil || text == nil || image.image == nil || text.text == nil {
		return nil, errors.New("encoder: join: want a model with an image tower and one with a text tower")
	}
	m := &Model{
		cfg:   Config{Vision: image.cfg.Vision, Preprocess: image.cfg.Preprocess, Text: text.cfg.Text, LogitScale: text.cfg.LogitScale, LogitBias: text.cfg.LogitBias},
		image: image.image, text: text.text, tok: text.tok,
		logitScale: text.logitScale, logitBias: text.logitBias,
		options: image.options, mapped: image.mapped || text.mapped,
		close: func() error { return errors.Join(image.Close(), text.Close()) },
	}
	if text.spec.NoLogitScale {
		m.cfg.LogitScale, m.cfg.LogitBias = image.cfg.LogitScale, image.cfg.LogitBias
		m.logitScale, m.logitBias = image.logitScale, image.logitBias
		m.spec.NoLogitScale = image.spec.NoLogitScale
	}
	m.params = params{image.params.image, text.params.text}
	for _, part := range slices.Concat(image.whole(), text.whole()) {
		if !slices.Contains(m.parts, part) { // or a lock would be taken twice
			m.parts = append(m.parts, part)
		}
	}
	if len(image.Adapters()) > 0 || len(text.Adapters()) > 0 {
		return nil, errors.New("encoder: join: a model has adapters: call MergeLoRA or RemoveLoRA first")
	}
	end, err := m.begin()
	if err != nil {
		return nil, fmt.Errorf("encoder: join: %w", err)
	}
	end()
	if err := m.cfg.Validate(); err != nil {
		return nil, err
	}
	return m, m.checkParams()
}

// whole lists the models that a model consists of: itself, or those joined in it.
func (m *Model) whole() []*Model {
	if len(m.parts) > 0 {
		return m.parts
	}
	return []*Model{m}
}
