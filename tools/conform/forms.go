package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goclip/goclip/vision"
)

// readAs is what transformers reads from configuration files of an image processor.
type readAs struct {
	Error     string
	Class     string
	Size      map[string]int
	Crop      map[string]int `json:"crop_size"`
	Resize    *bool          `json:"do_resize"`
	Center    *bool          `json:"do_center_crop"`
	Resample  *int
	Rescale   *bool       `json:"do_rescale"`
	Normalize *bool       `json:"do_normalize"`
	Mean      *[3]float32 `json:"image_mean"`
	Std       *[3]float32 `json:"image_std"`
	Patch     int         `json:"patch_size"`
	Most      int         `json:"max_num_patches"`
	Factor    *float64    `json:"rescale_factor"`
	Offset    bool        `json:"rescale_offset"`
	Top       *bool       `json:"include_top"` // where it is not said, as its only class has it: on
}

// formCases compare how forms of configuration files are read, and the defaults of
// every class.
func formCases(path string) ([]testCase, error) {
	var all struct {
		Defaults map[string]map[string]json.RawMessage `json:"defaults_by_type"`
		Forms    map[string]struct {
			Files map[string]json.RawMessage
			As    json.RawMessage `json:"read_as"`
		}
	}
	if err := readJSON(path, &all); err != nil {
		return nil, err
	}
	var cases []testCase
	for _, name := range slices.Sorted(maps.Keys(all.Forms)) {
		form := all.Forms[name]
		cases = append(cases, testCase{"preprocess:forms", "preprocess/form " + name, func(_ context.Context, r *report) error {
			return compareForm(r, form.Files, form.As)
		}})
	}
	for _, class := range slices.Sorted(maps.Keys(all.Defaults)) {
		for _, version := range slices.Sorted(maps.Keys(all.Defaults[class])) {
			// 4.57 had other defaults in places; a file does not say which were meant, and
			// goclip's are those of 5.24.
			if strings.HasPrefix(version, "4.") {
				continue
			}
			cases = append(cases, testCase{"preprocess:defaults", "preprocess/defaults " + version, func(_ context.Context, r *report) error {
				_, kind, _ := strings.Cut(version, " ")
				config, err := json.Marshal(map[string]string{"image_processor_type": kind})
				if err != nil {
					return err
				}
				return compareForm(r, map[string]json.RawMessage{"preprocessor_config.json": config}, all.Defaults[class][version])
			}})
		}
	}
	return cases, nil
}

// compareForm compares goclip's reading of files with transformers'.
func compareForm(r *report, files map[string]json.RawMessage, as json.RawMessage) error {
	var want readAs
	if err := json.Unmarshal(as, &want); err != nil {
		return err
	}
	got, err := readPreprocess(files)
	if want.Error != "" || want.useless() {
		same(r, "refused", []bool{err != nil}, []bool{true})
		return nil
	}
	if err != nil {
		return err
	}
	expected, err := want.preprocess()
	if err != nil {
		return err
	}
	same(r, "size", got.Size[:], expected.Size[:])
	same(r, "scale", got.Scale[:], expected.Scale[:])
	same(r, "patches", []int{got.PatchSize, got.MaxPatches}, []int{expected.PatchSize, expected.MaxPatches})
	same(r, "resize", []string{got.Steps.String(), got.Resize.String(), got.Interpolation.String()},
		[]string{expected.Steps.String(), expected.Resize.String(), expected.Interpolation.String()})
	r.near("mean", got.Mean[:], expected.Mean[:], 1e-7)
	r.near("std", got.Std[:], expected.Std[:], 1e-7)
	return nil
}

// on reports whether a step is done.
func on(b *bool) bool { return b != nil && *b }

// useless reports whether transformers reads the files and then refuses every picture.
func (w *readAs) useless() bool {
	return on(w.Normalize) && (w.Mean == nil || w.Std == nil) || on(w.Center) && w.Crop == nil
}

// preprocess says the same in goclip's terms, where it has them.
func (w *readAs) preprocess() (*vision.Preprocess, error) {
	p := &vision.Preprocess{Steps: vision.StepsTransformers, Std: [3]float32{1, 1, 1}}
	if on(w.Center) {
		p.Size = [2]int{w.Crop["height"], w.Crop["width"]}
	}
	switch short, shortest := w.Size["shortest_edge"]; {
	case !on(w.Resize):
		p.Resize = vision.ResizeNone
	case w.Patch != 0:
		p.Resize, p.PatchSize, p.MaxPatches = vision.ResizeSquash, w.Patch, w.Most
	case shortest:
		p.Scale = [2]int{short, w.Size["longest_edge"]}
		if p.Size == [2]int{short, short} && p.Scale[1] == 0 {
			p.Scale = [2]int{}
		}
	default:
		p.Resize, p.Scale = vision.ResizeSquash, [2]int{w.Size["height"], w.Size["width"]}
		if !on(w.Center) || p.Size == p.Scale {
			p.Size, p.Scale = p.Scale, [2]int{}
		}
	}
	filters := []vision.Interpolation{vision.Nearest, vision.Lanczos, vision.Bilinear, vision.Bicubic, vision.Box, vision.Hamming}
	if w.Resample == nil || *w.Resample < 0 || *w.Resample >= len(filters) {
		return nil, fmt.Errorf("resample is missing or no filter of Pillow's")
	}
	p.Interpolation = filters[*w.Resample]
	if !on(w.Rescale) || w.Offset {
		return nil, notSupported("%+v", *w)
	}
	if on(w.Normalize) {
		p.Mean, p.Std = *w.Mean, *w.Std
	}
	if on(w.Top) || w.Top == nil && w.Class == "EfficientNetImageProcessor" {
		for c := range p.Std {
			p.Std[c] *= w.Std[c]
		}
	}
	return p, nil
}
