package dataset

import (
	"fmt"
	"path"
	"strings"
)

// captionFolderClaims: images/1.jpg and captions/1.txt, also with folders of classes
// below, as CUB and Flowers have them. One caption a line.
func captionFolderClaims(e *evidence) ([]claim, error) {
	if e.streamed || len(e.images) == 0 {
		return nil, nil
	}
	texts := e.textFolders()
	if len(texts) == 0 {
		return nil, nil
	}
	partner := e.partners()
	used := map[string]bool{}
	groups := make([]*group, len(e.images))
	covers := 0
	for _, f := range texts {
		i, ok := partner[parallel(f.path, 0)]
		for depth := 1; !ok && depth < maxParallel; depth++ {
			i, ok = partner[parallel(f.path, depth)]
		}
		if !ok {
			if i, ok = partner[path.Base(stem(f.path))]; !ok {
				continue
			}
		}
		if i < 0 {
			continue
		}
		if groups[i] == nil {
			groups[i] = &group{images: []file{e.images[i]}}
		}
		text, err := e.text(f)
		groups[i].add(extension(f.path), text, err, e.o)
		used[f.path] = true
	}
	for _, g := range groups {
		if g != nil && g.said() {
			covers++
		}
	}
	if covers == 0 {
		return nil, nil
	}
	return []claim{{
		shape: CaptionFolders, stated: true, covers: covers, used: used,
		why: fmt.Sprintf("%s of %s have captions in another folder", thousands(covers), count(len(e.images), "image", "images")),
		read: func() ([]record, error) {
			list := make([]record, len(e.images))
			for i, f := range e.images {
				list[i] = record{tree: e.tree, file: f, key: f.path}
				if groups[i] != nil {
					list[i].captions, list[i].label, list[i].fault = groups[i].finish(e.o)
				}
			}
			return list, nil
		},
	}}, nil
}

// textFolders are the texts in folders without images.
func (e *evidence) textFolders() []file {
	withImages := map[string]bool{}
	for _, f := range e.images {
		withImages[path.Dir(f.path)] = true
	}
	var texts []file
	for _, f := range e.others {
		if dir := path.Dir(f.path); isSidecar(extension(f.path)) && dir != "." && !withImages[dir] && !strings.HasSuffix(f.path, "_stats.json") {
			texts = append(texts, f)
		}
	}
	return texts
}

// maxParallel is the depth to which folders may differ.
const maxParallel = 4

// partners finds images by their paths with one folder left open, and by their names
// where those are unique. -1 stands for several.
func (e *evidence) partners() map[string]int {
	found := map[string]int{}
	put := func(key string, i int) {
		if at, twice := found[key]; twice && at != i {
			i = -1
		}
		found[key] = i
	}
	for i, f := range e.images {
		for depth := range min(maxParallel, strings.Count(f.path, "/")) {
			put(parallel(f.path, depth), i)
		}
		put(path.Base(stem(f.path)), i)
	}
	return found
}

// parallel is a path without its extension, and with the folder at a depth left open.
func parallel(name string, depth int) string {
	parts := strings.Split(stem(name), "/")
	if depth >= len(parts)-1 {
		return "\x00" // no path
	}
	parts[depth] = "*"
	return strings.Join(parts, "/")
}
