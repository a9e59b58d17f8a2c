package dataset

import (
	"context"
	"fmt"
	"image"
	"path"
	"path/filepath"
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
	decode   func(context.Context) (image.Image, error) // where it is in no file of its own
}

func (r *record) sample(o *Options) Sample {
	s := Sample{
		File: r.from(), Key: r.key, Captions: r.captions, Label: r.label, Fault: r.fault,
	}
	decode := r.decode
	if decode == nil {
		decode = func(ctx context.Context) (image.Image, error) { return r.tree.decode(ctx, r.file, o) }
		if _, real := r.tree.fsys.(anywhere); real && r.file.tar == nil && !r.tree.inTar && r.fault == nil {
			s.Path = filepath.FromSlash(r.tree.where(r.file))
		}
	}
	s.decodes(decode)
	s.fill(o)
	return s
}

// from is the archive or folder that a record is from.
func (r *record) from() string {
	if r.file.tar != nil {
		return r.file.tar.name
	}
	return r.tree.name
}

// fill gives a sample that has only a label the prompts of the templates.
func (s *Sample) fill(o *Options) {
	if len(s.Captions) == 0 && s.Label != "" {
		s.Prompts = o.captions(s.Label)
	}
}

// describe sets captions and label, after checking them.
func (r *record) describe(captions []string, label string, o *Options) {
	r.captions, r.label, r.fault = described(captions, label, o)
}

// described trims captions and names the label. Without either, an image may still be
// searched for.
func described(captions []string, label string, o *Options) ([]string, string, error) {
	var kept []string
	for _, c := range captions {
		if c = strings.TrimSpace(c); c != "" {
			kept = append(kept, c)
		}
	}
	label = strings.TrimSpace(label)
	for _, text := range append(slices.Clip(kept), label) {
		if len(text) > maxText {
			return nil, "", fmt.Errorf("a text of %d bytes, more than the limit of %d", len(text), maxText)
		}
		if !utf8.ValidString(text) {
			return nil, "", fmt.Errorf("not valid UTF-8: %.60q", text)
		}
	}
	if whole, ok := strings.CutSuffix(label, ".0"); ok && !o.named[label] && isNumber(whole) && (o.Names[whole] != "" || len(o.Classes) > 0) {
		label = whole // of a column in which a number is missing, as pandas writes it
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
	return kept, label, nil
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// isImage knows the extensions of the formats that can be read.
func isImage(ext string) bool {
	switch ext {
	case "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm", "pbm", "pnm",
		"heic", "heif", "avif", "jxl", "jp2", "j2k":
		return true
	}
	return false
}

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

func isSidecar(ext string) bool {
	switch ext {
	case "txt", "caption", "cls", "json":
		return true
	}
	return false
}

// isNote knows texts about a whole set, which are no captions, by their names: those of
// CLIP_benchmark, and what comes with any archive.
func isNote(name string) bool {
	base := strings.ToLower(path.Base(name))
	if !strings.HasSuffix(base, ".txt") {
		return false
	}
	switch base = strings.TrimSuffix(base, ".txt"); base {
	case "classnames", "readme", "license", "licence", "copying", "notice":
		return true
	}
	return strings.HasSuffix(base, "_templates") || base == "templates"
}

func isTable(name string) bool {
	switch extension(name) {
	case "csv", "tsv", "jsonl", "ndjson":
		return true
	}
	return false
}
