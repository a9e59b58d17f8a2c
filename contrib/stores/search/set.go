package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"log"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/vision"
)

// set is images by key. None is decoded before it is embedded.
type set struct {
	byKey map[string]dataset.Sample // each with one caption or none
	close func() error
}

// openSet lists all images below a folder, those of a table or a tar as
// [dataset.Open] reads it, or 2,000 drawn ones where data is empty.
func openSet(data string) (*set, error) {
	samples, closer, err := list(data)
	if err != nil {
		return nil, err
	}
	s := &set{byKey: make(map[string]dataset.Sample), close: closer}
	for _, p := range samples {
		if _, twice := s.byKey[p.Key]; twice {
			return nil, errors.Join(fmt.Errorf("%s: two images have the key %q", data, p.Key), closer())
		}
		p.Captions = p.Captions[:min(1, len(p.Captions))]
		s.byKey[p.Key] = p
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
		return listed(drawn), nothing, nil
	}
	info, err := os.Stat(data)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		samples, err := folder(data)
		return samples, nothing, err
	}
	opened, err := dataset.Open(data, nil)
	if err != nil {
		return nil, nil, err
	}
	indexed, ok := opened.Indexed()
	if !ok {
		return nil, nil, errors.Join(fmt.Errorf("%s: images of a compressed tar cannot be looked up: unpack it first", data), opened.Close())
	}
	return listed(indexed), opened.Close, nil
}

func listed(x *dataset.Indexed) []dataset.Sample {
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

// entries returns what is known of each image without decoding it: its key, and
// its caption or its file's size and time. They are in the order of the keys.
func (s *set) entries() []stores.Entry {
	entries := make([]stores.Entry, 0, len(s.byKey))
	for key, p := range s.byKey {
		entries = append(entries, stores.Entry{Key: key, Meta: strings.Join(p.Captions, "")})
	}
	slices.SortFunc(entries, func(a, b stores.Entry) int { return strings.Compare(a.Key, b.Key) })
	return entries
}

// embed gives add the embeddings of the images of the given keys, some at a
// time. Images that cannot be decoded are logged and left out.
func (s *set) embed(ctx context.Context, model *encoder.Model, keys []string, add func([]stores.Entry, *encoder.Embeddings) error) error {
	if len(keys) == 0 {
		return nil
	}
	wanted := dataset.NewIndexed(len(keys), func(i int) dataset.Sample { return s.byKey[keys[i]] })
	ledger := &dataset.Ledger{}
	defer func() {
		for _, bad := range ledger.Bad() {
			log.Printf("left out: %s", bad)
		}
	}()
	for batch, err := range dataset.Batches(ctx, wanted, dataset.BatchOptions{Size: 64, Epochs: 1, KeepLast: true, Ledger: ledger}) {
		if err != nil && ctx.Err() == nil && ledger.Len() == len(keys) {
			return nil // none can be decoded, which the ledger says
		}
		if err != nil {
			return err
		}
		entries, images := make([]stores.Entry, len(batch.Pairs)), make([]image.Image, len(batch.Pairs))
		for i, p := range batch.Pairs {
			entries[i], images[i] = stores.Entry{Key: p.Key, Meta: p.Caption}, p.Image
		}
		e, err := model.EncodeImages(ctx, images...)
		if err != nil {
			return err
		}
		if err := add(entries, e); err != nil {
			return err
		}
	}
	return nil
}
