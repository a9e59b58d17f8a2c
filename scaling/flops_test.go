package scaling

import (
	"encoding/csv"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

func small() encoder.Config {
	return encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{32, 48}, PatchSize: 8, Width: 24, Layers: 3, Heads: 2, EmbedDim: 20, MLPRatio: 3,
			Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 10, VocabSize: 50, Width: 16, Layers: 2, Heads: 2, EmbedDim: 20,
			Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{32, 48}, Resize: vision.ResizeSquash, Interpolation: vision.Bicubic, Std: [3]float32{1, 1, 1},
		},
	}
}

// TestCountFollowsFromWeights counts once more, from a model's tensors: each number
// of a matrix is multiplied once for each token that passes it, and attention adds
// L² products of W numbers twice. That is the forward pass; its derivatives by both
// factors of each product cost as much again, and a multiplication with its
// addition is two operations.
func TestCountFollowsFromWeights(t *testing.T) {
	for _, pool := range []vision.Pool{vision.PoolClass, vision.PoolMean, vision.PoolMap} {
		cfg := small()
		vit(&cfg, func(c *vision.ViT) { c.Pool = pool })
		const patches, imageTokens, textTokens = 4 * 6, 4*6 + 1, 10
		var want float64
		if pool == vision.PoolMap {
			vit(&cfg, func(c *vision.ViT) { c.PoolQueries, c.PoolHeads = 1, 2 })
			want += 2 * imageTokens * 20
		}
		m := must(encoder.New(cfg, nil, 1))(t)
		for _, p := range m.Params() {
			if len(p.Shape) < 2 {
				continue
			}
			size := float64(len(p.Data))
			switch name := p.Name; {
			case strings.Contains(name, "embedding"), name == "visual.attn_pool.query":
			case name == "visual.conv1.weight":
				want += patches * size
			case strings.HasPrefix(name, "visual.transformer."), strings.HasSuffix(name, ".k_proj_weight"), strings.HasSuffix(name, ".v_proj_weight"):
				want += imageTokens * size
			case strings.HasPrefix(name, "transformer."):
				want += textTokens * size
			case strings.HasPrefix(name, "visual.attn_pool."), name == "visual.proj", name == "text_projection":
				want += size
			default:
				t.Fatalf("the test does not know %s", name)
			}
		}
		want += 3*2*imageTokens*imageTokens*24 + 2*2*textTokens*textTokens*16
		near(t, pool.String(), must(TrainingFLOPs(cfg))(t), 6*want, 0)
	}
}

// TestPublishedCompute compares with the multiply-adds that Cherti et al. (2023)
// give for OpenCLIP's models.
func TestPublishedCompute(t *testing.T) {
	file := must(os.Open(golden.Fixtures(t, "scaling", "zeroshot_results.csv")))(t)
	defer file.Close()
	seen := map[string]bool{}
	for _, row := range must(csv.NewReader(file).ReadAll())(t)[1:] {
		name, giga := row[0], must(strconv.ParseFloat(row[3], 64))(t)
		cfg, ok := encoder.ConfigByName(name)
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		image, caption, err := MultiplyAdds(cfg)
		if err != nil {
			t.Fatal(err)
		}
		near(t, name, (image+caption)/1e9/giga, 1, 0.01)
	}
	if len(seen) != 5 {
		t.Errorf("compared %d architectures, want 5", len(seen))
	}
}

func TestParamsLeaveOutEmbeddings(t *testing.T) {
	m := must(encoder.New(small(), nil, 1))(t)
	block := func(w, hidden int) int { return 4*w*w + 4*w + 2*w*hidden + hidden + w + 4*w }
	want := 1 + // logit_scale
		24*3*64 + 3*block(24, 72) + 2*24 + 2*24 + 24*20 + // conv1, blocks, ln_pre, ln_post, proj
		2*block(16, 64) + 2*16 + 16*20 // blocks, ln_final, text_projection
	if got := Params(m); got != want {
		t.Errorf("got %d parameters, want %d", got, want)
	}
}

func TestFLOPsRefuse(t *testing.T) {
	cfg := small()
	vit(&cfg, func(c *vision.ViT) { c.Heads = 5 })
	if _, err := TrainingFLOPs(cfg); err == nil || !strings.Contains(err.Error(), "Heads is 5") {
		t.Errorf("got error %v, want one about Heads", err)
	}
	cfg = small()
	cfg.Vision = uncounted{cfg.Vision}
	if _, err := TrainingFLOPs(cfg); err == nil || !strings.Contains(err.Error(), "vit, does not count") {
		t.Errorf("got error %v, want one about the family", err)
	}
}

// uncounted is a tower that is no [nn.Coster].
type uncounted struct{ vision.Config }

// vit and transformer change a tower of a configuration.
func vit(cfg *encoder.Config, change func(c *vision.ViT)) {
	c := cfg.Vision.(vision.ViT)
	change(&c)
	cfg.Vision = c
}
