package encoder

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/nn"
)

// Precision is how a model's weights are stored ([SaveOptions]), or computed with
// ([Options]).
type Precision uint8

// The precisions. A half rounds to nearest, ties to even; the scale and the bias of the logits and what a
// BatchNorm has counted stay float32, as they do in OpenAI's files.
const (
	Float32  Precision = iota // every bit
	Float16                   // 11 bits of a number's 24; a weight beyond 65504 is an error
	BFloat16                  // 8 bits of 24, at any magnitude

	// Int8, in [Options] alone, computes linear layers with integers; see there.
	Int8
)

func precisionNames() map[Precision]string {
	return map[Precision]string{Float32: "float32", Float16: "float16", BFloat16: "bfloat16", Int8: "int8"}
}

// String is the precision's name, as PyTorch has it.
func (p Precision) String() string { return enum.String(p, precisionNames()) }

// MarshalText is String for a known precision.
func (p Precision) MarshalText() ([]byte, error) { return enum.Marshal(p, precisionNames()) }

// UnmarshalText reads a name.
func (p *Precision) UnmarshalText(text []byte) error {
	return enum.Unmarshal(p, text, precisionNames())
}

// dtype is the type of tensors that the precision means.
func (p Precision) dtype() (tensorfile.DType, error) {
	switch p {
	case Float32:
		return tensorfile.F32, nil
	case Float16:
		return tensorfile.F16, nil
	case BFloat16:
		return tensorfile.BF16, nil
	}
	if p == Int8 {
		return "", errors.New("SaveOptions.Precision int8: integers are made when a model is loaded, and never stored")
	}
	return "", fmt.Errorf("SaveOptions.Precision %w", enum.Valid(p, precisionNames()))
}

// loads says why a model cannot be loaded with the precision.
func (p Precision) loads(trainable bool) error {
	if _, ok := precisionNames()[p]; !ok {
		return fmt.Errorf("Options.Precision %w", enum.Valid(p, precisionNames()))
	}
	if p != Float32 && trainable {
		return fmt.Errorf("Options.Precision is %v, whose weights cannot be trained", p)
	}
	return nil
}

// quantize makes linear layers and patch embeddings integers.
func (m *Model) quantize() {
	for _, p := range slices.Concat(m.textParams(), m.imageParams()) {
		p.Quantize()
		p.Release()
	}
}

// Precision is what linear layers are computed with, Int8, or what their weights are kept as,
// where it is so of any of them.
func (m *Model) Precision() Precision {
	if m == nil {
		return Float32
	}
	params := slices.Concat(m.textParams(), m.imageParams())
	switch {
	case slices.ContainsFunc(params, (*nn.Param).Quantized):
		return Int8
	case slices.ContainsFunc(params, (*nn.Param).BFloat16s):
		return BFloat16
	case slices.ContainsFunc(params, (*nn.Param).Halves):
		return Float16
	}
	return Float32
}
