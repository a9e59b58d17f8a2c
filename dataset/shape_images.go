package dataset

import "fmt"

// imageClaims: a folder of photographs is a set of images, and nothing is said of
// them.
func imageClaims(e *evidence) ([]claim, error) {
	if len(e.images) == 0 {
		return nil, nil
	}
	return []claim{{shape: Images, covers: len(e.images), read: func() ([]record, error) {
		list := make([]record, len(e.images))
		for i, f := range e.images {
			list[i] = record{tree: e.tree, file: f, key: f.path}
		}
		return list, nil
	}, why: fmt.Sprintf("%s, of which nothing is said", count(len(e.images), "image", "images"))}}, nil
}
