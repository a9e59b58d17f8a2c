package encoder_test

import (
	"context"
	"math"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/letters"
)

// TestInstructionSets: features differ between instruction sets by rounding
// only, at most 1e-5 of the largest.
func TestInstructionSets(t *testing.T) {
	features := func() []float32 {
		m, err := encoder.New(config(), letters.Tokenizer{}, 1)
		check(t, err)
		pixels := make([]float32, 5*3*20*28)
		for i := range pixels {
			pixels[i] = float32(math.Sin(float64(i)))
		}
		image, err := m.ImageFeatures(context.Background(), pixels)
		check(t, err)
		ids := make([]int32, 4*12)
		for i := range 4 {
			letters.Tokenizer{}.Encode(ids[12*i:][:12], captions(4)[i])
		}
		text, err := m.TextFeatures(context.Background(), ids)
		check(t, err)
		return append(image.Data, text.Data...)
	}
	want, most, sets := features(), 0.0, 0
	for _, v := range want {
		most = max(most, math.Abs(float64(v)))
	}
	for _, name := range []string{"go", "avx2", "avx512", "neon"} {
		restore, err := kernel.ForceISA(name)
		if err != nil {
			continue // not of this machine
		}
		sets++
		got := features()
		restore()
		for i, v := range got {
			if diff := math.Abs(float64(v) - float64(want[i])); !(diff <= 1e-5*most) {
				t.Errorf("%s: feature %d is %g, want %g within %g", name, i, v, want[i], 1e-5*most)
			}
		}
	}
	if sets == 0 {
		t.Error("no instruction set was tried")
	}
}
