package encoder

import (
	"fmt"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/tensorfile"
)

// Precision is how a model's weights are stored. They are float32 in memory, always.
type Precision uint8

// The precisions. A half rounds to nearest, ties to even; the scale and the bias of the logits and what a
// BatchNorm has counted stay float32, as they do in OpenAI's files.
const (
	Float32  Precision = iota // every bit
	Float16                   // 11 bits of a number's 24; a weight beyond 65504 is an error
	BFloat16                  // 8 bits of 24, at any magnitude
)

func precisionNames() map[Precision]string {
	return map[Precision]string{Float32: "float32", Float16: "float16", BFloat16: "bfloat16"}
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
	return "", fmt.Errorf("SaveOptions.Precision %w", enum.Valid(p, precisionNames()))
}
