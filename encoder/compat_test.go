package encoder_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/golden"
)

// TestFirstVersion: a fine-tuned model that the first version wrote loads merged, and
// as its adapters on the model that it came from, to the same embeddings.
func TestFirstVersion(t *testing.T) {
	ctx := context.Background()
	dir := golden.Shared(t, "compat")
	merged, err := encoder.Load(filepath.Join(dir, "tuned"), nil)
	check(t, err)
	defer merged.Close()
	base, err := encoder.Load(filepath.Join(dir, "model"), nil)
	check(t, err)
	defer base.Close()
	words := []string{"a red disc", "a blue square", "a green triangle"}
	want, err := merged.EncodeTexts(ctx, words...)
	check(t, err)
	before, err := base.EncodeTexts(ctx, words...)
	check(t, err)
	check(t, base.LoadLoRA(filepath.Join(dir, "tuned", "lora.safetensors")))
	got, err := base.EncodeTexts(ctx, words...)
	check(t, err)
	far := 0.0
	for i, w := range want.Data {
		if diff := math.Abs(float64(got.Data[i] - w)); !(diff <= 1e-6) {
			t.Errorf("number %d is %g with adapters, %g merged", i, got.Data[i], w)
		}
		far = max(far, math.Abs(float64(before.Data[i]-w)))
	}
	if far < 1e-4 {
		t.Errorf("the adapters change the embeddings by %g only", far)
	}
}
