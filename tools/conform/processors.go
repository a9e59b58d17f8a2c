package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/vision"
)

// processorSet is the index.json of pictures that transformers' image processors have
// prepared.
type processorSet struct {
	dir string

	Pictures map[string]struct{ Mode string }
	Variants map[string]processorVariant
}

// processorVariant is one configuration of a processor.
type processorVariant struct {
	Type      string                     `json:"image_processor_type"`
	Arguments map[string]json.RawMessage // of its configuration file
	A, B      [3]float64                 // pixel_values are A·u8 + B
	Spatial   json.RawMessage            `json:"spatial_shapes"` // of pictures as patches
	Backends  map[string]json.RawMessage // that are stored where they differ from Pillow 13
	Apart     float64                    `json:"torchvision_vs_pillow12_max"`
}

func isProcessorIndex(path string) bool {
	var index struct {
		Pictures map[string]json.RawMessage
		Variants map[string]struct {
			Type string `json:"image_processor_type"`
		}
	}
	if readJSON(path, &index) != nil || len(index.Pictures) == 0 {
		return false
	}
	for _, v := range index.Variants {
		return v.Type != ""
	}
	return false
}

// processorCases finds the pictures of every variant, and what configuration files
// mean.
func processorCases(dir string) ([]testCase, error) {
	set := &processorSet{dir: dir}
	if err := readJSON(filepath.Join(dir, "index.json"), set); err != nil {
		return nil, err
	}
	expected, err := openTensors(set.path("expected"))
	if err != nil {
		return nil, err
	}
	defer expected.close()
	var cases []testCase
	for _, name := range slices.Sorted(maps.Keys(set.Variants)) {
		v := set.Variants[name]
		for _, file := range slices.Sorted(maps.Keys(set.Pictures)) {
			if set.target(expected, name, file) == "" {
				continue // the reference refuses it
			}
			cases = append(cases, testCase{"preprocess:" + name, "preprocess/" + name + "/" + file, func(_ context.Context, r *report) error {
				return set.compareVariant(r, name, v, file)
			}})
		}
	}
	for _, key := range expected.names("") {
		if !set.knows(key) {
			cases = append(cases, broken(unknown, "preprocess/"+key, errors.New("index.json has no such picture or output")))
		}
	}
	decoded, err := set.decodedCases()
	if err != nil {
		return nil, err
	}
	cases = append(cases, decoded...)
	forms, err := formCases(filepath.Join(dir, "defaults.json"))
	if err != nil {
		return nil, err
	}
	cases = append(cases, forms...)
	cases = append(cases, strangers(dir, unknown, "preprocess", func(file string) bool {
		return slices.Contains([]string{"images", "index.json", "expected.safetensors", "decoded.safetensors", "defaults.json"}, file)
	})...)
	return append(cases, strangers(filepath.Join(dir, "images"), unknown, "preprocess/images", func(file string) bool {
		_, ok := set.Pictures[file]
		return ok
	})...), nil
}

func (set *processorSet) path(name string) string {
	return filepath.Join(set.dir, name+".safetensors")
}

// knows reports whether a tensor is of a variant, a backend and a picture of the index.
func (set *processorSet) knows(key string) bool {
	parts := strings.SplitN(key, "/", 3)
	if len(parts) < 3 {
		return false
	}
	v, ok := set.Variants[parts[0]]
	_, picture := set.Pictures[parts[2]]
	// Of one class the only backend is torchvision, and the index lists no other.
	_, backend := v.Backends[parts[1]]
	return ok && picture && (backend || parts[1] == "pil" || len(v.Backends) == 0)
}

// target names the tensor that goclip is held to. It does what Pillow to 12 does, with
// the horizontal pass first, as torchvision too: where Pillow 13 differs from that there
// is a tensor of 12. What 4.57 did with the same files is stored as well and no target,
// since a file does not say which version was meant.
func (set *processorSet) target(f *tensors, variant, file string) string {
	for _, backend := range []string{"pillow12", "pil", "torchvision"} {
		if key := variant + "/" + backend + "/" + file; f.has(key) {
			return key
		}
	}
	return ""
}

// compareVariant compares a picture in one variant: the pixels, exactly with Pillow and
// within a step with the default backend, torchvision, where the variant's two differ by
// no more; and the normalised pixels, to a unit in the last place of A·u8 and of B.
func (set *processorSet) compareVariant(r *report, name string, v processorVariant, file string) error {
	f, err := openTensors(set.path("expected"))
	if err != nil {
		return err
	}
	defer f.close()
	p, err := v.preprocess()
	if err != nil {
		return err
	}
	img, err := set.decode(file, false)
	if err != nil {
		return err
	}
	got, err := p.RGB(img)
	if err != nil {
		return err
	}
	size := got.Rect.Size()
	key := set.target(f, name, file)
	want, shape := f.bytes(key), f.shape(key)
	if !slices.Equal(shape, []int{size.Y, size.X, 3}) {
		return fmt.Errorf("%s has shape %v, the variant makes %v", key, shape, size)
	}
	tol := 0.0
	if strings.Contains(key, "/torchvision/") {
		tol = 1
	}
	differences(r, "pixels", got, want, tol)
	if key := name + "/torchvision/" + file; f.has(key) && v.Apart <= 1 {
		differences(r, "pixels by torchvision", got, f.bytes(key), 1)
	}
	if p.MaxPatches > 0 {
		return v.comparePatches(r, p, img, got, file)
	}
	pixels := make([]float32, 3*size.X*size.Y)
	if err := p.Image(pixels, img); err != nil {
		return err
	}
	normal, area := make([]float32, len(pixels)), len(pixels)/3
	for i := range normal {
		c := i / area
		normal[i] = float32(v.A[c]*float64(got.Pix[i%area*4+c]) + v.B[c])
	}
	r.near("pixel_values", pixels, normal, 5e-7)
	return f.err
}

// comparePatches compares the grid of a picture and its normalised patches.
func (v processorVariant) comparePatches(r *report, p *vision.Preprocess, img image.Image, rgb *image.RGBA, file string) error {
	patches := make([]float32, p.Len())
	grid, err := p.Patches(patches, img)
	if err != nil {
		return err
	}
	var shapes map[string][]int
	if v.Spatial != nil {
		if err := json.Unmarshal(v.Spatial, &shapes); err != nil {
			return err
		}
		same(r, "grid", grid[:], shapes[file])
	}
	normal, side := make([]float32, len(patches)), p.PatchSize
	for i := range grid[0] * grid[1] * side * side * 3 {
		c, col, row, patch := i%3, i/3%side, i/(3*side)%side, i/(3*side*side)
		at := rgb.PixOffset(patch%grid[1]*side+col, patch/grid[1]*side+row)
		normal[i] = float32(v.A[c]*float64(rgb.Pix[at+c]) + v.B[c])
	}
	r.near("pixel_values", patches, normal, 5e-7)
	return nil
}

// preprocess returns what goclip makes of a variant's configuration file.
func (v processorVariant) preprocess() (*vision.Preprocess, error) {
	fields := maps.Clone(v.Arguments)
	fields["image_processor_type"], _ = json.Marshal(v.Type)
	config, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	return readPreprocess(map[string]json.RawMessage{"preprocessor_config.json": config})
}

// readPreprocess returns what goclip makes of configuration files.
func readPreprocess(files map[string]json.RawMessage) (*vision.Preprocess, error) {
	dir, err := os.MkdirTemp("", "goclip-conform")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return nil, err
		}
	}
	return checkpoint.ReadPreprocess(os.DirFS(dir))
}

func (set *processorSet) decode(file string, upright bool) (image.Image, error) {
	return decodeFile(filepath.Join(set.dir, "images", file), upright)
}

// decodedCases compare the pictures that processors start from: on white, with alpha
// dropped, as a pipeline or a path is read (upright, alpha dropped), and in the file's
// own mode.
func (set *processorSet) decodedCases() ([]testCase, error) {
	f, err := openTensors(set.path("decoded"))
	if err != nil {
		return nil, err
	}
	defer f.close()
	var cases []testCase
	for _, key := range f.names("") {
		way, file, _ := strings.Cut(key, "/")
		if _, ok := set.Pictures[file]; !ok || !slices.Contains([]string{"rgb_white", "rgb_dropped_alpha", "native", "load_image", "path"}, way) {
			cases = append(cases, broken(unknown, "preprocess/"+key, errors.New("index.json has no such picture or output")))
			continue
		}
		if info, _ := f.file.Info(key); info.DType == "U16" {
			continue // torchvision keeps 16 bits, whose pixel values are of no use: see the reference's README
		}
		cases = append(cases, testCase{"preprocess:decoded", "preprocess/" + key, func(_ context.Context, r *report) error {
			return set.compareDecoded(r, key, way, file)
		}})
	}
	return cases, nil
}

func (set *processorSet) compareDecoded(r *report, key, way, file string) error {
	f, err := openTensors(set.path("decoded"))
	if err != nil {
		return err
	}
	defer f.close()
	img, err := set.decode(file, way == "load_image" || way == "path")
	if err != nil {
		return err
	}
	want, shape := f.bytes(key), f.shape(key)
	if f.err != nil {
		return f.err
	}
	if way == "native" && shape[2] != 3 {
		same(r, key, samples(img), want)
		return nil
	}
	size := img.Bounds().Size()
	p := &vision.Preprocess{Size: [2]int{size.Y, size.X}, Resize: vision.ResizeSquash, Std: [3]float32{1, 1, 1}}
	if way == "rgb_white" {
		p.Ground = color.White
	}
	got, err := p.RGB(img)
	if err != nil {
		return err
	}
	if !slices.Equal(shape, []int{size.Y, size.X, 3}) {
		return fmt.Errorf("the picture is read at %v, want %v", size, shape)
	}
	differences(r, key, got, want, 0)
	return nil
}
