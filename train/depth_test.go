package train_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

// TestLayerDecay: the first step of AdamW, which is rate·g/(|g|+ε), is shorter by
// the factor for each block between a parameter and the features.
func TestLayerDecay(t *testing.T) {
	resnet := model(t, 1).Config()
	resnet.Vision = vision.ResNet{ImageSize: [2]int{32, 32}, Width: 2, Heads: 1, EmbedDim: 16, Stages: [4]int{1, 1, 1, 1}}
	for _, c := range []struct {
		name   string
		cfg    encoder.Config
		depths map[string]int // by prefix; the model has 2 blocks and 1
	}{
		{"vit", model(t, 1).Config(), map[string]int{
			"logit_scale": 0, "text_projection": 0, "ln_final.": 0, "transformer.resblocks.0.": 1, "token_embedding.": 2, "positional_embedding": 2,
			"visual.proj": 0, "visual.ln_post.": 0, "visual.transformer.resblocks.1.": 1, "visual.transformer.resblocks.0.": 2,
			"visual.ln_pre.": 3, "visual.conv1.": 3, "visual.class_embedding": 3, "visual.positional_embedding": 3,
		}},
		{"resnet", resnet, map[string]int{
			"logit_scale": 0, "text_projection": 0, "ln_final.": 0, "transformer.resblocks.0.": 1, "token_embedding.": 2, "positional_embedding": 2,
			"visual.attnpool.": 0, "visual.layer4.": 1, "visual.layer3.": 2, "visual.layer2.": 3, "visual.layer1.": 4,
			"visual.conv": 5, "visual.bn": 5,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := encoder.New(c.cfg, letters.Tokenizer{}, 1)
			check(t, err)
			tr, err := train.New(m, train.Config{LR: train.Constant(1, 0), Eps: 1e-12, LayerDecay: 0.5, MaxLogitScale: 1e9})
			check(t, err)
			before := weights(m)
			_, err = tr.StepBatch(context.Background(), noise(m, 8))
			check(t, err)
			at := 0
			for _, p := range m.Params() {
				want, found := 0.0, 0
				for prefix, depth := range c.depths {
					if strings.HasPrefix(p.Name, prefix) {
						want, found = math.Pow(0.5, float64(depth)), found+1
					}
				}
				if found != 1 {
					t.Errorf("%s is in %d rows of the table", p.Name, found)
				}
				for i, g := range tr.Gradient(p.Name) {
					got := math.Abs(float64(p.Data[i]) - float64(before[at+i]))
					// The step is added to a weight of size up to 10, rounded there.
					if math.Abs(float64(g)) > 1e-8 && !(math.Abs(got-want) <= 2e-4) {
						t.Fatalf("%s[%d], of gradient %g, moved by %g, want %g", p.Name, i, g, got, want)
					}
				}
				at += len(p.Data)
			}
		})
	}
}

func TestLayerDecayErrors(t *testing.T) {
	for _, d := range []float64{-0.5, 1.1, math.NaN()} {
		cfg := config(1)
		cfg.LayerDecay = d
		if _, err := train.New(model(t, 1), cfg); err == nil || !strings.Contains(err.Error(), "train: LayerDecay is") {
			t.Errorf("LayerDecay %g: got error %v", d, err)
		}
	}
}
