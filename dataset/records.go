package dataset

import (
	"errors"
	"fmt"
	"image"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// record is one sample of an indexed set.
type record struct {
	tree     *tree
	file     file
	key      string
	captions []string
	label    string
	fault    error
}

func (r *record) sample(o *Options) Sample {
	s := Sample{
		File: r.tree.name, Key: r.key, Captions: r.captions, Label: r.label, Fault: r.fault,
		Decode: func() (image.Image, error) { return r.tree.decode(r.file, o) },
	}
	s.fill(o)
	return s
}

// fill gives a sample that has only a label the captions of the templates.
func (s *Sample) fill(o *Options) {
	if len(s.Captions) == 0 && s.Label != "" {
		s.Captions = o.captions(s.Label)
	}
}

// describe sets captions and label, after checking them.
func (r *record) describe(captions []string, label string, o *Options) {
	r.captions, r.label, r.fault = described(captions, label, o)
}

// described trims captions and names the label. Without either, the fault says so.
func described(captions []string, label string, o *Options) ([]string, string, error) {
	var kept []string
	for _, c := range captions {
		if c = strings.TrimSpace(c); c != "" {
			kept = append(kept, c)
		}
	}
	label = strings.TrimSpace(label)
	for _, text := range append(slices.Clip(kept), label) {
		if !utf8.ValidString(text) {
			return nil, "", fmt.Errorf("not valid UTF-8: %.60q", text)
		}
	}
	if name, ok := o.Names[label]; ok {
		label = name
	}
	if n, err := strconv.Atoi(label); err == nil && len(o.Classes) > 0 && !o.named[label] {
		if n < 0 || n >= len(o.Classes) {
			return nil, "", fmt.Errorf("label %d is not within 0 … %d", n, len(o.Classes)-1)
		}
		label = o.Classes[n]
	}
	if kept == nil && label == "" {
		return nil, "", errors.New("no caption and no label")
	}
	return kept, label, nil
}

// images are the extensions of the formats that can be read.
var images = []string{"jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff",
	"heic", "heif", "avif", "jxl", "jp2", "j2k"}

// splitKey cuts a path into what the files of one sample share and the rest. In
// a tar the rest begins at the name's first dot, as WebDataset has it; in a
// folder at its last.
func splitKey(name string, inTar bool) (key, ext string) {
	base := path.Base(name)
	dot := strings.LastIndexByte(base, '.')
	if inTar {
		dot = strings.IndexByte(base, '.')
	}
	if dot < 0 {
		return name, ""
	}
	return name[:len(name)-len(base)+dot], strings.ToLower(base[dot+1:])
}

func isImage(ext string) bool { return slices.Contains(images, ext) }

func isSidecar(ext string) bool {
	return slices.Contains([]string{"txt", "caption", "cls", "json"}, ext)
}

func isTable(name string) bool {
	return slices.Contains([]string{".csv", ".tsv", ".jsonl", ".ndjson"}, strings.ToLower(path.Ext(name)))
}

// layout is how the files of a tree belong together.
type layout uint8

const (
	folders  layout = iota // an image's folder is its label
	sidecars               // key.jpg beside key.txt, key.json or key.cls
	tables                 // one or more tables name images
)

// layoutOf finds out the layout, and for [tables] which they are: metadata.csv
// or metadata.jsonl anywhere, or else a single table in the topmost folder that
// has one.
func layoutOf(files []file, inTar bool) (layout, []file, error) {
	var metadata, top []file
	withImage := map[string]bool{}
	for _, f := range files {
		if key, ext := splitKey(f.path, inTar); isImage(ext) {
			withImage[key] = true
		}
		if !isTable(f.path) {
			continue
		}
		if base := path.Base(f.path); strings.TrimSuffix(base, path.Ext(base)) == "metadata" {
			metadata = append(metadata, f)
		}
		depth := strings.Count(f.path, "/")
		if len(top) > 0 && depth < strings.Count(top[0].path, "/") {
			top = nil
		}
		if len(top) == 0 || depth == strings.Count(top[0].path, "/") {
			top = append(top, f)
		}
	}
	switch {
	case len(metadata) > 0:
		return tables, metadata, nil
	case len(top) == 1:
		return tables, top, nil
	case len(top) > 1:
		var names []string
		for _, f := range top {
			names = append(names, f.path)
		}
		return 0, nil, fmt.Errorf("several tables, %s: name the one to open", listed(names))
	}
	for _, f := range files {
		if key, ext := splitKey(f.path, inTar); isSidecar(ext) && withImage[key] {
			return sidecars, nil, nil
		}
	}
	return folders, nil, nil
}

// records makes the samples of a tree.
func (t *tree) records(o *Options) ([]record, error) {
	kind, found, err := layoutOf(t.files, t.archive != nil)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", t.name, err)
	}
	var list []record
	switch kind {
	case folders:
		list = t.byFolder(o)
	case sidecars:
		list = t.bySidecar(o)
	case tables:
		for _, f := range found {
			more, err := t.byTable(f, o)
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		}
	}
	if t.damage != nil {
		list = append(list, record{tree: t, fault: t.damage})
	}
	return list, nil
}

// byFolder takes the name of each image's folder for its label. Files that
// are no images are passed over beside the folders, and are bad inside.
func (t *tree) byFolder(o *Options) []record {
	var list []record
	for _, f := range t.files {
		dir := path.Dir(f.path)
		_, ext := splitKey(f.path, false)
		if dir == "." && !isImage(ext) {
			continue
		}
		r := record{tree: t, file: f, key: f.path}
		switch {
		case !isImage(ext):
			r.fault = fmt.Errorf("extension %q is not that of an image", ext)
		case dir == ".":
			r.fault = errors.New("no label: the image lies in no class folder")
		default:
			r.describe(nil, path.Base(dir), o)
		}
		list = append(list, r)
	}
	return list
}

// bySidecar joins the files of each key.
func (t *tree) bySidecar(o *Options) []record {
	groups := map[string]*group{}
	var order []*group
	for _, f := range t.files {
		key, ext := splitKey(f.path, t.archive != nil)
		g := groups[key]
		if g == nil {
			g = &group{key: key}
			groups[key] = g
			order = append(order, g)
		}
		switch {
		case isImage(ext) && g.img == nil:
			g.img = &f
		case isSidecar(ext):
			text, err := t.text(f)
			g.add(ext, text, err, o)
		default:
			g.others = append(g.others, ext)
		}
	}
	var list []record
	for _, g := range order {
		if g.stray() {
			continue
		}
		r := record{tree: t, key: g.key}
		r.captions, r.label, r.fault = g.finish(o)
		if g.img != nil {
			r.file = *g.img
		}
		list = append(list, r)
	}
	return list
}
