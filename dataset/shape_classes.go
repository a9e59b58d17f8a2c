package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
)

// classClaims: the topmost folder of an image is its class, as torchvision's
// ImageFolder has it, however deep the image lies below. Folders of splits, and such
// as hold the whole set, stand above the classes.
func classClaims(e *evidence) ([]claim, error) {
	dirs := make([]string, len(e.images))
	for i, f := range e.images {
		if dirs[i] = path.Dir(f.path); dirs[i] == "." {
			dirs[i] = ""
		}
	}
	labels := classesOf(dirs)
	if labels == nil && e.o.Shape == ClassFolders {
		labels = topmost(dirs)
	}
	if labels == nil {
		return nil, nil
	}
	labelled, names := 0, map[string]bool{}
	for _, l := range labels {
		if l != "" {
			labelled++
			names[l] = true
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return []claim{{
		shape: ClassFolders, covers: labelled,
		why: fmt.Sprintf("%s in %s", count(labelled, "image", "images"), count(len(names), "class folder", "class folders")),
		read: func() ([]record, error) {
			list := make([]record, len(e.images))
			for i, f := range e.images {
				list[i] = record{tree: e.tree, file: f, key: f.path}
				list[i].describe(nil, labels[i], e.o)
			}
			return list, nil
		},
	}}, nil
}

// classesOf finds the class of each image in its folder's path; "" for none, nil
// where the folders are no classes.
func classesOf(dirs []string) []string {
	rest := slices.Clone(dirs)
	var splits []string // of each image, once they were taken off
	for {
		tops, direct := folderNames(rest)
		switch {
		case len(tops) == 0 || splits == nil && 2*direct[""] > len(rest):
			return nil
		case areSplits(tops) && (splits == nil || len(tops) > 1): // archives of Kaggle have train/train/cat
			if splits == nil {
				splits = firstNames(rest)
			}
		case len(tops) > 1 && all(tops, isNeutral):
			return nil
		case len(tops) > 1 && splits != nil:
			return dropNeutral(splits, firstNames(rest))
		case len(tops) > 1:
			return firstNames(rest)
		case direct[tops[0]] > 0 || direct[""] > 0:
			return nil
		}
		for i, dir := range rest {
			_, rest[i], _ = strings.Cut(dir, "/")
		}
	}
}

// folderNames are the topmost folders, sorted, and how many images lie in each
// directly; "" is where no folder is.
func folderNames(dirs []string) (tops []string, direct map[string]int) {
	direct = map[string]int{}
	seen := map[string]bool{}
	for _, dir := range dirs {
		top, below, _ := strings.Cut(dir, "/")
		if below == "" {
			direct[top]++
		}
		if top != "" && !seen[top] {
			seen[top] = true
			tops = append(tops, top)
		}
	}
	slices.Sort(tops)
	return tops, direct
}

func firstNames(dirs []string) []string {
	labels := make([]string, len(dirs))
	for i, dir := range dirs {
		labels[i], _, _ = strings.Cut(dir, "/")
	}
	return labels
}

// dropNeutral takes the classes of splits. A split whose only folder is called images,
// beside another with classes, has none, as tiny-imagenet's val.
func dropNeutral(splits, labels []string) []string {
	of := map[string]map[string]bool{} // the folders of each split
	for i, l := range labels {
		if of[splits[i]] == nil {
			of[splits[i]] = map[string]bool{}
		}
		of[splits[i]][l] = true
	}
	for i, l := range labels {
		if len(of[splits[i]]) == 1 && isNeutral(l) {
			labels[i] = ""
		}
	}
	return labels
}

// topmost is what the folders give where classes are asked for.
func topmost(dirs []string) []string {
	tops, _ := folderNames(dirs)
	rest := slices.Clone(dirs)
	if areSplits(tops) {
		for i, dir := range rest {
			_, rest[i], _ = strings.Cut(dir, "/")
		}
	}
	return firstNames(rest)
}

func all(names []string, is func(string) bool) bool {
	return len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return !is(n) })
}

// areSplits knows the names of parts of a set: train and val, but also seg_train and
// seg_test, train2017 and test1, whose other words are the same. A single one among other
// folders is a class: COCO has trains. So are freight_train and passenger_train.
func areSplits(names []string) bool {
	first := ""
	for i, name := range names {
		rest, ok := cutSplit(name)
		if i == 0 {
			first = rest
		}
		if !ok || rest != first || rest != "" && len(names) == 1 {
			return false
		}
	}
	return len(names) > 0
}

// cutSplit takes from a name the word that names a part of a set, and numbers and words
// such as set and images.
func cutSplit(name string) (rest string, found bool) {
	var others []string
	for _, word := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) }) {
		switch {
		case !found && slices.Contains([]string{"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval", "trainval"}, word):
			found = true
		case word != "set" && word != "split" && word != "part" && !isNeutral(word):
			others = append(others, word)
		}
	}
	return strings.Join(others, " "), found
}

func isSplit(name string) bool { return areSplits([]string{name}) }

// isNeutral knows the names of folders that say what kind of file is in them.
func isNeutral(name string) bool {
	return slices.Contains([]string{"images", "image", "imgs", "img", "jpg", "jpeg", "jpegs", "png", "jpegimages", "pictures", "photos",
		"data", "masks", "mask", "annotations", "labels", "segmentation", "segmentations", "depth", "previews"}, strings.ToLower(name))
}
