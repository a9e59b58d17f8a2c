package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/vision"
)

// convertCases writes every model of a tree of reference cases, TREE/checkpoints/NAME with
// its inputs in TREE/activations/NAME.safetensors, in each layout of other programs, and
// beside it what goclip computes of those inputs with what it wrote.
func convertCases(ctx context.Context, out, tree string) error {
	names, err := os.ReadDir(filepath.Join(tree, "checkpoints"))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range names {
		activations := filepath.Join(tree, "activations", e.Name()+".safetensors")
		if _, err := os.Stat(activations); err != nil || !e.IsDir() {
			continue
		}
		if err := convertCase(ctx, out, opened(filepath.Join(tree, "checkpoints", e.Name())), e.Name(), activations); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", e.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// opened is what a user of a case's folder would name: an adapter's or a trainer's
// checkpoint lie in a folder of it.
func opened(dir string) string {
	for _, inner := range []string{"adapter", "checkpoint-500"} {
		if _, err := os.Stat(filepath.Join(dir, inner)); err == nil {
			return filepath.Join(dir, inner)
		}
	}
	return dir
}

func convertCase(ctx context.Context, out, path, name, activations string) (err error) {
	f, err := safetensors.Open(activations)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	model, err := encoder.Load(path, nil)
	if err != nil && strings.Contains(err.Error(), "how images are preprocessed") {
		model, err = encoder.Load(path, &encoder.Options{Preprocess: preprocessOf(f)})
	}
	if err != nil {
		fmt.Printf("%s: not read: %v\n", name, err)
		return nil
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	for _, layout := range []string{encoder.OpenCLIP, encoder.HuggingFace} {
		for _, precision := range []encoder.Precision{encoder.Float32, encoder.Float16, encoder.BFloat16} {
			to := filepath.Join(out, fmt.Sprintf("%s-%s-%v", name, layout, precision))
			err := model.SaveWith(to, layout, encoder.SaveOptions{Overwrite: true, Precision: precision})
			if err != nil {
				said := "layout " + layout + " has no place for "
				_, what, refused := strings.Cut(err.Error(), said)
				if !refused {
					return err
				}
				fmt.Printf("%s: %s%s\n", name, said, what)
				break
			}
			if err := expectCase(ctx, to, f); err != nil {
				return fmt.Errorf("%s: %w", to, err)
			}
		}
	}
	return nil
}

// preprocessOf is any preprocessing that gives pictures of the inputs' shape.
func preprocessOf(f *safetensors.File) *vision.Preprocess {
	info, _ := f.Info("pixel_values")
	switch s := info.Shape; len(s) {
	case 4:
		p := vision.CLIPPreprocess(s[2])
		p.Size = [2]int(s[2:])
		return p
	case 3: // patches, (B, N, P·P·3)
		return &vision.Preprocess{
			PatchSize: int(math.Sqrt(float64(s[2] / 3))), MaxPatches: s[1],
			Resize: vision.ResizeSquash, Std: [3]float32{1, 1, 1},
		}
	}
	return nil
}

// inputs are the tensors of a case that its model was given.
var inputs = []string{"pixel_values", "input_ids", "attention_mask", "token_type_ids", "spatial_shapes", "pixel_attention_mask"}

// expectCase puts the inputs of a case beside a checkpoint, with what goclip computes of them.
func expectCase(ctx context.Context, dir string, f *safetensors.File) (err error) {
	model, err := encoder.Load(dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	ints := map[string][]int64{}
	var all []safetensors.Tensor
	pad := func(x []int64, shape []int, with int64) []int64 {
		length := model.Config().Text.Dims().ContextLength
		rows := slices.Repeat([]int64{with}, shape[0]*length)
		for i := range shape[0] {
			copy(rows[i*length:][:length], x[i*shape[1]:][:min(length, shape[1])])
		}
		return rows
	}
	for _, name := range inputs {
		info, ok := f.Info(name)
		if !ok || name == "pixel_values" {
			continue
		}
		if ints[name], err = f.Ints(name); err != nil {
			return err
		}
		shape := info.Shape
		if strings.HasSuffix(name, "_ids") || name == "attention_mask" {
			with := int64(0)
			if mask, err := f.Ints("attention_mask"); err == nil && name == "input_ids" {
				if i := slices.Index(mask, 0); i >= 0 {
					with = ints[name][i]
				}
			}
			ints[name] = pad(ints[name], shape, with)
			shape = []int{shape[0], len(ints[name]) / shape[0]}
		}
		all = append(all, safetensors.Tensor{Name: name, Shape: shape, DType: tensorfile.I64, Raw: bytesOf(ints[name])})
	}
	pixels, err := floats(f, "pixel_values")
	if err != nil {
		return err
	}
	info, _ := f.Info("pixel_values")
	all = append(all, safetensors.Tensor{Name: "pixel_values", Shape: info.Shape, Float32: pixels})
	var images *encoder.Embeddings
	if shapes := ints["spatial_shapes"]; shapes != nil {
		var grids [][2]int
		for pair := range slices.Chunk(shapes, 2) {
			grids = append(grids, [2]int{int(pair[0]), int(pair[1])})
		}
		images, err = model.PatchFeatures(ctx, pixels, grids)
	} else {
		images, err = model.ImageFeatures(ctx, pixels)
	}
	if err != nil {
		return err
	}
	texts, err := model.TokenFeatures(ctx, encoder.Tokens{IDs: narrow(ints["input_ids"]), Types: narrow(ints["token_type_ids"])})
	if err != nil {
		return err
	}
	all = append(all,
		safetensors.Tensor{Name: "image_features", Shape: []int{images.N, images.Dim}, Float32: images.Data},
		safetensors.Tensor{Name: "text_features", Shape: []int{texts.N, texts.Dim}, Float32: texts.Data})
	return safetensors.WriteFile(filepath.Join(dir, "expected.safetensors"), all, nil)
}

func narrow(x []int64) (ids []int32) {
	for _, v := range x {
		ids = append(ids, int32(v))
	}
	return ids
}

func bytesOf(x []int64) (b []byte) {
	for _, v := range x {
		for i := range 8 {
			b = append(b, byte(v>>(8*i)))
		}
	}
	return b
}
