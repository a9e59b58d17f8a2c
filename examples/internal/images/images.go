// Package images is the sets that the searching examples search in: which
// images there are, and the embeddings of those that are new.
package images

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/vision"
)

// Set is images by key.
type Set struct {
	samples []dataset.Sample // each with one caption
	byKey   map[string]int
	close   func() error
}

// Open lists a set without decoding it: all images below a folder, a table or
// tar as [dataset.Open] reads it, or 2,000 drawn ones where data is empty.
func Open(data string) (*Set, error) {
	samples, closer, err := list(data)
	if err != nil {
		return nil, err
	}
	s := &Set{byKey: make(map[string]int), close: closer}
	for _, p := range samples {
		if len(p.Captions) > 1 {
			p.Captions = p.Captions[:1]
		}
		if _, twice := s.byKey[p.Key]; twice {
			return nil, errors.Join(fmt.Errorf("%s: two images have the key %q", data, p.Key), closer())
		}
		s.byKey[p.Key] = len(s.samples)
		s.samples = append(s.samples, p)
	}
	return s, nil
}

func list(data string) ([]dataset.Sample, func() error, error) {
	nothing := func() error { return nil }
	if data == "" {
		drawn, err := shapes.Set{Seed: 11}.Known(2000)
		if err != nil {
			return nil, nil, err
		}
		return all(drawn), nothing, nil
	}
	info, err := os.Stat(data)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		samples, err := folder(data)
		return samples, nothing, err
	}
	set, err := dataset.Open(data, nil)
	if err != nil {
		return nil, nil, err
	}
	indexed, ok := set.Indexed()
	if !ok {
		return nil, nil, errors.Join(fmt.Errorf("%s: images of a compressed tar cannot be looked up: unpack it first", data), set.Close())
	}
	return all(indexed), set.Close, nil
}

func all(x *dataset.Indexed) []dataset.Sample {
	samples := make([]dataset.Sample, x.Len())
	for i := range samples {
		samples[i] = x.At(i)
	}
	return samples
}

var extensions = []string{".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}

// folder lists the images below a folder. What stands for a caption is size and
// time: a file with others is another image.
func folder(root string) ([]dataset.Sample, error) {
	var samples []dataset.Sample
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(path.Base(name), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || !slices.Contains(extensions, strings.ToLower(path.Ext(name))):
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		file := filepath.Join(root, filepath.FromSlash(name))
		samples = append(samples, dataset.Sample{
			File: root, Key: name,
			Captions: []string{fmt.Sprintf("%d bytes, %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))},
			Decode:   func() (image.Image, error) { return vision.DecodeFile(file, nil) },
		})
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", root, err)
	case len(samples) == 0:
		return nil, fmt.Errorf("%s: no image is in this folder or below", root)
	}
	return samples, nil
}

// Close closes the archives of the set.
func (s *Set) Close() error { return s.close() }

// Len returns the number of images.
func (s *Set) Len() int { return len(s.samples) }

// Entries returns what is known of each image without decoding it: its key, and
// its caption or its file's size and time.
func (s *Set) Entries() []index.Entry {
	entries := make([]index.Entry, len(s.samples))
	for i, p := range s.samples {
		entries[i].Key = p.Key
		if len(p.Captions) > 0 {
			entries[i].Meta = p.Captions[0]
		}
	}
	return entries
}

// Image decodes an image, or returns nil where there is none of that key that
// can be decoded.
func (s *Set) Image(key string) image.Image {
	i, ok := s.byKey[key]
	if !ok || s.samples[i].Fault != nil {
		return nil
	}
	img, err := s.samples[i].Decode()
	if err != nil {
		return nil
	}
	return img
}

// Embed gives add the embeddings of the images of the given keys, some at a
// time, and reports its progress on standard error. Images that cannot be
// decoded are listed there and left out.
func (s *Set) Embed(ctx context.Context, model *encoder.Model, keys []string, add func([]index.Entry, *encoder.Embeddings) error) error {
	if len(keys) == 0 {
		return nil
	}
	wanted := dataset.NewIndexed(len(keys), func(i int) dataset.Sample { return s.samples[s.byKey[keys[i]]] })
	ledger := &dataset.Ledger{}
	progress := newProgress(len(keys))
	defer func() {
		for _, bad := range ledger.Bad() {
			fmt.Fprintf(os.Stderr, "left out: %s\n", bad)
		}
	}()
	for batch, err := range dataset.Batches(ctx, wanted, dataset.BatchOptions{Size: 64, Epochs: 1, KeepLast: true, Ledger: ledger}) {
		if err != nil && ctx.Err() == nil && ledger.Len() == len(keys) {
			return nil // none can be decoded, which the ledger says
		}
		if err != nil {
			return err
		}
		entries, imgs := make([]index.Entry, len(batch.Pairs)), make([]image.Image, len(batch.Pairs))
		for i, p := range batch.Pairs {
			entries[i], imgs[i] = index.Entry{Key: p.Key, Meta: p.Caption}, p.Image
		}
		e, err := model.EncodeImages(ctx, imgs...)
		if err != nil {
			return err
		}
		if err := add(entries, e); err != nil {
			return err
		}
		progress.add(len(entries))
	}
	return nil
}
