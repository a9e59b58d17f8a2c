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

// quantize makes the linear layers integers, where the options ask for it.
func (m *Model) quantize(o *Options) error {
	switch {
	case o.Precision == Float32:
		return nil
	case o.Precision != Int8:
		return fmt.Errorf("Options.Precision is %v, want float32 or int8", o.Precision)
	case o.Trainable:
		return errors.New("Options.Precision is int8, whose weights cannot be trained")
	}
	for _, p := range m.adaptable() {
		p.Quantize()
	}
	return nil
}

// Precision is what linear layers are computed with: Int8 where any of them is.
func (m *Model) Precision() Precision {
	if m != nil && slices.ContainsFunc(slices.Concat(m.textParams(), m.imageParams()), (*nn.Param).Quantized) {
		return Int8
	}
	return Float32
}
