// Interop gives compare.py, beside it, something to compare, and checks what
// was written elsewhere:
//
//	go run ./tools/interop train OUT   # trains a small model and saves it to OUT/open_clip and OUT/huggingface
//	go run ./tools/interop convert OUT DIR…  # converts checkpoints to each layout and precision, below OUT
//	go run ./tools/interop cases OUT TREE…   # the same with all models of trees of reference cases, and their inputs
//	go run ./tools/interop check DIR…  # loads each checkpoint and compares its features with the expected ones
//
// Beside the weights of a checkpoint lies expected.safetensors: pixel_values,
// input_ids, image_features and text_features, not normalised.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

func main() {
	steps := flag.Int("steps", 60, "of training")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: interop [-steps N] train OUT\n       interop convert OUT DIR…\n       interop cases OUT TREE…\n       interop check DIR…")
		flag.PrintDefaults()
	}
	flag.Parse()
	var err error
	switch args := flag.Args(); {
	case len(args) == 2 && args[0] == "train":
		err = trainAndSave(context.Background(), args[1], *steps)
	case len(args) >= 3 && args[0] == "convert":
		for _, dir := range args[2:] {
			err = errors.Join(err, convert(context.Background(), args[1], dir))
		}
	case len(args) >= 3 && args[0] == "cases":
		for _, tree := range args[2:] {
			err = errors.Join(err, convertCases(context.Background(), args[1], tree))
		}
	case len(args) >= 2 && args[0] == "check":
		for _, dir := range args[1:] {
			err = errors.Join(err, check(context.Background(), dir))
		}
	default:
		flag.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

func trainAndSave(ctx context.Context, out string, steps int) error {
	const size = 32
	imgs, err := shapes.Set{Seed: 1}.Train(steps * size)
	if err != nil {
		return err
	}
	captions, err := dataset.Captions(ctx, imgs, 0)
	if err != nil {
		return err
	}
	tok, err := tokenizer.TrainBPE(slices.Values(captions), tokenizer.TrainOptions{VocabSize: 400})
	if err != nil {
		return err
	}
	// OpenAI's code takes the number of heads from the width, 64 for each, so the
	// towers have that shape.
	model, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{32, 32}, PatchSize: 8, Width: 128, Layers: 2, Heads: 2, EmbedDim: 48,
			Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 24, VocabSize: tok.VocabSize(), Width: 64, Layers: 2, Heads: 1, EmbedDim: 48,
			Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(32),
	}, tok, 1)
	if err != nil {
		return err
	}
	trainer, err := train.New(model, train.Config{LR: train.Cosine(1e-3, 10, steps), WeightDecay: 0.1, ClipNorm: 1})
	if err != nil {
		return err
	}
	var stats train.Stats
	for batch, err := range dataset.Batches(ctx, imgs, dataset.BatchOptions{Size: size, Epochs: 1, Shuffle: true}) {
		if err != nil {
			return err
		}
		if stats, err = trainer.Step(ctx, batch.Pairs); err != nil {
			return err
		}
	}
	fmt.Printf("trained %d steps: loss %.3f, of chance %.3f\n", stats.Step+1, stats.Loss, stats.Chance)
	expected, err := features(ctx, model)
	if err != nil {
		return err
	}
	for dir, layout := range map[string]string{"open_clip": encoder.OpenCLIP, "huggingface": encoder.HuggingFace} {
		dir := filepath.Join(out, dir)
		if err := model.SaveAs(dir, layout); err != nil {
			return err
		}
		if err := safetensors.WriteFile(filepath.Join(dir, "expected.safetensors"), expected, nil); err != nil {
			return err
		}
	}
	return nil
}

// features runs the model on images and captions it has not seen, an empty
// and an overlong caption among them.
func features(ctx context.Context, model *encoder.Model) ([]safetensors.Tensor, error) {
	const n = 16
	cfg := model.Config()
	size, length := cfg.Vision.Dims().ImageSize, cfg.Text.Dims().ContextLength
	h, w := size[0], size[1]
	imgs, err := shapes.Set{Seed: 2}.Unseen(n)
	if err != nil {
		return nil, err
	}
	pixels, ids := make([]float32, 0, n*3*h*w), make([]int32, 0, n*length)
	for batch, err := range dataset.Batches(ctx, imgs, dataset.BatchOptions{Size: n, Epochs: 1}) {
		if err != nil {
			return nil, err
		}
		batch.Pairs[0].Caption, batch.Pairs[1].Caption = "", strings.Repeat("a small red circle ", 20)
		for _, p := range batch.Pairs {
			image, row := make([]float32, 3*h*w), make([]int32, length)
			if err := cfg.Preprocess.Image(image, p.Image); err != nil {
				return nil, err
			}
			model.Tokenizer().Encode(row, p.Caption)
			pixels, ids = append(pixels, image...), append(ids, row...)
		}
	}
	images, err := model.ImageFeatures(ctx, pixels)
	if err != nil {
		return nil, err
	}
	texts, err := model.TextFeatures(ctx, ids)
	if err != nil {
		return nil, err
	}
	wide := make([]int64, len(ids))
	for i, id := range ids {
		wide[i] = int64(id)
	}
	return []safetensors.Tensor{
		{Name: "pixel_values", Shape: []int{n, 3, h, w}, Float32: pixels},
		{Name: "input_ids", Shape: []int{n, length}, DType: tensorfile.I64, Raw: bytesOf(wide)},
		{Name: "image_features", Shape: []int{images.N, images.Dim}, Float32: images.Data},
		{Name: "text_features", Shape: []int{texts.N, texts.Dim}, Float32: texts.Data},
	}, nil
}

// check compares a checkpoint's features with those expected.safetensors holds.
func check(ctx context.Context, dir string) (err error) {
	began := time.Now()
	model, err := encoder.Load(dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	loaded := time.Since(began)
	f, err := safetensors.Open(filepath.Join(dir, "expected.safetensors"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	pixels, err := floats(f, "pixel_values")
	if err != nil {
		return err
	}
	images, err := model.ImageFeatures(ctx, pixels)
	if err != nil {
		return err
	}
	wide, err := f.Ints("input_ids")
	if err != nil {
		return err
	}
	texts, err := model.TextFeatures(ctx, narrow(wide))
	if err != nil {
		return err
	}
	fmt.Printf("%s: loaded in %v, peak memory %s\n", dir, loaded.Round(time.Millisecond), peakMemory())
	return errors.Join(
		compare(f, dir, "image_features", images.Data),
		compare(f, dir, "text_features", texts.Data))
}

func floats(f *safetensors.File, name string) ([]float32, error) {
	info, _ := f.Info(name)
	v := make([]float32, info.Len())
	return v, f.Float32(name, v)
}

// compare allows what compare.py does: 1e-5 of the largest feature.
func compare(f *safetensors.File, dir, name string, got []float32) error {
	want, err := floats(f, name)
	if err != nil {
		return err
	}
	if len(got) != len(want) {
		return fmt.Errorf("%s: %d %s, want %d", dir, len(got), name, len(want))
	}
	diff, largest := 0.0, 0.0
	for i, w := range want {
		diff = max(diff, abs(float64(got[i])-float64(w)))
		largest = max(largest, abs(float64(w)))
	}
	fmt.Printf("  %-15s largest difference %.2e, tolerance %.2e\n", name, diff, 1e-5*largest)
	if !(diff <= 1e-5*largest) {
		return fmt.Errorf("%s: %s differ by %g, tolerance %g", dir, name, diff, 1e-5*largest)
	}
	return nil
}

func abs(x float64) float64 { return max(x, -x) }

// peakMemory is the process's, where the system tells (Linux).
func peakMemory() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	lines := strings.Split(string(status), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "VmHWM:") })
	if i < 0 {
		return "unknown"
	}
	return strings.Join(strings.Fields(lines[i])[1:], " ")
}
