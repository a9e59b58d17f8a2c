package main

import (
	"path/filepath"

	"github.com/goclip/goclip/vision"
)

// images are image files to pixels for a tower of 224×224.
func images(root string, draft bool) maker {
	p := vision.CLIPPreprocess(224)
	p.Draft = draft
	opts := &vision.DecodeOptions{Draft: p.DraftSide()}
	return func(name string) (work, error) {
		dst := make([]float32, 3*224*224)
		return func() ([]float32, error) {
			img, err := vision.DecodeFile(filepath.Join(root, "images", name), opts)
			if err != nil {
				return nil, err
			}
			return dst, p.Image(dst, img)
		}, nil
	}
}
