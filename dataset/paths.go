package dataset

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// paths finds the files that tables name. A file is one file, however its path is
// spelt: with ./ or //, through links, in another Unicode form, and in other letters
// where the file system takes them for the same.
type paths struct {
	exact   map[string]int   // of the tree's files, by path
	ofTar   map[tarPath]int  // of those in one of several tars
	bases   map[string][]int // by the last part of the path
	stems   map[string][]int // the same without the extension
	anyCase bool             // the file system takes capitals and small letters for the same
	links   *links
	folders map[string]map[string]string // names of the files in a folder
	same    map[string]string            // paths, by where they really lead
	// spellings are folders by how they were spelt.
	spellings map[string]string
}

type tarPath struct {
	tar  *archive
	path string
}

func nfc(s string) string { return norm.NFC.String(s) }

// key is the form in which paths are compared.
func (p *paths) key(name string) string {
	if name = nfc(name); p.anyCase {
		return strings.ToLower(name)
	}
	return name
}

// ignoresCase tells whether the file system finds a listed file, or else one of its
// folders, by a name in other letters that it did not list.
func (t *tree) ignoresCase() bool {
	if t.inTar {
		return false
	}
	names := map[string]bool{}
	for _, f := range t.files {
		names[f.path] = true
	}
	for _, f := range t.files[:min(len(t.files), 100)] {
		if other := swapped(f.path); other != f.path && !names[other] {
			return t.stats(path.Join(t.folder, other))
		}
	}
	return false
}

func (t *tree) index() *paths {
	if t.paths == nil {
		t.paths = &paths{links: newLinks(t.fsys, t.folder), folders: map[string]map[string]string{}, same: map[string]string{}, spellings: map[string]string{}}
	}
	p := t.paths
	if p.exact == nil && t.listed {
		p.exact, p.ofTar, p.bases, p.stems = map[string]int{}, map[tarPath]int{}, map[string][]int{}, map[string][]int{}
		p.anyCase = t.ignoresCase()
		for i, f := range t.files {
			name := p.key(f.path)
			if _, twice := p.exact[name]; !twice {
				p.exact[name] = i
			}
			if f.tar != nil {
				p.ofTar[tarPath{f.tar, name}] = i
			}
			if base := path.Base(name); isImage(extension(base)) {
				p.bases[base] = append(p.bases[base], i)
				s := stem(base)
				p.stems[s] = append(p.stems[s], i)
			}
		}
	}
	return p
}

// swapped is a path in capitals, or of capitals in small letters.
func swapped(name string) string {
	if other := strings.ToUpper(name); other != name {
		return other
	}
	return strings.ToLower(name)
}

// lookup finds the file that a table calls name, relative to the table's folder, to
// the set's, or by the end of its path.
func (t *tree) lookup(table file, name string) (file, bool) {
	p := t.index()
	dir := path.Dir(table.path)
	if !t.listed {
		return t.onDisk(path.Join(dir, name))
	}
	name = p.key(name)
	for _, full := range []string{path.Join(p.key(dir), name), name} {
		if i, ok := p.ofTar[tarPath{table.tar, full}]; ok {
			return t.files[i], true
		}
		if i, ok := p.exact[full]; ok {
			return t.files[i], true
		}
	}
	if i, ok := p.nearest(t.files, p.bases[path.Base(name)], name); ok {
		return t.files[i], true
	}
	if !isImage(extension(name)) { // an id
		if i, ok := p.nearest(t.files, p.stems[path.Base(name)], name); ok {
			return t.files[i], true
		}
	}
	return t.elsewhere(dir, name)
}

// nearest is the one candidate whose path ends as name does.
func (p *paths) nearest(files []file, candidates []int, name string) (int, bool) {
	if len(candidates) == 1 && !strings.Contains(name, "/") {
		return candidates[0], true
	}
	best, found, twice := 1, -1, false
	for _, i := range candidates {
		n := commonEnd(p.key(files[i].path), name)
		if n > best {
			best, found, twice = n, i, false
		} else if n == best {
			twice = true
		}
	}
	return found, found >= 0 && !twice
}

// commonEnd counts the parts at the end of two paths that are the same; the last is,
// but for its extension.
func commonEnd(a, b string) int {
	n := 1
	for {
		a, b = path.Dir(a), path.Dir(b)
		if a == "." || b == "." || b == "/" || path.Base(a) != path.Base(b) {
			return n
		}
		n++
	}
}

// elsewhere tries what only the file system knows: links.
func (t *tree) elsewhere(dir, name string) (file, bool) {
	if t.inTar {
		return file{}, false
	}
	p := t.index()
	if !p.links.on {
		return file{}, false
	}
	listed := func(real string) (file, bool) {
		i, ok := p.exact[p.key(strings.TrimPrefix(strings.TrimPrefix(real, p.links.root), "/"))]
		if !ok || !within(p.links.root, real) {
			return file{}, false
		}
		return t.files[i], true
	}
	for _, full := range []string{path.Join(dir, name), name} {
		at := full
		if !isAbs(at) {
			at = path.Join(t.folder, full)
		}
		real, ok := p.links.real(path.Dir(at))
		if !ok || !within(p.links.root, real) {
			continue
		}
		if f, ok := listed(path.Join(real, path.Base(full))); ok {
			return f, true
		}
		if real, ok := resolve(at); ok { // a link to a file of the set
			if f, ok := listed(real); ok {
				return f, true
			}
		}
	}
	return file{}, false
}

// onDisk finds a file of a folder that has not been listed as a whole.
func (t *tree) onDisk(name string) (file, bool) {
	p := t.paths
	dir := t.spelt(path.Dir(name))
	at := t.where(file{path: dir})
	actual, ok := t.entry(at, path.Base(name))
	if !ok {
		return file{}, false
	}
	actual, link := strings.CutSuffix(actual, "/")
	f := file{path: path.Join(dir, actual)}
	real, ok := p.links.real(at)
	real = path.Join(real, actual)
	if ok && link {
		real, ok = resolve(path.Join(at, actual))
	}
	if ok {
		if first, known := p.same[real]; known {
			f.path = first
		} else {
			p.same[real] = f.path
		}
	}
	return f, true
}

// entry is the name under which a folder lists what it finds by a name, with a slash
// behind a link.
func (t *tree) entry(folder, name string) (string, bool) {
	names, ok := t.paths.folders[folder]
	if !ok {
		names = map[string]string{}
		if entries, err := fs.ReadDir(t.fsys, folder); err == nil {
			for _, e := range entries {
				kind := ""
				if e.Type()&fs.ModeSymlink != 0 {
					kind = "/"
				}
				names[nfc(e.Name())] = e.Name() + kind
			}
		}
		t.paths.folders[folder] = names
	}
	if actual, ok := names[nfc(name)]; ok {
		return actual, true
	}
	if _, err := fs.Stat(t.fsys, path.Join(folder, name)); err != nil {
		return "", false
	}
	for n, actual := range names {
		if strings.EqualFold(n, nfc(name)) {
			return actual, true
		}
	}
	return name, true
}

// spelt is a folder's path as the file system lists it, where that takes capitals and
// small letters for the same.
func (t *tree) spelt(dir string) string {
	p := t.paths
	if dir == path.Dir(dir) {
		return dir
	}
	if known, ok := p.spellings[dir]; ok {
		return known
	}
	spelling := dir
	if at := t.where(file{path: dir}); t.stats(at) && t.stats(path.Join(path.Dir(at), swapped(path.Base(at)))) {
		parent := t.spelt(path.Dir(dir))
		if actual, ok := t.entry(t.where(file{path: parent}), path.Base(dir)); ok {
			spelling = path.Join(parent, strings.TrimSuffix(actual, "/"))
		}
	}
	p.spellings[dir] = spelling
	return spelling
}

func (t *tree) stats(name string) bool {
	_, err := fs.Stat(t.fsys, name)
	return err == nil
}

// locate checks that a table's path stays within the set, and finds the file. Whether
// one that is not found is there, only opening it will tell.
func (t *tree) locate(table file, image string, o *Options) (f file, found bool, err error) {
	name := filepath.ToSlash(image)
	clean := path.Clean(name)
	dir := path.Dir(table.path)
	inside := !isAbs(name) && !strings.HasPrefix(path.Join(dir, clean)+"/", "../")
	switch {
	case inside && clean != "..":
		f, found = t.lookup(table, clean)
		if !found && !t.listed {
			t.list(o)
			f, found = t.lookup(table, clean)
		}
		if other := path.Clean(strings.TrimSpace(strings.ReplaceAll(name, `\`, "/"))); !found && other != clean && !isAbs(other) && !strings.HasPrefix(path.Join(dir, other)+"/", "../") {
			f, found = t.lookup(table, other) // of Windows, or with spaces beside its separators
		}
		if !found {
			f = file{path: path.Join(dir, clean), tar: table.tar}
		}
		return f, found, nil
	case isAbs(name) && t.listed && !t.inTar:
		if f, found = t.elsewhere(dir, clean); found {
			return f, true, nil
		}
	}
	_, real := t.fsys.(anywhere)
	switch {
	case !real || t.inTar:
		return f, false, fmt.Errorf("path %q leads out of the set, which cannot be here", image)
	case !o.AllowOutside && isAbs(name) && t.inFolder(clean):
	case !o.AllowOutside:
		return f, false, fmt.Errorf("path %q leads out of the table's folder, and AllowOutside is not set (--allow-outside)", image)
	}
	if !isAbs(name) {
		clean = path.Join(dir, clean)
	}
	t.index()
	f, found = t.onDisk(clean)
	if !found {
		f = file{path: clean}
	}
	return f, found, nil
}

// inFolder tells whether an absolute path leads into the set's folder.
func (t *tree) inFolder(name string) bool {
	p := t.index()
	real, ok := p.links.real(path.Dir(name))
	return ok && within(p.links.root, real)
}

// list lists the folder of a table that names a file which is not where it says.
func (t *tree) list(o *Options) {
	t.listed = true
	if whole, err := listFolder(t.fsys, t.folder, o); err == nil {
		t.files, t.left = whole.files, whole.left
	}
}
