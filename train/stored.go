package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/internal/unitrows"
)

// Stored are a teacher's embeddings, computed before: normalised, all of one size, of images by
// the keys of their samples and of texts by themselves.
type Stored struct {
	Images, Texts map[string][]float32
	Scale         float64 // exp(logit_scale)
	Teacher       string  // fingerprint of the model, empty where it is unknown
}

// What a file of stored embeddings holds: image and text, (N, E), of the names in the lists of
// JSON that image_keys and text_captions are the bytes of, and logit_scale, a logarithm as in
// checkpoints.
const (
	storedScale = "logit_scale"
	storedBy    = "goclip.teacher" // of the metadata
	mostStored  = 1 << 24          // rows
)

var storedTensors = [2][2]string{image: {"image", "image_keys"}, text: {"text", "text_captions"}}

// OpenStored reads a file of safetensors that [Stored.Save] has written, or another program: image
// and text, (N, E) and (M, E); image_keys and text_captions, of bytes, that are lists of
// strings in JSON; logit_scale, of one number.
func OpenStored(path string) (s *Stored, err error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, fmt.Errorf("train: stored embeddings: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if s, err = readStored(f); err != nil {
		return nil, fmt.Errorf("train: stored embeddings: %s: %w", path, err)
	}
	return s, nil
}

func readStored(f *safetensors.File) (*Stored, error) {
	var scale [1]float32
	if err := f.Float32(storedScale, scale[:]); err != nil {
		return nil, err
	}
	s := &Stored{Scale: math.Exp(float64(scale[0])), Teacher: f.Metadata()[storedBy]}
	size := 0
	for tower, to := range []*map[string][]float32{image: &s.Images, text: &s.Texts} {
		name := storedTensors[tower]
		info, ok := f.Info(name[0])
		if !ok || len(info.Shape) != 2 || info.Shape[0] > mostStored || info.Shape[1] < 1 || size > 0 && info.Shape[1] != size {
			return nil, fmt.Errorf("%s has shape %v, want two dimensions, and one size of image and text", name[0], info.Shape)
		}
		size = info.Shape[1]
		var err error
		if *to, err = readRows(f, name, info.Shape[0], size); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// readRows reads embeddings and their names.
func readRows(f *safetensors.File, name [2]string, n, size int) (map[string][]float32, error) {
	text, err := f.Bytes(name[1])
	if err != nil {
		return nil, err
	}
	var names []string
	if err := json.Unmarshal(bytes.TrimSpace(text), &names); err != nil {
		return nil, fmt.Errorf("%s: %w", name[1], err)
	}
	if len(names) != n {
		return nil, fmt.Errorf("%s names %d, but %s has %d rows", name[1], len(names), name[0], n)
	}
	all := make([]float32, n*size)
	if err := f.Float32(name[0], all); err != nil {
		return nil, err
	}
	if i := unitrows.First(all, size); i >= 0 {
		return nil, fmt.Errorf("%s: row %d, of %q, is not normalised", name[0], i, names[i])
	}
	rows := make(map[string][]float32, n)
	for i, key := range names {
		if rows[key] != nil {
			return nil, fmt.Errorf("%s names %q twice", name[1], key)
		}
		rows[key] = all[i*size:][:size:size]
	}
	return rows, nil
}

// of looks up those of a batch.
func (s *Stored) of(pairs []dataset.Pair, captions []string) (*Teacher, error) {
	t := &Teacher{Scale: s.Scale}
	if !(s.Scale >= 0 && s.Scale <= math.MaxFloat32) {
		return nil, fmt.Errorf("train: Stored: the Scale is %g, want a number of 0 or more", s.Scale)
	}
	size := 0
	take := func(all []float32, what, name string, from map[string][]float32) ([]float32, error) {
		e := from[name]
		if size == 0 {
			size = len(e)
		}
		if len(e) == 0 || len(e) != size {
			return nil, fmt.Errorf("train: Stored: %d numbers for %s %q, want %d", len(e), what, name, max(1, size))
		}
		return append(all, e...), nil
	}
	var err error
	for _, p := range pairs {
		if t.Images, err = take(t.Images, "image", p.Key, s.Images); err != nil {
			return nil, err
		}
	}
	for _, c := range captions {
		if t.Texts, err = take(t.Texts, "text", c, s.Texts); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Save writes a file for [OpenStored].
func (s *Stored) Save(path string) error {
	if s == nil {
		return errors.New("train: stored embeddings: there are none")
	}
	tensors, err := s.tensors()
	if err == nil {
		err = safetensors.WriteFile(path, tensors, map[string]string{storedBy: s.Teacher})
	}
	if err != nil {
		return fmt.Errorf("train: stored embeddings: %w", err)
	}
	return nil
}

// tensors are what Save writes.
func (s *Stored) tensors() ([]safetensors.Tensor, error) {
	list := []safetensors.Tensor{{Name: storedScale, Shape: []int{1}, Float32: []float32{float32(math.Log(s.Scale))}}}
	size := 0
	for tower, rows := range []map[string][]float32{image: s.Images, text: s.Texts} {
		names := slices.Sorted(maps.Keys(rows))
		var all []float32
		for _, name := range names {
			if size == 0 {
				size = len(rows[name])
			}
			if len(rows[name]) != size {
				return nil, fmt.Errorf("%q has %d numbers, want %d", name, len(rows[name]), size)
			}
			all = append(all, rows[name]...)
		}
		text, err := json.Marshal(names)
		if err != nil {
			return nil, err
		}
		name := storedTensors[tower]
		list = append(list, safetensors.Tensor{Name: name[0], Shape: []int{len(names), size}, Float32: all},
			safetensors.Tensor{Name: name[1], DType: tensorfile.U8, Shape: []int{len(text)}, Raw: text})
	}
	return list, nil
}
