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
	seen    Seen
	notes   []Bad
}

// Seen tells what the set was taken for, and what was left alone.
func (s *Set) Seen() Seen {
	if s == nil {
		return Seen{}
	}
	return s.seen
}

// Notes are what was found out while the set was opened that is worth a line in a
// ledger and is no sample: files that are in a tar twice, downloads that failed.
// [Batches] adds them to its ledger.
func (s *Set) Notes() []Bad {
	if s == nil {
		return nil
	}
	return slices.Clone(s.notes)
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

// Open opens a set: a folder, a table, one tar or several, as train-{000..012}.tar.
// How the files belong together is found out from all of them, as [Shape] lists it, and
// told by [Set.Seen]. A file that says something of most of the images decides; one
// that speaks of none is left alone. Where there are two readings, the error names
// both, and Options.Shape chooses.
//
//   - Images alone, which have no captions.
//   - Folders of classes. The topmost folder is the class; folders of splits, such as
//     train and test, and those that hold the whole set stand above it.
//   - 1.jpg beside 1.txt, 1.caption, 1.json or 1.cls, in folders and in WebDataset's
//     tars. A text has one caption a line.
//   - images/1.jpg and captions/1.txt.
//   - Tables: CSV with commas, tabs, semicolons or bars, JSON lines, Flickr's token
//     files, the JSON of COCO's captions and of Karpathy's splits. Images are named
//     relative to the table or to the set, by the end of their path, or by their
//     names without extension.
//   - With Options.Formats: Parquet and Arrow.
//
// Tables, folders and plain tars are indexed, so the whole set can be shuffled;
// images are read when they are decoded. Rows that name the same image, however it is
// spelt, give one sample with several captions.
//
// Thumbnails, recycle bins and what else systems keep for themselves are left out, and
// so are links that lead out of the set.
//
// A faulty sample (a row of the wrong length) stays in the set with a Fault; one
// without caption and label has none. Errors are: a file or a folder that cannot be
// read, a table without the columns, a path that leads out of the set, and a set with
// no sample that can be used.
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
	if err != nil && names[0] != name { // {0..0}
		name = names[0]
		info, err = fs.Stat(fsys, name)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("dataset: %w", err)
	case info.IsDir():
		return openFolder(fsys, name, o)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("dataset: %s: not a regular file but %s", name, info.Mode().Type())
	case isTar(name):
		return openTars(fsys, name, names, o)
	case isTable(name) || slices.Contains([]string{"txt", "json", "token"}, extension(name)):
		return openTable(fsys, name, o)
	case isContainer(name):
		return openContainers(fsys, name, o)
	}
	return nil, fmt.Errorf("dataset: %s: cannot tell what kind of set this is, want a folder, .csv, .tsv, .jsonl, .json, .token, .tar, .tar.gz or .tgz", name)
}

func isTar(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

func openTable(fsys fs.FS, name string, o *Options) (*Set, error) {
	t := &tree{fsys: fsys, name: name, folder: path.Dir(name)}
	f, err := openRegular(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	at := file{path: path.Base(name)}
	if path.Base(t.folder) == "annotations" && isCOCO(name) { // its images are beside the folder
		at.path, t.folder = "annotations/"+at.path, path.Dir(t.folder)
	}
	table, err := t.fromTable(f, at, o, true)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", name, err)
	}
	seen := Seen{Shape: Tables}
	if table.missing > 0 {
		seen.Notes = append(seen.Notes, fmt.Sprintf("%s not there, as %s", count(table.missing, "image is", "images are"), Printable(table.lacking)))
	}
	return newSet(t, table.list, seen, o)
}

func isCOCO(name string) bool { return extension(name) == "json" }

func openContainers(fsys fs.FS, name string, o *Options) (*Set, error) {
	t, err := listFolder(fsys, path.Dir(name), o)
	if err != nil {
		return nil, err
	}
	t.name = name
	e := t.evidence(o)
	e.others = []file{{path: path.Base(name)}}
	if e.format(name) == nil {
		return nil, fmt.Errorf("dataset: %s: no format of Options.Formats reads this", name)
	}
	claims, err := containerClaims(e)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if len(claims) == 0 {
		return nil, fmt.Errorf("dataset: %s: no image is in it or named (%s): %s", name, strings.Join(o.imageKeys(), ", "), strings.Join(e.remarks, "; "))
	}
	return e.set(claims[0])
}

func openFolder(fsys fs.FS, name string, o *Options) (*Set, error) {
	t, err := listFolder(fsys, name, o)
	if err != nil {
		return nil, err
	}
	if tars, err := t.shards(o); err != nil {
		return nil, err
	} else if tars != nil {
		return openShards(fsys, name, t, tars, o)
	}
	return t.set(o)
}

// set makes a set of the files of a tree.
func (t *tree) set(o *Options) (*Set, error) {
	e := t.evidence(o)
	claims, err := e.claims()
	if err != nil {
		return nil, err
	}
	if len(e.files) == 0 && len(t.faults) > 0 {
		return newSet(t, nil, Seen{}, o)
	}
	best, err := e.choose(claims)
	if err != nil {
		if len(t.faults) > 0 && len(claims) == 0 {
			return newSet(t, nil, Seen{}, o)
		}
		return nil, err
	}
	return e.set(best)
}

// set reads what a claim is about.
func (e *evidence) set(c claim) (*Set, error) {
	list, err := c.read()
	if err != nil {
		return nil, err
	}
	return newSet(e.tree, list, e.seen(c), e.o)
}

// seen says what a claim uses and what it leaves alone.
func (e *evidence) seen(c claim) Seen {
	s := Seen{Shape: c.shape, LeftOut: e.left, Notes: append(slices.Clone(e.remarks), c.also...)}
	if c.stated || c.shape == ClassFolders {
		s.Why = c.why
	}
	for _, f := range e.others {
		if c.used[f.path] || path.Base(f.path) == "classnames.txt" && (c.shape == Pairs || c.shape == Shards) {
			continue
		}
		if s.AloneCount++; len(s.Alone) < maxAlone {
			s.Alone = append(s.Alone, f.path)
		}
	}
	return s
}

// openTars indexes tars, or streams them where one is compressed.
func openTars(fsys fs.FS, name string, names []string, o *Options) (set *Set, err error) {
	t := &tree{fsys: fsys, name: name, inTar: true, listed: true}
	defer func() {
		if err != nil || set.close == nil {
			for _, c := range t.opened {
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
		t.opened = append(t.opened, f)
		archive_, size, err := randomAccess(f)
		if err != nil {
			return nil, fmt.Errorf("dataset: %s: %w", tar, err)
		}
		if archive_ == nil || o.Stream {
			return openStream(fsys, name, names, o)
		}
		t.listTar(&archive{tar, archive_}, size, o)
	}
	t.beside = classNamesBeside(fsys, names[0])
	return t.set(o)
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
func newSet(t *tree, list []record, seen Seen, o *Options) (*Set, error) {
	list = append(list, t.faults...)
	labels, classes, usable := map[string]bool{}, map[string]bool{}, false
	apart(list)
	for _, r := range list {
		usable = usable || r.fault == nil
		seen.add(r.captions, r.label, r.fault)
		if r.label != "" {
			labels[r.label] = true
			classes[lists.Key(r.label, o.VerbatimLabels)] = true
		}
	}
	if !usable {
		return nil, errors.Join(fmt.Errorf("dataset: %s: %w", t.name, unusable(list)), closeAll(t.opened))
	}
	list = slices.Clip(list)
	seen.Classes = len(classes)
	if len(t.notes) > 0 {
		seen.Notes = append(seen.Notes, fmt.Sprintf("%s, as the first: %s", count(len(t.notes), "note for the ledger", "notes for the ledger"), t.notes[0]))
	}
	return &Set{
		Source:  NewIndexed(len(list), func(i int) Sample { return list[i].sample(o) }),
		classes: classNames(labels, o),
		close:   t.opened, seen: seen, notes: t.notes,
	}, nil
}

func closeAll(list []io.Closer) error {
	var errs []error
	for _, c := range list {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// add counts one sample.
func (s *Seen) add(captions []string, label string, fault error) {
	s.Samples++
	s.Captions += len(captions)
	switch {
	case fault != nil:
		s.Faulty++
		return
	case len(captions) > 0:
		s.Captioned++
	}
	if label != "" {
		s.Labelled++
	}
}

// apart gives samples of several tars that have one key keys of their own: the first
// keeps its key, the others have their tar's name before it.
func apart(list []record) {
	first := map[string]*archive{}
	for i := range list {
		r := &list[i]
		if r.file.tar == nil {
			continue
		}
		if tar, known := first[r.key]; known && tar != r.file.tar {
			r.key = strings.TrimSuffix(path.Base(r.file.tar.name), path.Ext(r.file.tar.name)) + "/" + r.key
		} else if !known {
			first[r.key] = r.file.tar
		}
	}
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
