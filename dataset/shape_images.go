package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// imageClaims: a folder of photographs is a set of images, and nothing is said of
// them.
func imageClaims(e *evidence) ([]claim, error) {
	if len(e.images) == 0 {
		return nil, nil
	}
	return []claim{{shape: Images, covers: len(e.images), also: e.oneClass(), read: func() ([]record, error) {
		list := make([]record, len(e.images))
		for i, f := range e.images {
			list[i] = record{tree: e.tree, file: f, key: f.path}
		}
		return list, nil
	}, why: fmt.Sprintf("%s, of which nothing is said", count(len(e.images), "image", "images"))}}, nil
}

// oneClass says how to take for a class the one folder that all images lie in.
func (e *evidence) oneClass() []string {
	dirs := make([]string, len(e.images))
	for i, f := range e.images {
		if dirs[i] = path.Dir(f.path); dirs[i] == "." {
			return nil
		}
	}
	labels := topmost(dirs)
	for _, l := range labels {
		if l != labels[0] || l == "" || isSplit(l) {
			return nil
		}
	}
	if slices.ContainsFunc(strings.Split(dirs[0], "/"), isNeutral) {
		return nil
	}
	return []string{fmt.Sprintf("all lie in the folder %s, which --shape=classes (Options.Shape) takes for their class", Printable(labels[0]))}
}
