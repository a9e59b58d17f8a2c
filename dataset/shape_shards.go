package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// shards are the tars of a folder, where the folder is a set of tars: a single backup
// beside images is not. What lies beside them is left alone.
func (t *tree) shards(o *Options) ([]file, error) {
	var tars []file
	images := 0
	for _, f := range t.files {
		switch {
		case isTar(f.path):
			tars = append(tars, f)
		case isImage(extension(f.path)):
			images++
		}
	}
	switch {
	case o.Shape == Shards && len(tars) == 0:
		return nil, fmt.Errorf("dataset: %s: there is no tar here", t.name)
	case len(tars) == 0 || o.Shape != AnyShape && o.Shape != Shards && images > 0:
		return nil, nil
	case o.Shape == Shards || images <= len(tars):
		return tars, nil
	case few(len(tars), images):
		return nil, nil
	}
	return nil, fmt.Errorf("dataset: %s: this can be read as %v (%s) or by its %s: say which with Options.Shape, as --shape=%v or --shape=%v",
		t.name, Shards, count(len(tars), "tar", "tars"), count(images, "image", "images"), Shards, Images)
}

// openShards opens the tars of a folder.
func openShards(fsys fs.FS, name string, t *tree, tars []file, o *Options) (*Set, error) {
	inner := *o
	if inner.Shape == Shards {
		inner.Shape = AnyShape
	}
	names := make([]string, len(tars))
	isTars := map[string]bool{}
	for i, f := range tars {
		names[i], isTars[f.path] = path.Join(name, f.path), true
	}
	if len(inner.Classes) == 0 {
		for _, f := range t.files {
			if text, err := t.text(f); path.Base(f.path) == "classnames.txt" && err == nil {
				inner.Classes = captionLines(text)
			}
		}
	}
	set, err := openTars(fsys, name, names, &inner)
	if err != nil {
		return nil, err
	}
	e := t.evidence(o)
	e.others = nil
	for _, f := range t.files {
		if !isTars[f.path] {
			e.others = append(e.others, f)
		}
	}
	if _, err := containerClaims(&evidence{tree: t, o: o, others: besideTars(e.others, isTars)}); err != nil {
		set.seen.Notes = append(set.seen.Notes, err.Error())
	}
	beside := e.seen(claim{shape: Shards})
	set.seen.Shape = Shards
	if set.seen.Why = strings.TrimSuffix(count(len(tars), "tar", "tars")+", "+set.seen.Why, ", "); len(tars) > 1 && set.Len() < 0 {
		set.seen.Notes = nil
	}
	set.seen.Alone, set.seen.AloneCount = beside.Alone, set.seen.AloneCount+beside.AloneCount
	for why, n := range t.left {
		if set.seen.LeftOut == nil {
			set.seen.LeftOut = leftOut{}
		}
		set.seen.LeftOut[why] += n
	}
	set.notes = append(set.notes, t.notes...)
	if n := len(t.notes); n > 0 {
		set.seen.Notes = append(set.seen.Notes, count(n, "download", "downloads")+" had failed")
	}
	return set, errors.Join(closeAll(t.opened))
}

// besideTars are the files that img2dataset keeps beside each tar.
func besideTars(others []file, tars map[string]bool) []file {
	var found []file
	for _, f := range others {
		if tars[stem(f.path)+".tar"] {
			found = append(found, f)
		}
	}
	return found
}

// classNamesBeside are those that CLIP_benchmark keeps in the folder above its shards.
func classNamesBeside(fsys fs.FS, tar string) []string {
	for _, dir := range []string{path.Dir(tar), path.Dir(path.Dir(tar))} {
		t := &tree{fsys: fsys, folder: dir}
		if text, err := t.text(file{path: "classnames.txt"}); err == nil {
			return captionLines(text)
		}
	}
	return nil
}
