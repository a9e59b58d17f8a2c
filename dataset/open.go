package dataset

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/lists"
)

// Set is a set of images and captions in files. It is a [Source] and safe for
// concurrent use, except for Close.
type Set struct {
	Source
	classes []string
	close   []io.Closer
}

// Classes returns the labels that occur, sorted, or Options.Classes as given. Of several
// of the same words (see Options.Templates) only the first is there. Of
// a stream they are those of its first shard.
func (s *Set) Classes() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.classes)
}

// Len implements [Source]. A nil or empty Set has no samples.
func (s *Set) Len() int {
	if s == nil || s.Source == nil {
		return 0
	}
	return s.Source.Len()
}

// Samples implements [Source].
func (s *Set) Samples(ctx context.Context, order Order) iter.Seq2[Sample, error] {
	if s == nil || s.Source == nil {
		return func(func(Sample, error) bool) {}
	}
	return s.Source.Samples(ctx, order)
}

// Indexed returns the samples by number, or false where the set is a stream.
func (s *Set) Indexed() (*Indexed, bool) {
	if s == nil {
		return nil, false
	}
	x, ok := s.Source.(*Indexed)
	return x, ok
}

// Close closes the archives. Samples cannot be decoded afterwards.
func (s *Set) Close() error {
	if s == nil {
		return nil
	}
	var errs []error
	for _, c := range s.close {
		errs = append(errs, c.Close())
	}
	s.close = nil
	return errors.Join(errs...)
}

// Open opens a set. Its kind is recognised by its name and its content:
//
//   - a table, .csv, .tsv or .jsonl, that names images relative to its folder;
//   - a folder, or a .tar, .tar.gz or .tgz, with one table or with Hugging
//     Face's metadata.csv or metadata.jsonl; with WebDataset's groups (0001.jpg
//     beside 0001.txt, .json or .cls); or with images in class folders, the
//     innermost of which gives the label;
//   - several tars, as train-{000..012}.tar or {a,b}.tar, or a folder of them.
//
// Tables, folders and plain tars are indexed, so the whole set can be shuffled;
// images are read when they are decoded. A table's rows that name the same
// image give one sample with several captions.
//
// A faulty sample (a row of the wrong length, no caption) stays in the set with
// a Fault. Errors are: a file or a folder that cannot be read, a table without
// the columns, a path that leads out of the set, and a set with no sample that
// has a caption or a label.
func Open(name string, o *Options) (*Set, error) {
	return open(anywhere{}, filepath.ToSlash(name), o)
}

// OpenFS is [Open] for a file or folder of fsys.
func OpenFS(fsys fs.FS, name string, o *Options) (*Set, error) {
	if fsys == nil {
		return nil, errors.New("dataset: open: the file system is nil")
	}
	return open(fsys, path.Clean(name), o)
}

// anywhere is the whole file system, under the paths that the system uses.
type anywhere struct{}

func (anywhere) Open(name string) (fs.File, error) { return os.Open(filepath.FromSlash(name)) }

// Stat does not open the file: on a pipe, that would wait for a writer.
func (anywhere) Stat(name string) (fs.FileInfo, error) { return os.Stat(filepath.FromSlash(name)) }

func isAbs(name string) bool { return path.IsAbs(name) || filepath.IsAbs(filepath.FromSlash(name)) }

func open(fsys fs.FS, name string, opts *Options) (*Set, error) {
	o, err := opts.ready()
	if err != nil {
		return nil, err
	}
	names, err := expandBraces(name)
	if err != nil {
		return nil, err
	}
	if len(names) > 1 {
		return openTars(fsys, name, names, o)
	}
	info, err := fs.Stat(fsys, name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("dataset: %w", err)
	case info.IsDir():
		return openFolder(fsys, name, o)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("dataset: %s: not a regular file but %s", name, info.Mode().Type())
	case isTar(name):
		return openTars(fsys, name, names, o)
	case isTable(name):
		return openTable(fsys, name, o)
	}
	return nil, fmt.Errorf("dataset: %s: cannot tell what kind of set this is, want a folder, .csv, .tsv, .jsonl, .tar, .tar.gz or .tgz", name)
}

func isTar(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

func openTable(fsys fs.FS, name string, o *Options) (*Set, error) {
	t := &tree{fsys: fsys, name: name, folder: path.Dir(name)}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	list, err := t.fromTable(f, path.Base(name), o)
	if err != nil {
		return nil, err
	}
	return newSet(name, list, nil, o)
}

func openFolder(fsys fs.FS, name string, o *Options) (*Set, error) {
	t, err := listFolder(fsys, name)
	if err != nil {
		return nil, err
	}
	var tars []string
	for _, f := range t.files {
		if isTar(f.path) && path.Dir(f.path) == "." {
			tars = append(tars, path.Join(name, f.path))
		}
	}
	if len(tars) > 0 && len(tars) == len(t.files) {
		return openTars(fsys, name, tars, o)
	}
	list, err := t.records(o)
	if err != nil {
		return nil, err
	}
	return newSet(name, list, nil, o)
}

// openTars indexes tars, or streams them where one is compressed.
func openTars(fsys fs.FS, name string, names []string, o *Options) (set *Set, err error) {
	var list []record
	var opened []io.Closer
	defer func() {
		if err != nil || set.close == nil {
			for _, c := range opened {
				c.Close()
			}
		}
	}()
	for _, tar := range names {
		if !isTar(tar) {
			return nil, fmt.Errorf("dataset: %s: only tars can be opened together", tar)
		}
		f, err := openRegular(fsys, tar)
		if err != nil {
			return nil, fmt.Errorf("dataset: %w", err)
		}
		opened = append(opened, f)
		archive, size, err := randomAccess(f)
		if err != nil {
			return nil, fmt.Errorf("dataset: %s: %w", tar, err)
		}
		if archive == nil || o.Stream {
			return openStream(fsys, name, names, o)
		}
		more, err := listTar(fsys, tar, archive, size).records(o)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return newSet(name, list, opened, o)
}

// openRegular refuses whatever else than a file a name is before it is opened: a
// pipe would wait for a writer.
func openRegular(fsys fs.FS, name string) (fs.File, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file but %s", name, info.Mode().Type())
	}
	return fsys.Open(name)
}

// randomAccess returns nil for a file that can only be read in order: a
// compressed one, or one of a file system that offers nothing else.
func randomAccess(f fs.File) (io.ReaderAt, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	r, ok := f.(io.ReaderAt)
	if !ok {
		return nil, 0, nil
	}
	magic := make([]byte, 2)
	if _, err := r.ReadAt(magic, 0); err != nil && err != io.EOF {
		return nil, 0, err
	}
	if bytes.Equal(magic, []byte(gzipMagic)) {
		return nil, 0, nil
	}
	return r, info.Size(), nil
}

const gzipMagic = "\x1f\x8b"

// newSet checks that there is something to learn from.
func newSet(name string, list []record, opened []io.Closer, o *Options) (*Set, error) {
	labels, usable := map[string]bool{}, false
	for _, r := range list {
		usable = usable || r.fault == nil
		if r.label != "" {
			labels[r.label] = true
		}
	}
	if !usable {
		return nil, fmt.Errorf("dataset: %s: %w", name, unusable(list))
	}
	list = slices.Clip(list)
	return &Set{
		Source:  NewIndexed(len(list), func(i int) Sample { return list[i].sample(o) }),
		classes: classNames(labels, o),
		close:   opened,
	}, nil
}

func unusable(list []record) error {
	if len(list) == 0 {
		return errors.New("the set is empty: no image was found")
	}
	first := list[0]
	return fmt.Errorf("none of %d samples can be used; the first (%s): %w", len(list), cmp.Or(first.key, "no key"), first.fault)
}

func classNames(labels map[string]bool, o *Options) []string {
	if len(o.Classes) > 0 {
		return slices.Clone(o.Classes)
	}
	seen, classes := map[string]bool{}, []string{}
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		if key := lists.Key(label, o.VerbatimLabels); !seen[key] {
			seen[key] = true
			classes = append(classes, label)
		}
	}
	return classes
}
