package checkpoint

import (
	"fmt"
	"math"
	"strings"

	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
)

// dtypeNames is what transformers calls types in config.json.
func dtypeNames() map[tensorfile.DType]string {
	return map[tensorfile.DType]string{"": "float32", tensorfile.F32: "float32", tensorfile.F16: "float16", tensorfile.BF16: "bfloat16"}
}

// halve makes tensors be stored as halves. Numbers that stand alone, and what BatchNorm has
// counted, do not: they are few, and a variance may be too small for one. A weight that is
// too large for one is an error.
func halve(tensors []safetensors.Tensor, d tensorfile.DType) error {
	if d == "" || d == tensorfile.F32 {
		return nil
	}
	for i := range tensors {
		t := &tensors[i]
		if t.Raw != nil || len(t.Shape) == 0 || strings.Contains(t.Name, ".running_") {
			continue
		}
		t.DType = d
		for _, piece := range append(t.Parts, t.Float32) {
			for _, v := range piece {
				if overflows(v, d) {
					return fmt.Errorf("%s holds %g, which is too large for %s", t.Name, v, dtypeNames()[d])
				}
			}
		}
	}
	return nil
}

// overflows reports whether a number that is finite would not be as a half: from halfway
// to the next power of two on it rounds to infinity.
func overflows(v float32, d tensorfile.DType) bool {
	limit := float32(65520)
	if d == tensorfile.BF16 {
		limit = math.Float32frombits(0x7f7f8000)
	}
	v = max(v, -v)
	return v >= limit && v <= math.MaxFloat32
}
