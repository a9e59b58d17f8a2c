package dataset

import (
	"fmt"
	"path"
	"strings"
)

// pairClaims: 1.jpg beside 1.txt, 1.caption, 1.json or 1.cls, in folders and in
// WebDataset's tars. Two images of one key are two samples with the same captions.
func pairClaims(e *evidence) ([]claim, error) {
	used := map[string]bool{}
	any := false
	for _, f := range e.others {
		any = any || isSidecar(extension(f.path))
	}
	if !any {
		return nil, nil
	}
	if e.streamed {
		return e.streamedPairs(), nil
	}
	groups := e.groups()
	covers, lone, images := 0, 0, 0
	for _, g := range groups {
		images += len(g.images)
		switch {
		case g.sidecars == 0 || !g.said():
		case len(g.images) > 0:
			covers += len(g.images)
		case len(g.others) > 0:
			lone++
		}
	}
	if covers == 0 && (lone == 0 || images > 0) {
		return nil, nil
	}
	for _, g := range groups {
		if len(g.images) > 0 && g.sidecars > 0 {
			for _, ext := range []string{"txt", "caption", "json", "cls"} {
				used[g.key+"."+ext] = true
			}
		}
	}
	return []claim{{
		shape: Pairs, stated: true, covers: covers, used: used,
		why:  fmt.Sprintf("%s of %s have a file with their captions or label", thousands(covers), count(len(e.images), "image", "images")),
		read: func() ([]record, error) { return e.pairs(groups), nil },
	}}, nil
}

func (e *evidence) pairs(groups []*group) []record {
	names := e.classNames()
	o := *e.o
	if len(o.Classes) == 0 {
		o.Classes = names
	}
	var list []record
	for _, g := range groups {
		if g.stray() {
			continue
		}
		r := record{tree: e.tree, key: g.key}
		r.captions, r.label, r.fault = g.finish(&o)
		if len(g.images) == 0 {
			r.file.tar = g.tar
			list = append(list, r)
		}
		for _, img := range g.images {
			r.file, r.key = img, g.keyOf(img)
			list = append(list, r)
		}
	}
	return list
}

// streamedPairs judges by names, since a stream gives each file once.
func (e *evidence) streamedPairs() []claim {
	sidecars, used := map[string][]string{}, map[string]bool{}
	for _, f := range e.others {
		for _, inTar := range []bool{true, false} {
			if key, ext := splitKey(f.path, inTar); isSidecar(ext) {
				sidecars[key] = append(sidecars[key], f.path)
			}
		}
	}
	covers, lone := 0, len(e.images) == 0 && len(sidecars) > 0 && len(e.others) > len(sidecars)
	for _, f := range e.images {
		long, _ := splitKey(f.path, false)
		short, _ := splitKey(f.path, true)
		if sidecars[long] != nil || sidecars[short] != nil {
			covers++
		}
		for _, name := range append(sidecars[long], sidecars[short]...) {
			used[name] = true
		}
	}
	if covers == 0 && !lone {
		return nil
	}
	return []claim{{shape: Pairs, stated: true, covers: covers, used: used, why: fmt.Sprintf("%s of %s have a file beside them", thousands(covers), count(len(e.images), "image", "images"))}}
}

// groups joins the files of each key.
func (e *evidence) groups() []*group {
	type id struct {
		tar *archive
		key string
	}
	known := map[id]*group{}
	var order []*group
	whole := map[id]bool{} // keys up to the first dot that an image has as its own
	if e.inTar {
		for _, f := range e.files {
			if key, ext := splitKey(f.path, true); isImage(ext) {
				whole[id{f.tar, key}] = true
			}
		}
	}
	for _, f := range e.files {
		key, ext := splitKey(f.path, e.inTar)
		if e.inTar && !whole[id{f.tar, key}] {
			key, ext = splitKey(f.path, false) // 22.05.jpg, 22.05.txt
		}
		at := id{f.tar, key}
		g := known[at]
		if g == nil {
			g = &group{key: key, tar: f.tar}
			known[at] = g
			order = append(order, g)
		}
		switch {
		case isImage(ext):
			g.images = append(g.images, f)
		case isSidecar(ext):
			g.files = append(g.files, sidecar{f, ext})
		default:
			g.others = append(g.others, ext)
			if isImage(extension(f.path)) && f.tar != nil {
				e.notes = append(e.notes, Bad{File: f.tar.name, Key: f.path, Reason: "a further image of the sample " + Printable(key) + ", which is not read"})
			}
		}
	}
	for _, g := range order {
		if len(g.images) == 0 && len(g.others) == 0 && !e.inTar {
			continue // a README.txt is nobody's caption
		}
		for _, s := range g.files {
			text, err := e.text(s.file)
			g.add(s.ext, text, err, e.o)
		}
	}
	return order
}

// sidecar is a file that describes the images of its group.
type sidecar struct {
	file
	ext string
}

// classNames are those that CLIP_benchmark keeps beside its shards, one a line.
func (e *evidence) classNames() []string {
	for _, f := range e.files {
		if path.Base(f.path) == "classnames.txt" {
			if text, err := e.text(f); err == nil {
				return captionLines(text)
			}
		}
	}
	return e.beside
}

func extension(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
}

// stem is a path without its extension.
func stem(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }
