package embeddings

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/goclip/goclip/internal/npy"
)

// array is an array of a file, read from its beginning.
type array struct {
	npy.Header
	r     io.Reader
	close func() error
}

// matrix says that an array is one of vectors.
func (a *array) matrix() error {
	if len(a.Shape) != 2 || a.DType == "" {
		return fmt.Errorf("an array of shape %v, want rows of numbers", a.Shape)
	}
	return nil
}

// next reads the next row into v, which it makes where it is nil.
func (a *array) next(v []float32) ([]float32, error) {
	if v == nil {
		v = make([]float32, a.Shape[1])
	}
	return v, a.ReadFloats(a.r, v)
}

// openArray opens a .npy.
func openArray(path string) (*array, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	a := &array{r: bufio.NewReaderSize(f, 1<<18), close: f.Close}
	if a.Header, err = npy.ReadHeader(a.r, info.Size()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return a, nil
}

// openRegular opens no pipe, which would wait for a writer.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return os.Open(path)
}

func openNPY(path, name string) (source, error) {
	a, err := openArray(path)
	if err != nil {
		return source{}, err
	}
	defer a.close()
	if err := a.matrix(); err != nil {
		return source{}, err
	}
	return source{name: name, dim: a.Shape[1], n: a.Shape[0], each: func(yield func(Row) error) (err error) {
		a, err := openArray(path)
		if err != nil {
			return err
		}
		defer a.close()
		if err := a.matrix(); err != nil {
			return err
		}
		var row Row
		for range a.Shape[0] {
			if row.Image, err = a.next(row.Image); err != nil {
				return err
			}
			if err := yield(row); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

// beside adds to the vectors of clip-retrieval's folder those of the texts and the metadata.
func (r *Reader) beside(dir string) error {
	texts, err := list(dir, "text_emb", ".npy")
	if err != nil {
		return err
	}
	tables, open := []string(nil), opener(openPlainParquet)
	for _, ext := range []string{".parquet", ".jsonl"} {
		more, err := list(dir, "metadata", ext)
		if err != nil {
			return err
		}
		if len(more) > 0 {
			if len(tables) > 0 {
				return errors.New("metadata as Parquet and as JSON lines, want one of them")
			}
			if tables = more; ext == ".jsonl" {
				open = openPlainJSONLines
			}
		}
	}
	for what, files := range map[string][]string{"text_emb": texts, "metadata": tables} {
		if len(files) > 0 && len(files) != len(r.sources) {
			return fmt.Errorf("%d files in %s for %d in img_emb", len(files), what, len(r.sources))
		}
	}
	for i := range r.sources {
		s := &r.sources[i]
		if len(texts) > 0 {
			more, err := openNPY(filepath.Join(dir, texts[i]), texts[i])
			if err != nil {
				return fmt.Errorf("%s: %w", texts[i], err)
			}
			if more.n != s.n || more.dim != s.dim {
				return fmt.Errorf("%s has %d vectors of %d numbers, but %s %d of %d", texts[i], more.n, more.dim, s.name, s.n, s.dim)
			}
			*s = zipped(*s, more, func(to *Row, from Row) { to.Text = from.Image })
		}
		if len(tables) > 0 {
			more, err := open(filepath.Join(dir, tables[i]), tables[i])
			if err != nil {
				return fmt.Errorf("%s: %w", tables[i], err)
			}
			if more.n >= 0 && more.n != s.n {
				return fmt.Errorf("%s has %d rows, but %s %d vectors", tables[i], more.n, s.name, s.n)
			}
			*s = zipped(*s, more, func(to *Row, from Row) { to.Key, to.Caption = from.Key, from.Caption })
		}
	}
	return nil
}

// zipped joins two sources row by row.
func zipped(a, b source, join func(to *Row, from Row)) source {
	each := a.each
	a.each = func(yield func(Row) error) error {
		next, stop := pulled(b.each)
		defer stop()
		err := each(func(row Row) error {
			more, ok, err := next()
			if err == nil && !ok {
				err = errors.New("it has fewer rows")
			}
			if err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			join(&row, more)
			return yield(row)
		})
		if err != nil {
			return err
		}
		if _, ok, err := next(); ok || err != nil {
			return fmt.Errorf("%s: %w", b.name, errors.Join(err, errors.New("it has more rows")))
		}
		return nil
	}
	return a
}

func openNPZ(path, name string) (source, error) {
	s := source{name: name}
	err := withNPZ(path, func(image, text, keys, captions *array) error {
		s.dim, s.n = image.Shape[1], image.Shape[0]
		return nil
	})
	s.each = func(yield func(Row) error) error {
		return withNPZ(path, func(image, text, keys, captions *array) (err error) {
			var row Row
			for range image.Shape[0] {
				if row.Image, err = image.next(row.Image); err != nil {
					return err
				}
				if text != nil {
					if row.Text, err = text.next(row.Text); err != nil {
						return err
					}
				}
				for a, to := range map[*array]*string{keys: &row.Key, captions: &row.Caption} {
					if a == nil {
						continue
					}
					if *to, err = a.ReadText(a.r); err != nil {
						return err
					}
				}
				if err := yield(row); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return s, err
}

// withNPZ opens the arrays of a zip that have known names, or its only matrix.
func withNPZ(path string, use func(image, text, keys, captions *array) error) error {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return readNPZ(f, info.Size(), use)
}

func readNPZ(r io.ReaderAt, size int64, use func(image, text, keys, captions *array) error) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return err
	}
	found := map[string]*array{}
	var matrices, names []string
	for _, entry := range z.File {
		base, ok := strings.CutSuffix(entry.Name, ".npy")
		if !ok {
			continue
		}
		names = append(names, base)
		if entry.UncompressedSize64 > 1<<50 {
			return fmt.Errorf("%s: %d bytes", entry.Name, entry.UncompressedSize64)
		}
		in, err := entry.Open()
		if err != nil {
			return fmt.Errorf("%s: %w", entry.Name, err)
		}
		defer in.Close()
		a := &array{r: bufio.NewReaderSize(in, 1<<16)}
		if a.Header, err = npy.ReadHeader(a.r, int64(entry.UncompressedSize64)); err != nil {
			continue // another array, such as one of numbers of samples
		}
		found[base] = a
		if a.matrix() == nil {
			matrices = append(matrices, base)
		}
	}
	one := func(known []string) *array {
		for _, name := range known {
			if a := found[name]; a != nil {
				return a
			}
		}
		return nil
	}
	image, text := one(imageNames()), one(textNames())
	if image == nil && len(matrices) == 1 {
		image, text = found[matrices[0]], nil
	}
	if image == nil || image.matrix() != nil {
		return fmt.Errorf("arrays %q, want one of numbers called %s", names, strings.Join(imageNames(), ", "))
	}
	if text != nil && (text.matrix() != nil || text.Shape[0] != image.Shape[0] || text.Shape[1] != image.Shape[1]) {
		return fmt.Errorf("embeddings of texts of shape %v beside those of images of %v", text.Shape, image.Shape)
	}
	var plain [2]*array
	for i, known := range [][]string{keyNames(), captionNames()} {
		if a := one(known); a != nil && a.DType == "" {
			if len(a.Shape) != 1 || a.Shape[0] != image.Shape[0] {
				return fmt.Errorf("names or captions of shape %v for %d embeddings", a.Shape, image.Shape[0])
			}
			plain[i] = a
		}
	}
	return use(image, text, plain[0], plain[1])
}
