package encoder_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

func config() encoder.Config {
	return encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{20, 28}, PatchSize: 8, Width: 24, Layers: 2, Heads: 3, EmbedDim: 16,
			Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 12, VocabSize: 130, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16,
			Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{20, 28}, Resize: vision.ResizeSquash, Interpolation: vision.Bilinear,
			Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25},
		},
	}
}

// vit and transformer change a tower of a configuration.
func vit(cfg *encoder.Config, change func(c *vision.ViT)) {
	c := cfg.Vision.(vision.ViT)
	change(&c)
	cfg.Vision = c
}

func transformer(cfg *encoder.Config, change func(c *text.Transformer)) {
	c := cfg.Text.(text.Transformer)
	change(&c)
	cfg.Text = c
}

func model(t *testing.T, cfg encoder.Config) *encoder.Model {
	t.Helper()
	m, err := encoder.New(cfg, letters.Tokenizer{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func someImages(n int) []image.Image {
	rng := rand.New(rand.NewPCG(1, 2))
	imgs := make([]image.Image, n)
	for i := range imgs {
		img := image.NewNRGBA(image.Rect(0, 0, 10+i%7, 9+i%5))
		for j := range img.Pix {
			img.Pix[j] = uint8(rng.Uint32()) | 255*uint8(j%4/3)
		}
		imgs[i] = img
	}
	return imgs
}

func captions(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = strings.Repeat(string(rune('a'+i%26)), 1+i%14)
	}
	return s
}

func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: number %d is %g, want %g to the bit", what, i, got[i], want[i])
		}
	}
}

// TestBatchInvariance encodes each image and caption alone and among 64, on
// one core and on all.
func TestBatchInvariance(t *testing.T) {
	ctx := context.Background()
	for _, mask := range []text.Mask{text.MaskCausal, text.MaskPadding, text.MaskNone} {
		t.Run(mask.String(), func(t *testing.T) {
			cfg := config()
			transformer(&cfg, func(c *text.Transformer) { c.Mask = mask })
			if mask != text.MaskCausal {
				transformer(&cfg, func(c *text.Transformer) { c.Pool, c.EOSTokenID = text.PoolMean, 129 })
			}
			m := model(t, cfg)
			imgs, texts := someImages(64), captions(64)
			all, err := m.EncodeImages(ctx, imgs...)
			check(t, err)
			words, err := m.EncodeTexts(ctx, texts...)
			check(t, err)
			if words.Truncated == 0 {
				t.Error("no caption was counted as truncated")
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			for i := range imgs {
				one, err := m.EncodeImages(ctx, imgs[i])
				check(t, err)
				same(t, fmt.Sprint("image ", i), one.Data, all.Row(i))
				one, err = m.EncodeTexts(ctx, texts[i])
				check(t, err)
				same(t, fmt.Sprint("text ", i), one.Data, words.Row(i))
			}
		})
	}
}

// TestShortTexts compares a pass over the caption's own tokens with one over the
// whole context.
func TestShortTexts(t *testing.T) {
	ctx := context.Background()
	m := model(t, config())
	ids := make([]int32, 12)
	n, _ := letters.Tokenizer{}.Encode(ids, "cat")
	short, err := m.TextFeatures(ctx, ids)
	check(t, err)
	full := append([]int32{}, ids...)
	long := make([]int32, 12)
	letters.Tokenizer{}.Encode(long, "a long caption")
	if n != 5 {
		t.Fatalf("%d ids used, want 5", n)
	}
	full[11] = 7 // after the end token: causal attention never sees it
	again, err := m.TextFeatures(ctx, append(full, long...))
	check(t, err)
	same(t, "features", again.Row(0), short.Row(0))
}

func TestConcurrentEncoding(t *testing.T) {
	ctx := context.Background()
	m := model(t, config())
	imgs, texts := someImages(9), captions(9)
	want, err := m.EncodeImages(ctx, imgs...)
	check(t, err)
	wantText, err := m.EncodeTexts(ctx, texts...)
	check(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 5 {
				got, err := m.EncodeImages(ctx, imgs...)
				if err != nil {
					t.Error(err)
					return
				}
				gotText, err := m.EncodeTexts(ctx, texts...)
				if err != nil {
					t.Error(err)
					return
				}
				for i := range want.Data {
					if got.Data[i] != want.Data[i] || gotText.Data[i] != wantText.Data[i] {
						t.Errorf("concurrent encoding changed number %d", i)
						return
					}
				}
			}
		}()
	}
	wg.Wait()
}

func TestClassifier(t *testing.T) {
	ctx := context.Background()
	m := model(t, config())
	c, err := m.NewClassifier(ctx, []string{"cat", "dog", "bird"}, "a {}", "one {} here")
	check(t, err)
	ps, err := c.Classify(ctx, someImages(1)[0])
	check(t, err)
	var sum float64
	for i, p := range ps {
		sum += p.Probability
		if i > 0 && p.Probability > ps[i-1].Probability {
			t.Errorf("prediction %d is more probable than the one before", i)
		}
		if c.Labels()[p.Index] != p.Label {
			t.Errorf("label %q has index %d", p.Label, p.Index)
		}
	}
	if diff := math.Abs(sum - 1); !(diff <= 1e-12) {
		t.Errorf("the probabilities add up to %g", sum)
	}
	// The label's embedding is the normalised mean of its prompts' embeddings.
	e, err := m.EncodeTexts(ctx, "a dog", "one dog here")
	check(t, err)
	img, err := m.EncodeImages(ctx, someImages(1)[0])
	check(t, err)
	var dot, norm float64
	for j := range e.Dim {
		mean := (float64(e.Row(0)[j]) + float64(e.Row(1)[j])) / 2
		dot += mean * float64(img.Data[j])
		norm += mean * mean
	}
	w := c.Embeddings()
	for _, p := range ps {
		row := w.Row(p.Index)
		var got float64
		for j, v := range row {
			got += float64(v) * float64(img.Data[j])
		}
		if w.N != 3 || w.Dim != e.Dim || !(math.Abs(got-p.Similarity) <= 1e-6) {
			t.Errorf("%d embeddings of %d numbers; that of %s has similarity %g, want 3 of %d and %g", w.N, w.Dim, p.Label, got, e.Dim, p.Similarity)
		}
		row[0] = 9 // a copy
		if want := ps[0].Probability * math.Exp(c.Scale()*(p.Similarity-ps[0].Similarity)); !(math.Abs(p.Probability-want) <= 1e-12) {
			t.Errorf("probability of %s %g, want %g by the scale", p.Label, p.Probability, want)
		}
		if p.Label == "dog" {
			if diff := math.Abs(p.Similarity - dot/math.Sqrt(norm)); !(diff <= 1e-6) {
				t.Errorf("similarity to dog is %g, want %g", p.Similarity, dot/math.Sqrt(norm))
			}
		}
	}
}

func TestBadInput(t *testing.T) {
	ctx := context.Background()
	m := model(t, config())
	_, noTok := encoder.New(config(), nil, 1)
	check(t, noTok)
	silent, err := encoder.New(config(), nil, 1)
	check(t, err)
	_, err = silent.EncodeTexts(ctx, "x")
	fails(t, "the model has no tokenizer", err)
	_, err = m.EncodeImages(ctx, someImages(1)[0], image.NewGray(image.Rect(0, 0, 0, 4)))
	fails(t, "image 1: ", err)
	_, err = m.EncodeImages(ctx, nil...)
	check(t, err)
	_, err = m.ImageFeatures(ctx, make([]float32, 7))
	fails(t, "7 pixel values are not a multiple of 3 × 20 × 28", err)
	_, err = m.TextFeatures(ctx, make([]int32, 13))
	fails(t, "13 token ids are not a multiple of the context length 12", err)
	ids := make([]int32, 12)
	ids[3] = 130
	_, err = m.TextFeatures(ctx, ids)
	fails(t, "text 0: id 130 at position 3 is outside the vocabulary of 130", err)
	ids[3] = -1
	ids[5] = 129
	_, err = m.TextFeatures(ctx, ids)
	fails(t, "text 0: id -1 at position 3 is outside the vocabulary of 130", err)
	_, err = m.NewClassifier(ctx, nil)
	fails(t, "at least one label", err)
	_, err = m.NewClassifier(ctx, []string{"a"}, "a photo")
	fails(t, `template "a photo" has no {}`, err)
	cfg := config()
	transformer(&cfg, func(c *text.Transformer) { c.EmbedDim = 8 })
	_, err = encoder.New(cfg, letters.Tokenizer{}, 1)
	fails(t, "Vision.EmbedDim is 16, but Text.EmbedDim is 8", err)
	cfg = config()
	transformer(&cfg, func(c *text.Transformer) { c.VocabSize = 100 })
	_, err = encoder.New(cfg, letters.Tokenizer{}, 1)
	fails(t, "the tokenizer has 130 tokens, but Text.VocabSize is 100", err)
	cfg = config()
	vit(&cfg, func(c *vision.ViT) { c.Activation = 7 })
	_, err = encoder.New(cfg, letters.Tokenizer{}, 1)
	fails(t, "vision: Activation is 7", err)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err = m.EncodeImages(canceled, someImages(1)...); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// TestInputsStay: encoding writes to no image.
func TestInputsStay(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 5, 5))
	img.Set(2, 2, color.NRGBA{1, 2, 3, 4})
	before := append([]byte{}, img.Pix...)
	_, err := model(t, config()).EncodeImages(context.Background(), img)
	check(t, err)
	for i := range before {
		if img.Pix[i] != before[i] {
			t.Fatalf("byte %d of the image changed", i)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, want string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want …%s…", err, want)
	}
}

// halves are vectors of four numbers, each ½ or -½: of length one, with exact
// cosines, many of them alike.
func halves(n int) *encoder.Embeddings {
	e := &encoder.Embeddings{N: n, Dim: 4, Data: make([]float32, 4*n)}
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range e.Data {
		e.Data[i] = float32(rng.IntN(2)) - 0.5
	}
	return e
}
