package dataset

import (
	"archive/tar"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"path"
	"strings"
)

// tree is files below one name: a folder, a tar, or the folder of a table.
type tree struct {
	fsys    fs.FS
	name    string      // of the folder, tar or table, for messages
	folder  string      // what the files' paths are relative to; not for a tar
	archive io.ReaderAt // of a tar
	files   []file      // of a folder or a tar, in its order
	byPath  map[string]file
	damage  error // where the listing broke off
}

type file struct {
	path         string
	offset, size int64 // in the archive
	fault        error // why it cannot be read, as far as the listing tells
}

// find looks a path up; whether a file outside a tar is there, only opening it
// will tell.
func (t *tree) find(name string) (file, error) {
	if t.archive == nil {
		return file{path: name}, nil
	}
	if t.byPath == nil {
		t.byPath = make(map[string]file, len(t.files))
		for _, f := range t.files {
			t.byPath[f.path] = f
		}
	}
	f, ok := t.byPath[name]
	if !ok {
		return file{path: name}, errors.New("no such file in the archive")
	}
	return f, nil
}

// open opens a file of at most limit bytes. Only regular files are opened: a
// pipe might never give anything.
func (t *tree) open(f file, limit int64) (io.ReadCloser, error) {
	if f.fault != nil {
		return nil, f.fault
	}
	if t.archive != nil {
		if f.size > limit {
			return nil, fmt.Errorf("%d bytes, more than the limit of %d", f.size, limit)
		}
		return io.NopCloser(io.NewSectionReader(t.archive, f.offset, f.size)), nil
	}
	name := f.path
	if !isAbs(name) {
		name = path.Join(t.folder, f.path)
	}
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

func (t *tree) decode(f file, o *Options) (image.Image, error) {
	r, err := t.open(f, o.MaxBytes)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return o.decode(r)
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

// maxDepth stops at links that lead in a circle.
const maxDepth = 64

// listFolder lists the files below a folder in the order of their names,
// following links; hidden ones are left out.
func listFolder(fsys fs.FS, name string) (*tree, error) {
	t := &tree{fsys: fsys, name: name, folder: name}
	if err := t.walk(".", 0); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *tree) walk(dir string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("dataset: %s: folders nest deeper than %d (does a link lead back?)", path.Join(t.name, dir), maxDepth)
	}
	entries, err := fs.ReadDir(t.fsys, path.Join(t.folder, dir))
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	for _, e := range entries {
		below := path.Join(dir, e.Name())
		if hidden(below) {
			continue
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := fs.Stat(t.fsys, path.Join(t.folder, below))
			isDir = err == nil && info.IsDir()
		}
		if !isDir {
			t.files = append(t.files, file{path: below})
		} else if err := t.walk(below, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// hidden tells files that systems leave behind: .DS_Store, ._photo.jpg.
func hidden(name string) bool {
	return strings.HasPrefix(path.Base(name), ".") || strings.Contains("/"+name, "/__MACOSX/")
}

// listTar lists a tar by its headers, so that each file can be read by itself.
// Where the archive is damaged the listing ends.
func listTar(fsys fs.FS, name string, archive io.ReaderAt, size int64) *tree {
	t := &tree{fsys: fsys, name: name, archive: archive}
	section := io.NewSectionReader(archive, 0, size)
	headers := tar.NewReader(section)
	end := int64(0)
	for {
		h, err := headers.Next()
		// The tar reader has read the header and not yet a byte of the file.
		offset, _ := section.Seek(0, io.SeekCurrent)
		if err == io.EOF {
			err = endMark(offset, end)
		}
		if err != nil {
			if err != io.EOF {
				t.damage = fmt.Errorf("the archive is damaged after %d files: %w", len(t.files), err)
			}
			return t
		}
		f, ok := tarFile(h)
		end = offset + f.size
		if !ok {
			continue
		}
		f.offset = offset
		if f.fault == nil && f.size > size-f.offset {
			f.fault = fmt.Errorf("the archive ends within this file, %d bytes too early", f.size-(size-f.offset))
		}
		t.files = append(t.files, f)
	}
}

// endMark tells the end of an archive from a cut between two files: blocks of
// zeros follow the last one.
func endMark(position, end int64) error {
	if end > 0 && position < end+512 {
		return errors.New("no end mark: more files may have been cut off")
	}
	return io.EOF
}

// tarFile tells whether an entry is one to list.
func tarFile(h *tar.Header) (file, bool) {
	name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	f := file{path: name, size: h.Size}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
	case tar.TypeLink, tar.TypeSymlink:
		f.fault = fmt.Errorf("a link to %q, not a file", h.Linkname)
	default:
		return f, false
	}
	sparse := h.Typeflag == tar.TypeGNUSparse
	for key := range h.PAXRecords {
		sparse = sparse || strings.HasPrefix(key, "GNU.sparse.")
	}
	if sparse {
		f.size, f.fault = 0, errors.New("a sparse file, which only a file system can hold")
	}
	return f, !hidden(name)
}
