package train_test

import (
	"context"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

// BenchmarkToyStep is the yardstick's toy model: 6 blocks of width 192 in each
// tower, 65 and 32 tokens, 128 pairs.
func BenchmarkToyStep(b *testing.B) {
	benchmarkStep(b, 128, encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{32, 32}, PatchSize: 4, Width: 192, Layers: 6, Heads: 3, EmbedDim: 128,
			Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 32, VocabSize: 1000, Width: 192, Layers: 6, Heads: 3, EmbedDim: 128,
			Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(32),
	})
}

// BenchmarkViTB32Step is a step of ViT-B/32 on 8 pairs of 77 tokens.
func BenchmarkViTB32Step(b *testing.B) {
	cfg, ok := encoder.ConfigByName("ViT-B-32-quickgelu")
	if !ok {
		b.Fatal("no configuration of that name")
	}
	benchmarkStep(b, 8, cfg)
}

func benchmarkStep(b *testing.B, n int, cfg encoder.Config) {
	m, err := encoder.New(cfg, nil, 1)
	check(b, err)
	tr, err := train.New(m, train.Config{LR: train.Constant(1e-4, 1), WeightDecay: 0.1})
	check(b, err)
	size, length := cfg.Vision.Dims().ImageSize, cfg.Text.Dims().ContextLength
	batch := &train.Batch{N: n, Pixels: make([]float32, n*3*size[0]*size[1]), Tokens: make([]int32, n*length)}
	for i := range batch.Pixels {
		batch.Pixels[i] = float32(i%251)/125 - 1
	}
	for i := range batch.Tokens {
		batch.Tokens[i] = int32(1 + i*7919%(cfg.Text.Dims().VocabSize-2))
		if i%length == length-1 {
			batch.Tokens[i] = int32(cfg.Text.Dims().VocabSize - 1)
		}
	}
	step := func() {
		_, err := tr.StepBatch(context.Background(), batch)
		check(b, err)
	}
	step() // compiles
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "pairs/s")
}
