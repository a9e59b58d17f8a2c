package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/text"
)

// popular are the configurations that -models times when it is given none.
const popular = "MobileCLIP2-S0,MobileCLIP2-S2,RN50,ViT-B-32,ViT-B-32-256,ViT-B-16,EVA02-B-16,ViT-B-16-SigLIP2,PE-Core-B-16,convnext_base_w," +
	"xlm-roberta-base-ViT-B-32,nllb-clip-base,ViT-L-14,ViT-L-16-SigLIP2-256,ViT-SO400M-14-SigLIP"

// models times configurations of open_clip with random weights, which are saved and
// loaded as published ones would be, and prints a table as docs/models.md is made of: images a
// second alone and 8 at once, and captions that fill the context a second. It is
// measured on one core, by the time that the processor spends, so that other work on the machine
// does little to it; the best of the runs counts.
func (o *options) models(ctx context.Context, w io.Writer, names string) error {
	runtime.GOMAXPROCS(1)
	fmt.Fprintf(w, "# one core, %s, %s/%s, %s, %s, best of %d runs by processor time\n",
		kernel.ISA(), runtime.GOOS, runtime.GOARCH, runtime.Version(), time.Now().Format(time.DateOnly), o.rounds)
	fmt.Fprintln(w, "model,images,images_of_8,captions")
	for name := range strings.SplitSeq(names, ",") {
		if err := o.model(ctx, w, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (o *options) model(ctx context.Context, w io.Writer, name string) (err error) {
	cfg, ok := encoder.ConfigByName(name)
	if !ok {
		return fmt.Errorf("open_clip has no such configuration")
	}
	dir, err := os.MkdirTemp("", "goclip-models-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m, err := encoder.New(cfg, nil, 1)
	if err != nil {
		return err
	}
	if err := m.Save(filepath.Join(dir, "model")); err != nil {
		return err
	}
	m = nil // a second set of weights would not fit beside the first of a large model
	if m, err = encoder.Load(filepath.Join(dir, "model"), &encoder.Options{BatchSize: 8}); err != nil {
		return err
	}
	defer m.Close()
	size := cfg.Vision.Dims().ImageSize
	images := func(n int) func() error {
		pixels := ramp(n * 3 * size[0] * size[1])
		return func() error { _, err := m.ImageFeatures(ctx, pixels); return err }
	}
	ids := tokens(1, cfg.Text)
	var rates [3]float64
	for i, work := range []struct {
		n   int
		run func() error
	}{{1, images(1)}, {8, images(8)}, {1, func() error { _, err := m.TextFeatures(ctx, ids); return err }}} {
		if rates[i], err = rate(o.rounds, work.n, work.run); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "%s,%.3g,%.3g,%.3g\n", name, rates[0], rates[1], rates[2])
	return err
}

// rate is the most of n items that the processor did in a second of its time, after a run
// that does not count.
func rate(runs, n int, work func() error) (float64, error) {
	best := 0.0
	for i := range runs + 1 {
		start := processorTime()
		if err := work(); err != nil {
			return 0, err
		}
		if spent := processorTime() - start; i > 0 && spent > 0 {
			best = max(best, float64(n)/spent)
		}
	}
	return best, nil
}

// ramp is n numbers between -1 and 1.
func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i%251)/125 - 1
	}
	return x
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
