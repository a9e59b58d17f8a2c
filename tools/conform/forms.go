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
	Factor    *float64    `json:"rescale_factor"`
	Offset    bool        `json:"rescale_offset"`
	Top       bool        `json:"include_top"`
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
	if want.Error != "" {
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
	same(r, "resize", []string{got.Resize.String(), got.Interpolation.String()}, []string{expected.Resize.String(), expected.Interpolation.String()})
	r.near("mean", got.Mean[:], expected.Mean[:], 1e-7)
	r.near("std", got.Std[:], expected.Std[:], 1e-7)
	return nil
}

// preprocess says the same in goclip's terms, where it has them.
func (w *readAs) preprocess() (*vision.Preprocess, error) {
	on := func(b *bool) bool { return b != nil && *b }
	p := &vision.Preprocess{Std: [3]float32{1, 1, 1}}
	short, shortest := w.Size["shortest_edge"]
	crop := on(w.Center)
	switch {
	case w.Patch != 0:
		return nil, notSupported("pictures as patches of several grids")
	case !on(w.Resize) || !on(w.Rescale) || w.Size["longest_edge"] != 0 || w.Offset || w.Top:
		return nil, notSupported("%+v", *w)
	case shortest && crop && w.Crop["height"] == short && w.Crop["width"] == short:
		p.Size, p.Resize = [2]int{short, short}, vision.ResizeShortest
	case !shortest && (!crop || maps.Equal(w.Crop, w.Size)):
		p.Size, p.Resize = [2]int{w.Size["height"], w.Size["width"]}, vision.ResizeSquash
	default:
		return nil, notSupported("pictures scaled to %v and cut to %v", w.Size, w.Crop)
	}
	switch {
	case w.Resample == nil:
		return nil, fmt.Errorf("resample is missing")
	case *w.Resample == 2:
		p.Interpolation = vision.Bilinear
	case *w.Resample == 3:
		p.Interpolation = vision.Bicubic
	default:
		return nil, notSupported("resample %d", *w.Resample)
	}
	if on(w.Normalize) {
		if w.Mean == nil || w.Std == nil {
			return nil, notSupported("normalising without mean or deviation")
		}
		p.Mean, p.Std = *w.Mean, *w.Std
	}
	return p, nil
}
