package embeddings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/dataset/parquet"
)

// Row is an image's embedding, with the names that its file has for it.
type Row struct {
	File    string // that it is from, within the folder
	Number  int    // in that file
	Key     string // image_path, key, id or url; "" where the file has none
	Caption string

	// Image and Text are scaled to length one, whatever the file holds; Text is nil without
	// embeddings of captions. They are used again for the next row.
	Image, Text []float32

	// Fault says why a row has no embedding: a number that is not finite, or only zeros.
	Fault error
}

// Reader reads embeddings that clip-retrieval, other programs or [Writer] wrote: a folder in one
// of the formats, one of their files, or a folder of .npy, as autofaiss takes. Its methods may
// be called from several goroutines.
type Reader struct {
	path     string
	settings *settings // of a folder that a Writer wrote
	sources  []source
	dim, n   int
}

// source is one file, or several that belong together row by row.
type source struct {
	name   string
	dim, n int // n is −1 where it is not known
	each   func(yield func(Row) error) error
}

// opener makes a source of a file, called name within the folder.
type opener func(path, name string) (source, error)

func openers() map[string]opener {
	return map[string]opener{".npy": openNPY, ".npz": openNPZ, ".parquet": openParquet, ".jsonl": openJSONLines}
}

// Is tells whether a path is one that [Open] is for, and not a set of images: .npy and .npz
// files, Parquet and JSON lines with lists of numbers that are called as embeddings are
// (and no images inside), folders of these alone, and those with an img_emb folder as
// clip-retrieval has it.
func Is(path string) bool {
	files, open, err := find(path)
	if err != nil || len(files) == 0 || open == nil {
		return false
	}
	first := filepath.Join(path, files[0])
	if filepath.Dir(files[0]) != "img_emb" && files[0] != "" && !alone(path) {
		return false
	}
	switch extension(first) {
	case ".parquet":
		return errors.Is(withVectors(first, func(v *parquet.Vectors) error {
			if _, lists := v.Columns(); choose(lists, imageNames()) != "" && !v.HasImages() {
				return errStop
			}
			return nil
		}), errStop)
	case ".jsonl":
		known := false
		err := jsonLines(first, func(one record) error {
			lists, _ := one.lists()
			known = choose(lists, imageNames()) != ""
			return errStop
		})
		return known && errors.Is(err, errStop)
	}
	return true
}

// alone tells whether a folder has no images, nor folders in which some could be.
func alone(dir string) bool {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || e.IsDir() && slices.Contains([]string{receiptFolder, "failures", "metadata", "stats"}, name) {
			continue
		}
		if _, ours := openers()[extension(name)]; !ours && !slices.Contains([]string{".json", ".txt", ".md", ""}, extension(name)) || e.IsDir() {
			return false
		}
	}
	return err == nil
}

func extension(name string) string { return strings.ToLower(filepath.Ext(name)) }

// find lists the files with embeddings below a path, which is "" for the path itself.
func find(path string) (files []string, open opener, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.Mode().IsRegular() {
		return []string{""}, openers()[extension(path)], nil
	}
	if files, err = list(path, "img_emb", ".npy"); len(files) > 0 || err != nil {
		return files, openNPY, err
	}
	kinds := map[string][]string{}
	var names []string
	for ext := range openers() {
		if kinds[ext], err = list(path, "", ext); err != nil {
			return nil, nil, err
		}
		if len(kinds[ext]) > 0 {
			names = append(names, ext)
		}
	}
	slices.Sort(names)
	switch len(names) {
	case 0:
		return nil, nil, nil
	case 1:
		return kinds[names[0]], openers()[names[0]], nil
	}
	return nil, nil, fmt.Errorf("there are files of several kinds, %s: name one file, or a folder of one kind", strings.Join(names, " and "))
}

// list is the files of an extension in a folder below dir, sorted; none where there is no
// such folder.
func list(dir, below, ext string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, below))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var files []string
	for _, e := range entries {
		if extension(e.Name()) == ext && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(below, e.Name()))
		}
	}
	return files, err
}

// Open looks at all files, and reads their headers. Files whose rows belong together and are
// not as many, or whose vectors differ in size, are errors.
func Open(path string) (*Reader, error) {
	r := &Reader{path: path}
	files, open, err := find(path)
	if err != nil {
		return nil, fmt.Errorf("embeddings: %s: %w", path, err)
	}
	if open == nil {
		return nil, fmt.Errorf("embeddings: %s: no embeddings: want .npy, .npz, Parquet or JSON lines, or a folder of them", path)
	}
	if r.settings, err = readSettings(path); err != nil && filepath.Join(path, files[0]) != path {
		return nil, err
	}
	for _, name := range files {
		s, err := open(filepath.Join(path, name), filepath.ToSlash(name))
		if err != nil {
			return nil, fmt.Errorf("embeddings: %s: %w", filepath.Join(path, name), err)
		}
		r.sources = append(r.sources, s)
	}
	if filepath.Dir(files[0]) == "img_emb" {
		if err := r.beside(path); err != nil {
			return nil, fmt.Errorf("embeddings: %s: %w", path, err)
		}
	}
	for _, s := range r.sources {
		if r.dim == 0 {
			r.dim = s.dim
		}
		if s.dim != r.dim {
			return nil, fmt.Errorf("embeddings: %s: vectors of %d numbers, but in %s of %d", filepath.Join(path, s.name), s.dim, r.sources[0].name, r.dim)
		}
		if r.n >= 0 {
			r.n += s.n
		}
		if s.n < 0 {
			r.n = -1
		}
	}
	if r.dim < 1 || r.dim > maxDim {
		return nil, fmt.Errorf("embeddings: %s: vectors of %d numbers, want 1 to %d", path, r.dim, maxDim)
	}
	if s := r.settings; s != nil && s.Dim != r.dim {
		return nil, fmt.Errorf("embeddings: %s: vectors of %d numbers, but %s says %d", path, r.dim, settingsName, s.Dim)
	}
	return r, nil
}

// maxDim bounds the numbers of a vector.
const maxDim = 1 << 20

// Len is how many rows there are, or −1 where that is not known without reading them.
func (r *Reader) Len() int {
	if r == nil {
		return 0
	}
	return r.n
}

// Dim is the size of the vectors.
func (r *Reader) Dim() int {
	if r == nil {
		return 0
	}
	return r.dim
}

// Model is the Fingerprint of the model, "" where the files do not say it, as no other
// program's do.
func (r *Reader) Model() string {
	if r == nil || r.settings == nil {
		return ""
	}
	return r.settings.Model
}

// Each calls yield for every row, in the order of the files' names.
func (r *Reader) Each(ctx context.Context, yield func(Row) error) error {
	if r == nil {
		return nil
	}
	if yield == nil && len(r.sources) > 0 {
		return errors.New("embeddings: yield is nil")
	}
	for _, s := range r.sources {
		n := 0
		err := s.each(func(row Row) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			row.File, row.Number = s.name, n
			n++
			for _, v := range [][]float32{row.Image, row.Text} {
				if v != nil && row.Fault == nil {
					row.Fault = scale(v)
				}
			}
			if row.Image == nil && row.Fault == nil {
				row.Fault = errors.New("there is no vector")
			}
			return yield(row)
		})
		if err != nil {
			return fmt.Errorf("embeddings: %s: %w", filepath.Join(r.path, s.name), err)
		}
	}
	return nil
}

// scale gives a vector the length one.
func scale(v []float32) error {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return errors.New("the vector has a number that is not finite")
	case sum == 0:
		return errors.New("the vector has no length: all its numbers are 0")
	}
	by := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * by)
	}
	return nil
}
