package dataset

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// links finds out where paths really lead, on a file system that has links.
type links struct {
	on    bool
	root  string            // where the set's folder really is
	known map[string]string // folders
}

func newLinks(fsys fs.FS, root string) *links {
	l := &links{known: map[string]string{}}
	if _, ok := fsys.(anywhere); ok {
		l.root, l.on = resolve(root)
	}
	return l
}

// resolve gives the absolute path without links.
func resolve(name string) (string, bool) {
	abs, err := filepath.Abs(filepath.FromSlash(name))
	if err != nil {
		return "", false
	}
	real, err := filepath.EvalSymlinks(abs)
	return filepath.ToSlash(real), err == nil
}

// real returns where a folder really is; false where that cannot be told.
func (l *links) real(dir string) (string, bool) {
	if !l.on {
		return "", false
	}
	if real, ok := l.known[dir]; ok {
		return real, real != ""
	}
	real, ok := resolve(dir)
	l.known[dir] = real
	return real, ok
}

// outside tells whether a path leads out of the set.
func (l *links) outside(name string) bool {
	if !l.on {
		return false
	}
	real, ok := resolve(name)
	return ok && !within(l.root, real)
}

func within(root, name string) bool {
	return name == root || strings.HasPrefix(name, strings.TrimSuffix(root, "/")+"/")
}

// addLinked adds the files that are links, each target once, in the order of names.
func (w *walker) addLinked() {
	if len(w.linked) == 0 {
		return
	}
	seen := map[string]bool{}
	for _, f := range w.files {
		if dir, ok := w.links.real(path.Join(w.folder, path.Dir(f.path))); ok {
			seen[path.Join(dir, path.Base(f.path))] = true
		}
	}
	for _, f := range w.linked {
		real, ok := resolve(path.Join(w.folder, f.path))
		if w.links.on && ok && seen[real] {
			w.left.add("links to images that are in the set", f.path, 0)
			continue
		}
		seen[real], w.sort = true, true
		w.files = append(w.files, f)
	}
}

// byFolders orders paths as a walk meets them.
func byFolders(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}
