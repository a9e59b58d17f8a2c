package encoder_test

import (
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/golden"
)

// TestPeoplesFeatures: one model as four programs saved it has the features that open_clip
// 3.3.0 gives for two of the folders and transformers 5.24.0 for the third. Of OpenAI's,
// open_clip rounds the weights to float16 when it loads them, as OpenAI's program does, and gives
// features that lie 2e-4 from these.
func TestPeoplesFeatures(t *testing.T) {
	pixels := make([]float32, 3*32*32)
	for i := range pixels {
		pixels[i] = float32(float64(i*37%101)/50 - 1)
	}
	ids := make([]int32, 77)
	copy(ids, []int32{598, 5, 17, 3, 599})
	wantImage := []float64{1.0587989, -0.35480806, -0.079766355, 0.25723162, -0.25820696, 1.4568183}
	wantText := []float64{-2.572237, -0.72275418, 0.60563058, -1.7404188, 0.38554984, 0.24834162}
	for _, folder := range []string{"oc_origmod", "oc_lightning", "hf_binshard", "openai_finetuned"} {
		m, err := encoder.Load(golden.Shared(t, "cases", "checkpoints", folder), nil)
		check(t, err)
		image, err := m.ImageFeatures(t.Context(), pixels)
		check(t, err)
		words, err := m.TextFeatures(t.Context(), ids)
		check(t, err)
		for what, c := range map[string]struct {
			got  []float32
			want []float64
		}{"image": {image.Data, wantImage}, "text": {words.Data, wantText}} {
			for i, want := range c.want {
				if diff := float64(c.got[i]) - want; !(diff <= 1.5e-5 && diff >= -1.5e-5) { // the largest are 2.05 and 2.57
					t.Errorf("%s, %s feature %d: got %v, want %v", folder, what, i, c.got[i], want)
				}
			}
		}
		check(t, m.Close())
	}
}
