package encoder

import (
	"slices"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// Config returns the model's configuration.
func (m *Model) Config() Config {
	if m == nil {
		return Config{}
	}
	return m.cfg
}

// Vision returns the image tower, or nil.
func (m *Model) Vision() vision.Tower {
	if m == nil {
		return nil
	}
	return m.image
}

// Text returns the text tower, or nil.
func (m *Model) Text() text.Tower {
	if m == nil {
		return nil
	}
	return m.text
}

// Tokenizer returns the model's tokenizer, or nil.
func (m *Model) Tokenizer() tokenizer.Tokenizer {
	if m == nil {
		return nil
	}
	return m.tok
}

// LogitScale returns the learnable logit_scale, the logarithm of the inverse
// temperature: logits are exp(logit_scale) times cosines. A nil Model has none.
func (m *Model) LogitScale() *nn.Param {
	if m == nil {
		return nil
	}
	return m.logitScale
}

// LogitBias returns SigLIP's learnable logit_bias, or nil.
func (m *Model) LogitBias() *nn.Param {
	if m == nil {
		return nil
	}
	return m.logitBias
}

// Params lists all parameters under open_clip's names, in a fixed order; none for a
// nil or an empty Model.
func (m *Model) Params() []*nn.Param {
	var ps []*nn.Param
	for _, p := range []*nn.Param{m.LogitScale(), m.LogitBias()} {
		if p != nil {
			ps = append(ps, p)
		}
	}
	return slices.Concat(ps, m.textParams(), m.imageParams(), m.captionerParams())
}

// captionerParams are kept with the model and not computed with.
func (m *Model) captionerParams() []*nn.Param {
	if m == nil {
		return nil
	}
	return m.captioner
}

func (m *Model) imageParams() []*nn.Param {
	if m == nil {
		return nil
	}
	return slices.Clip(m.params.image)
}

func (m *Model) textParams() []*nn.Param {
	if m == nil {
		return nil
	}
	return slices.Clip(m.params.text)
}

// params are the towers' parameters, which a tower is asked for once.
type params struct{ image, text []*nn.Param }

// Trainable reports whether the parameters may be written to; false for a model
// loaded without Options.Trainable, and for a nil one.
func (m *Model) Trainable() bool { return m != nil && !m.mapped }
