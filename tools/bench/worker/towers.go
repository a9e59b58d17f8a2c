package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"os"
	"path/filepath"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/vision"
)

// numbers reads the first n numbers of a file of 4-byte ones.
func numbers[T float32 | int32](path string, n int) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x := make([]T, n)
	return x, binary.Read(bufio.NewReaderSize(f, 1<<20), binary.LittleEndian, x)
}

// towers are both towers of a model, by size of batch.
func towers(c *cases, root, key string) {
	ctx := context.Background()
	m, err := encoder.Load(filepath.Join(root, key), nil)
	check(err)
	batches := map[string][]int{"vitb32": {1, 8, 32}, "vitl14": {1, 8}}[key]
	images := func(n int) (work, error) {
		px, err := numbers[float32](filepath.Join(root, "pixels224.f32"), n*3*224*224)
		f := func() ([]float32, error) {
			e, err := m.ImageFeatures(ctx, px)
			if err != nil {
				return nil, err
			}
			return e.Data, nil
		}
		return work{func() error { _, err := f(); return err }, f}, err
	}
	texts := func(kind string, n int) (work, error) {
		ids, err := numbers[int32](filepath.Join(root, "ids_"+kind+".i32"), n*77)
		f := func() ([]float32, error) {
			e, err := m.TextFeatures(ctx, ids)
			if err != nil {
				return nil, err
			}
			return e.Data, nil
		}
		return work{func() error { _, err := f(); return err }, f}, err
	}
	for _, n := range batches {
		c.add(fmt.Sprint("image/", n), func() (work, error) { return images(n) })
		c.add(fmt.Sprint("text/", n), func() (work, error) { return texts("full", n) })
	}
	if key == "vitb32" {
		for _, n := range []int{1, 8} { // from files of 224×224, for what takes nothing else
			c.add(fmt.Sprint("file/", n), func() (work, error) {
				files, err := filepath.Glob(filepath.Join(root, "small", "*.jpg"))
				f := func() ([]float32, error) {
					e, err := m.EncodeImagesFunc(ctx, n, func(i int) (image.Image, error) { return vision.DecodeFile(files[i], nil) })
					if err != nil {
						return nil, err
					}
					return e.Data, nil
				}
				return work{func() error { _, err := f(); return err }, f}, err
			})
		}
		c.add("captions/64", func() (work, error) { return texts("captions", 64) })
	}
}
