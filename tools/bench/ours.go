package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

const (
	photos   = 500  // images that are read
	captions = 1000 // captions that are encoded
)

// measure does our side of one work and prints its measurements.
func (o *options) measure(ctx context.Context, name, model string) error {
	side := map[string]func(context.Context) error{
		"sgemm": o.sgemm, "image": o.images, "text": o.texts, "captions": o.captions,
		"toy": o.toy, "train": o.train, "photos": o.photos, "load": o.load,
		"tokenize": func(context.Context) error { return o.tokenize() },
		"pictures": func(context.Context) error { return answerPictures(false) },
		"family":   func(ctx context.Context) error { return o.answerFamily(ctx, model) },
		"losses":   func(context.Context) error { return o.answerLosses() },
		"drafts":   func(context.Context) error { return answerPictures(true) },
	}[name]
	if side == nil {
		return errors.New("there is no work of that name")
	}
	return side(ctx)
}

func print(what string, batch int, rate float64) error {
	return json.NewEncoder(os.Stdout).Encode(measurement{What: what, Batch: batch, Rate: rate, RSS: peakRSS()})
}

// peakRSS is the process's largest resident set so far in MiB, 0 where the
// system does not tell.
func peakRSS() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return kb / 1024
}

// best is the shortest of a few runs, in seconds, after one that does not count.
func best(runs int, f func() error) (float64, error) {
	shortest := math.Inf(1)
	for i := range runs + 1 {
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		if i > 0 {
			shortest = min(shortest, time.Since(start).Seconds())
		}
	}
	return shortest, nil
}

type product struct {
	name    string
	layout  kernel.Layout
	m, n, k int
}

// products are those of a ViT-B/32's blocks at 32 images of 50 tokens.
func products() []product {
	var ps []product
	for _, s := range [][2]int{{768, 768}, {3072, 768}, {768, 3072}} {
		ps = append(ps, product{"NN", kernel.NN, 1600, s[0], s[1]}, product{"NT", kernel.NT, 1600, s[0], s[1]})
	}
	ps = append(ps, product{"TN", kernel.TN, 768, 3072, 1600}, product{"TN", kernel.TN, 768, 768, 1600})
	for i, p := range ps {
		ps[i].name = fmt.Sprintf("sgemm %s %d×%d×%d", p.name, p.m, p.n, p.k)
	}
	return ps
}

func (o *options) sgemm(context.Context) error {
	for _, p := range products() {
		a, b, c := ramp(p.m*p.k), ramp(p.k*p.n), make([]float32, p.m*p.n)
		lda, ldb := p.k, p.n
		if p.layout == kernel.TN {
			lda = p.m
		}
		if p.layout == kernel.NT {
			ldb = p.k
		}
		flop := 2 * float64(p.m) * float64(p.n) * float64(p.k)
		s, err := best(int(150e9/flop), func() error {
			kernel.Gemm(p.layout, p.m, p.n, p.k, 1, a, lda, b, ldb, 0, c, p.n)
			return nil
		})
		if err != nil {
			return err
		}
		if err := print(p.name, 0, flop/s/1e9); err != nil {
			return err
		}
	}
	return nil
}

// ramp is n numbers between -1 and 1.
func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i%251)/125 - 1
	}
	return x
}

func (o *options) images(ctx context.Context) error {
	m, err := encoder.Load(o.checkpoint, nil)
	if err != nil {
		return err
	}
	defer m.Close()
	return batches("image", func(n int) func() error {
		pixels := ramp(n * 3 * 224 * 224)
		return func() error {
			_, err := m.ImageFeatures(ctx, pixels)
			return err
		}
	})
}

func (o *options) texts(ctx context.Context) error {
	m, err := encoder.Load(o.checkpoint, nil)
	if err != nil {
		return err
	}
	defer m.Close()
	return batches("text", func(n int) func() error {
		ids := tokens(n, m.Config().Text)
		return func() error {
			_, err := m.TextFeatures(ctx, ids)
			return err
		}
	})
}

func batches(what string, pass func(n int) func() error) error {
	for _, n := range []int{1, 8, 32} {
		s, err := best(map[int]int{1: 40, 8: 10, 32: 4}[n], pass(n))
		if err != nil {
			return err
		}
		if err := print(what, n, float64(n)/s); err != nil {
			return err
		}
	}
	return nil
}

// tokens are n captions that fill the context.
func tokens(n int, tower text.Config) []int32 {
	cfg := tower.Dims()
	ids := make([]int32, n*cfg.ContextLength)
	for i := range ids {
		ids[i] = int32(1 + i*7919%(cfg.VocabSize-3))
		if i%cfg.ContextLength == cfg.ContextLength-1 {
			ids[i] = int32(cfg.VocabSize - 1)
		}
	}
	return ids
}

func (o *options) captions(ctx context.Context) error {
	tok, err := tokenizer.LoadCLIP(os.DirFS(o.vocab), tokenizer.BPEOptions{})
	if err != nil {
		return err
	}
	m, err := encoder.Load(o.checkpoint, &encoder.Options{Tokenizer: tok})
	if err != nil {
		return err
	}
	defer m.Close()
	texts, err := firstCaptions(filepath.Join(o.data, "captions", "test.csv"), captions)
	if err != nil {
		return err
	}
	s, err := best(2, func() error {
		_, err := m.EncodeTexts(ctx, texts...)
		return err
	})
	if err != nil {
		return err
	}
	return print("captions", 0, float64(len(texts))/s)
}

// firstCaptions returns the second column of the first n rows.
func firstCaptions(path string, n int) (texts []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	if _, err := r.Read(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for len(texts) < n {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		texts = append(texts, row[1])
	}
	return texts, nil
}

func (o *options) toy(ctx context.Context) error {
	return trainStep(ctx, "toy", 128, 8, encoder.Config{
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

func (o *options) train(ctx context.Context) error {
	cfg, _ := encoder.ConfigByName("ViT-B-32-quickgelu")
	return trainStep(ctx, "train", 8, 4, cfg)
}

func trainStep(ctx context.Context, what string, n, runs int, cfg encoder.Config) error {
	m, err := encoder.New(cfg, nil, 1)
	if err != nil {
		return err
	}
	t, err := train.New(m, train.Config{LR: train.Constant(1e-4, 1), WeightDecay: 0.2})
	if err != nil {
		return err
	}
	size := cfg.Vision.Dims().ImageSize
	b := &train.Batch{N: n, Pixels: ramp(n * 3 * size[0] * size[1]), Tokens: tokens(n, cfg.Text)}
	s, err := best(runs, func() error {
		_, err := t.StepBatch(ctx, b)
		return err
	})
	if err != nil {
		return err
	}
	return print(what, n, float64(n)/s)
}

func (o *options) photos(ctx context.Context) error {
	m, err := encoder.Load(o.checkpoint, nil)
	if err != nil {
		return err
	}
	defer m.Close()
	files, err := filepath.Glob(filepath.Join(o.data, "photos", "*.jpg"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no photos/*.jpg in %s: %w", o.data, err)
	}
	start := time.Now()
	if _, err := m.EncodeImagesFunc(ctx, photos, func(i int) (image.Image, error) {
		return vision.DecodeFile(files[i%len(files)], nil)
	}); err != nil {
		return err
	}
	return print("photos", 0, photos/time.Since(start).Seconds())
}

// load reads a checkpoint into memory of its own, and its file alone.
func (o *options) load(context.Context) error {
	path := filepath.Join(o.checkpoint, "model.safetensors")
	start := time.Now()
	m, err := encoder.Load(o.checkpoint, &encoder.Options{Trainable: true})
	if err != nil {
		return err
	}
	loading := time.Since(start).Seconds()
	if err := print("load", 0, 1/loading); err != nil {
		return err
	}
	weights := 0
	for _, p := range m.Params() {
		weights += 4 * p.Size()
	}
	if err := print("weights", 0, float64(weights)/(1<<20)); err != nil {
		return err
	}
	if err := m.Close(); err != nil {
		return err
	}
	start = time.Now()
	if _, err := os.ReadFile(path); err != nil {
		return err
	}
	return print("reading", 0, 1/time.Since(start).Seconds())
}
