package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/safetensors"
)

// convert writes a checkpoint in each layout of other programs and each precision, to
// OUT/NAME-layout-precision, with the features that goclip computes from what it wrote.
func convert(ctx context.Context, out, dir string) (err error) {
	model, err := encoder.Load(dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	written := 0
	for _, layout := range []string{encoder.OpenCLIP, encoder.HuggingFace} {
		for _, precision := range []encoder.Precision{encoder.Float32, encoder.Float16, encoder.BFloat16} {
			to := filepath.Join(out, fmt.Sprintf("%s-%s-%v", filepath.Base(dir), layout, precision))
			if err := model.SaveWith(to, layout, encoder.SaveOptions{Overwrite: true, Precision: precision}); err != nil {
				fmt.Printf("%s: %v\n", dir, err) // the layout has no place for it
				continue
			}
			if err := expect(ctx, to); err != nil {
				return err
			}
			written++
		}
	}
	if written == 0 {
		return fmt.Errorf("%s fits no layout", dir)
	}
	return nil
}

// expect puts beside a checkpoint what goclip computes with it, and some captions with their ids.
func expect(ctx context.Context, dir string) (err error) {
	model, err := encoder.Load(dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	expected, err := features(ctx, model)
	if err != nil {
		return err
	}
	if err := safetensors.WriteFile(filepath.Join(dir, "expected.safetensors"), expected, nil); err != nil {
		return err
	}
	type caption struct {
		Text string  `json:"text"`
		IDs  []int32 `json:"ids"` // without padding
	}
	var captions []caption
	for _, text := range []string{"a large red circle", "A  small BLUE square\non grey", "", "two figures, side by side", "naïve café — 日本"} {
		ids := make([]int32, model.Config().Text.Dims().ContextLength)
		last, _ := model.Tokenizer().Encode(ids, text)
		captions = append(captions, caption{text, ids[:last]})
	}
	text, err := json.Marshal(captions)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "captions.json"), text, 0o666)
}
