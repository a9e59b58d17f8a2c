package encoder

import (
	"math"

	"github.com/goclip/goclip/internal/enum"
)

// Probabilities is how a model's scores become probabilities. Its text is "softmax" or
// "sigmoid".
type Probabilities uint8

// How scores become probabilities.
const (
	// ProbabilitiesSoftmax shares 1 among the labels of an image, as CLIP is trained:
	// softmax(exp(logit_scale)·cosine).
	ProbabilitiesSoftmax Probabilities = iota
	// ProbabilitiesSigmoid judges each label by itself, as SigLIP is trained (Zhai et al.,
	// 2023): sigmoid(exp(logit_scale)·cosine + logit_bias). Several labels may be
	// probable, or none.
	ProbabilitiesSigmoid
)

func probabilityNames() map[Probabilities]string {
	return map[Probabilities]string{ProbabilitiesSoftmax: "softmax", ProbabilitiesSigmoid: "sigmoid"}
}

func (p Probabilities) String() string { return enum.String(p, probabilityNames()) }

// MarshalText returns the name; an invalid value is an error.
func (p Probabilities) MarshalText() ([]byte, error) { return enum.Marshal(p, probabilityNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (p *Probabilities) UnmarshalText(text []byte) error {
	return enum.Unmarshal(p, text, probabilityNames())
}

// Probabilities returns the kind of a model: sigmoid for one with a logit bias, which
// was trained with the sigmoid loss, softmax for others.
func (m *Model) Probabilities() Probabilities {
	if m.LogitBias() != nil {
		return ProbabilitiesSigmoid
	}
	return ProbabilitiesSoftmax
}

// probabilities fills in those of the labels of one image, whose largest cosine is top.
func (m *Model) probabilities(ps []Prediction, scale, top float64) {
	if m.Probabilities() == ProbabilitiesSigmoid {
		bias := float64(m.logitBias.Data[0])
		for j := range ps {
			ps[j].Probability = 1 / (1 + math.Exp(-(scale*ps[j].Similarity + bias)))
		}
		return
	}
	var sum float64
	for j := range ps {
		ps[j].Probability = math.Exp(scale * (ps[j].Similarity - top))
		sum += ps[j].Probability
	}
	for j := range ps {
		ps[j].Probability /= sum
	}
}
