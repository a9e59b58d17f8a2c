package main

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"path/filepath"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/vision"
)

// towers are both towers of a model by size of batch: image/8 from pixels, file/8 from files of
// images, text/8 of captions that fill the context, captions/8 of such as people write.
func towers(root, model, precision string) (maker, error) {
	ctx := context.Background()
	var p encoder.Precision
	if err := p.UnmarshalText([]byte(cmp.Or(precision, "float32"))); err != nil {
		return nil, err
	}
	m, err := encoder.Load(filepath.Join(root, model), &encoder.Options{Precision: p})
	if err != nil {
		return nil, err
	}
	cfg := m.Config()
	data := func(e *encoder.Embeddings, err error) ([]float32, error) {
		if err != nil {
			return nil, err
		}
		return e.Data, nil
	}
	return func(name string) (work, error) {
		what, n, err := caseOf(name)
		if err != nil {
			return nil, err
		}
		switch what {
		case "image":
			size := cfg.Vision.Dims().ImageSize
			pixels, err := numbers[float32](filepath.Join(root, "pixels"), n*3*size[0]*size[1])
			return func() ([]float32, error) { return data(m.ImageFeatures(ctx, pixels)) }, err
		case "file":
			files, err := filepath.Glob(filepath.Join(root, "folder-224", "*.jpg"))
			return func() ([]float32, error) {
				return data(m.EncodeImagesFunc(ctx, n, func(i int) (image.Image, error) { return vision.DecodeFile(files[i], nil) }))
			}, err
		case "text", "captions":
			path := map[string]string{"text": "ids-full", "captions": "ids-captions"}[what]
			ids, err := numbers[int32](filepath.Join(root, path), n*cfg.Text.Dims().ContextLength)
			return func() ([]float32, error) { return data(m.TextFeatures(ctx, ids)) }, err
		}
		return nil, fmt.Errorf("no case %q", name)
	}, nil
}
