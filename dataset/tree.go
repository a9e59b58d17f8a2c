package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// tree is files below one name: a folder, tars, or the folder of a table.
type tree struct {
	fsys   fs.FS
	name   string // of the folder, tar or table, for messages
	folder string // what the files' paths are relative to; not for tars
	files  []file // of a folder or of tars, in its order
	inTar  bool
	faults []record // where a listing broke off
	notes  []Bad    // what is no sample and worth a line in the ledger
	left   leftOut
	// streamed says that files are read from front to back, and that only tables are
	// at hand.
	streamed bool
	beside   []string // names of classes from beside a tar
	damaged  error    // of a stream
	remarks  []string // for [Seen].Notes
	opened   []io.Closer
	listed   bool // files are all there are
	paths    *paths
}

type file struct {
	path         string
	tar          *archive
	offset, size int64  // in the archive
	content      []byte // of a text in a stream
	fault        error  // why it cannot be read, as far as the listing tells
}

// open opens a file of at most limit bytes. Only regular files are opened: a
// pipe might never give anything.
func (t *tree) open(f file, limit int64) (io.ReadCloser, error) {
	switch {
	case f.fault != nil:
		return nil, f.fault
	case f.content != nil:
		return io.NopCloser(bytes.NewReader(f.content)), nil
	case f.tar != nil && f.size > limit:
		return nil, fmt.Errorf("%d bytes, more than the limit of %d", f.size, limit)
	case f.tar != nil && f.tar.r == nil:
		return nil, errors.New("in a tar that is read from front to back")
	case f.tar != nil:
		return io.NopCloser(io.NewSectionReader(f.tar.r, f.offset, f.size)), nil
	case t.inTar:
		return nil, errors.New("no such file in the archive")
	}
	name := t.where(f)
	info, err := fs.Stat(t.fsys, name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("not a regular file but %s", info.Mode().Type())
	case info.Size() > limit:
		return nil, fmt.Errorf("%d bytes, more than the limit of %d", info.Size(), limit)
	}
	return t.fsys.Open(name)
}

// where is a file's path in the file system.
func (t *tree) where(f file) string {
	if isAbs(f.path) {
		return f.path
	}
	return path.Join(t.folder, f.path)
}

// readerAt opens a file for reading anywhere; it stays open until it is closed.
func (t *tree) readerAt(f file) (io.ReaderAt, int64, io.Closer, error) {
	if f.tar != nil {
		if f.tar.r == nil {
			return nil, 0, nil, errors.New("in a tar that is read from front to back")
		}
		return io.NewSectionReader(f.tar.r, f.offset, f.size), f.size, io.NopCloser(nil), f.fault
	}
	opened, err := openRegular(t.fsys, t.where(f))
	if err != nil {
		return nil, 0, nil, err
	}
	r, ok := opened.(io.ReaderAt)
	info, err := opened.Stat()
	if err != nil || !ok {
		opened.Close()
		return nil, 0, nil, errors.Join(err, errors.New("the file system reads files from front to back only"))
	}
	return r, info.Size(), opened, nil
}

func (t *tree) decode(ctx context.Context, f file, o *Options) (image.Image, error) {
	r, err := t.open(f, o.MaxBytes)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return o.decode(ctx, r)
}

// maxText bounds a caption's own file.
const maxText = 1 << 20

func (t *tree) text(f file) ([]byte, error) {
	r, err := t.open(f, maxText)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxText))
}

// maxDepth bounds how deep folders nest.
const maxDepth = 64

// listFolder lists the files below a folder in the order of their names. Links are
// followed within the folder, and each file comes once, however many lead to it.
func listFolder(fsys fs.FS, name string, o *Options) (*tree, error) {
	t := &tree{fsys: fsys, name: name, folder: name, left: leftOut{}, listed: true}
	w := walker{tree: t, o: o, links: newLinks(fsys, name), folders: map[string]bool{}}
	if err := w.walk(".", 0, ""); err != nil {
		return nil, err
	}
	for len(w.doors) > 0 { // after the folders that are none, so that those keep their names
		door := w.doors[0]
		w.doors = w.doors[1:]
		if err := w.walk(door, strings.Count(door, "/")+1, ""); err != nil {
			return nil, err
		}
		w.sort = true
	}
	w.addLinked()
	if w.sort {
		slices.SortStableFunc(w.files, func(a, b file) int { return byFolders(a.path, b.path) })
	}
	return t, nil
}

type walker struct {
	*tree
	o       *Options
	links   *links
	folders map[string]bool // those that were listed, by where they really are
	linked  []file          // files that are links, to be added unless their target is there
	doors   []string        // folders that are links, likewise
	sort    bool
}

// walk lists one folder. Where why is set, its images are only counted as left out.
func (w *walker) walk(dir string, depth int, why string) error {
	if depth > maxDepth {
		return fmt.Errorf("dataset: %s: folders nest deeper than %d", path.Join(w.name, dir), maxDepth)
	}
	if real, ok := w.links.real(path.Join(w.folder, dir)); ok {
		if w.folders[real] {
			return nil
		}
		w.folders[real] = true
	}
	entries, err := fs.ReadDir(w.fsys, path.Join(w.folder, dir))
	if err != nil {
		if why != "" {
			return nil
		}
		return fmt.Errorf("dataset: %w", err)
	}
	for _, e := range entries {
		below := path.Join(dir, e.Name())
		why := why
		if why == "" {
			why = foreign(e.Name())
		}
		if why == "" && excluded(below, w.o.Exclude) {
			why = "excluded"
		}
		if err := w.entry(e, below, depth, why); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(e fs.DirEntry, below string, depth int, why string) error {
	kind, link := e.Type(), e.Type()&fs.ModeSymlink != 0
	if link {
		info, err := fs.Stat(w.fsys, path.Join(w.folder, below))
		if err != nil {
			kind = fs.ModeIrregular
		} else {
			kind = info.Mode().Type()
		}
		if why == "" && !w.o.AllowOutside && w.links.outside(path.Join(w.folder, below)) {
			w.left.add("links out of the set", below, kind)
			return nil
		}
	}
	switch {
	case kind.IsDir() && link:
		if why == "" {
			w.doors = append(w.doors, below)
		}
	case kind.IsDir():
		return w.walk(below, depth+1, why)
	case why != "":
		w.left.add(why, below, kind)
	case kind != 0:
		w.left.add("pipes, devices and dead links", below, 0)
	case link:
		w.linked = append(w.linked, file{path: below})
	default:
		w.files = append(w.files, file{path: below})
	}
	return nil
}

// add counts an image, and whatever is a folder.
func (l leftOut) add(why, name string, kind fs.FileMode) {
	if why != "hidden" && (kind.IsDir() || isImage(extension(name))) {
		l[why]++
	}
}

// foreign says why a file or folder of this name is none of the user's images; ""
// where it may be one.
func foreign(name string) string {
	switch strings.ToLower(name) {
	case "@eadir", ".thumbnails", ".thumb", ".thumbs", ".@__thumb", ".picasaoriginals", "synophoto_thumb":
		return "thumbnails"
	case "#recycle", "@recycle", "$recycle.bin", "recycler", ".trash", ".trashes", ".trash-1000", "lost+found", ".recycle":
		return "recycle bins"
	case "__macosx", ".ipynb_checkpoints", ".git", ".svn", "#snapshot", "@recently-snapshot", "system volume information", ".snapshot", ".zfs":
		return "copies that systems and programs keep"
	}
	switch {
	case strings.HasPrefix(name, "._"):
		return "copies that systems and programs keep"
	case strings.HasPrefix(strings.ToLower(name), ".trash"):
		return "recycle bins"
	case strings.HasPrefix(name, "."):
		return "hidden"
	}
	return ""
}

// foreignPath is [foreign] of any part of a path.
func foreignPath(name string) string {
	for part := range strings.SplitSeq(name, "/") {
		if why := foreign(part); why != "" {
			return why
		}
	}
	return ""
}

// excluded tells whether a path, a folder above it, or the name of either matches one
// of the patterns.
func excluded(name string, patterns []string) bool {
	for _, p := range patterns {
		p = strings.TrimSuffix(p, "/")
		for part := name; part != "."; part = path.Dir(part) {
			whole, _ := path.Match(p, part)
			base, _ := path.Match(p, path.Base(part))
			if whole || base {
				return true
			}
		}
	}
	return false
}
