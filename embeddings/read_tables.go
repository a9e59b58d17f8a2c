package embeddings

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/goclip/goclip/dataset/parquet"
)

// What programs call the columns, the commonest first.
func imageNames() []string {
	return []string{"img_emb", "embedding", "image_embedding", "image_embeddings", "embeddings", "image_embeds", "image_features", "emb", "vector", "vectors"}
}

func textNames() []string {
	return []string{"text_emb", "text_embedding", "text_embeddings", "text_embeds", "text_features", "caption_embedding"}
}

func keyNames() []string {
	return []string{"image_path", "key", "file_name", "filename", "filepath", "path", "id", "url", "name"}
}

func captionNames() []string { return []string{"caption", "text", "title", "description"} }

// choose returns the first known name that is there, or "".
func choose(there, known []string) string {
	for _, name := range known {
		if slices.Contains(there, name) {
			return name
		}
	}
	return ""
}

// vectorColumns are the lists with embeddings of images and of texts.
func vectorColumns(lists []string) (image, text string, err error) {
	image, text = choose(lists, imageNames()), choose(lists, textNames())
	if image == "" && len(lists) == 1 {
		return lists[0], "", nil
	}
	if image == "" {
		return "", "", fmt.Errorf("lists of numbers %q, want one called %s", lists, strings.Join(imageNames(), ", "))
	}
	return image, text, nil
}

const (
	maxText = 1 << 20  // bytes of a text of a table
	maxLine = 64 << 20 // bytes of a line of JSON
)

// withVectors opens a Parquet file.
func withVectors(path string, use func(*parquet.Vectors) error) error {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	v, err := parquet.OpenVectors(f, info.Size(), maxText)
	if err != nil {
		return err
	}
	return use(v)
}

func openParquet(path, name string) (source, error) { return tableSource(path, name, true) }

// openPlainParquet is for metadata alone.
func openPlainParquet(path, name string) (source, error) { return tableSource(path, name, false) }

func tableSource(path, name string, vectors bool) (source, error) {
	s := source{name: name}
	var plain, lists []string
	at := map[string]int{}
	err := withVectors(path, func(v *parquet.Vectors) error {
		there, numbers := v.Columns()
		s.n = v.NumRows()
		for what, column := range map[string]string{"key": choose(there, keyNames()), "caption": choose(there, captionNames())} {
			if column != "" {
				at[what] = len(plain)
				plain = append(plain, column)
			}
		}
		if !vectors {
			return nil
		}
		image, text, err := vectorColumns(numbers)
		if err != nil {
			return err
		}
		if lists = []string{image}; text != "" {
			lists = append(lists, text)
		}
		err = v.Rows(nil, lists[:1], func(_ []string, vectors [][]float32) error {
			if s.dim = len(vectors[0]); s.dim > 0 {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			return err
		}
		return nil
	})
	s.each = func(yield func(Row) error) error {
		return withVectors(path, func(v *parquet.Vectors) error {
			return v.Rows(plain, lists, func(texts []string, vectors [][]float32) error {
				var row Row
				if i, ok := at["key"]; ok {
					row.Key = texts[i]
				}
				if i, ok := at["caption"]; ok {
					row.Caption = texts[i]
				}
				if len(vectors) > 0 {
					row.take(vectors[0], s.dim)
				}
				if len(vectors) > 1 && len(vectors[1]) == s.dim {
					row.Text = vectors[1]
				}
				return yield(row)
			})
		})
	}
	return s, err
}

// errStop ends a loop.
var errStop = errors.New("enough")

// take takes a vector of the right size.
func (r *Row) take(v []float32, dim int) {
	switch {
	case len(v) == dim:
		r.Image = v
	case len(v) > 0:
		r.Fault = fmt.Errorf("a vector of %d numbers, want %d", len(v), dim)
	}
}

// record is a line of JSON.
type record map[string]json.RawMessage

// jsonLines yields the objects of a file.
func jsonLines(path string, yield func(record) error) error {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return eachLine(f, yield)
}

func eachLine(f io.Reader, yield func(record) error) error {
	in := bufio.NewScanner(f)
	in.Buffer(nil, maxLine)
	for n := 1; in.Scan(); n++ {
		text := bytes.TrimPrefix(bytes.TrimSpace(in.Bytes()), []byte("\ufeff"))
		if len(text) == 0 {
			continue
		}
		var one record
		if err := json.Unmarshal(text, &one); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := yield(one); err != nil {
			return err
		}
	}
	return in.Err()
}

// text is a field's text, or its number as it is written.
func (r record) text(name string) string {
	var text string
	if raw := r[name]; json.Unmarshal(raw, &text) != nil {
		return string(raw)
	}
	return text
}

func (r record) names() []string {
	var names []string
	for name := range r {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// lists are the fields that hold lists of numbers.
func (r record) lists() (names []string, vectors map[string][]float32) {
	vectors = map[string][]float32{}
	for _, name := range r.names() {
		var v []float32
		if len(r[name]) > 0 && r[name][0] == '[' && json.Unmarshal(r[name], &v) == nil && len(v) > 0 {
			names, vectors[name] = append(names, name), v
		}
	}
	return names, vectors
}

func openJSONLines(path, name string) (source, error) {
	s := source{name: name, n: -1}
	var image, text, key, caption string
	err := jsonLines(path, func(one record) (err error) {
		lists, vectors := one.lists()
		if len(lists) == 0 {
			return fmt.Errorf("fields %q, of which none is a list of numbers", one.names())
		}
		if image, text, err = vectorColumns(lists); err != nil {
			return err
		}
		s.dim, key, caption = len(vectors[image]), choose(one.names(), keyNames()), choose(one.names(), captionNames())
		return errStop
	})
	switch {
	case err == nil:
		return s, io.ErrUnexpectedEOF
	case !errors.Is(err, errStop):
		return s, err
	}
	s.each = func(yield func(Row) error) error {
		return jsonLines(path, func(one record) error {
			_, vectors := one.lists()
			row := Row{Key: one.text(key), Caption: one.text(caption)}
			row.take(vectors[image], s.dim)
			if t := vectors[text]; len(t) == s.dim {
				row.Text = t
			}
			return yield(row)
		})
	}
	return s, nil
}

// openPlainJSONLines is for metadata alone.
func openPlainJSONLines(path, name string) (source, error) {
	_, err := os.Stat(path)
	return source{name: name, n: -1, each: func(yield func(Row) error) error {
		return jsonLines(path, func(one record) error {
			there := one.names()
			return yield(Row{Key: one.text(choose(there, keyNames())), Caption: one.text(choose(there, captionNames()))})
		})
	}}, err
}

// pulled turns a loop round: next gives its rows one by one.
func pulled(each func(yield func(Row) error) error) (next func() (Row, bool, error), stop func()) {
	pull, stop := iter.Pull2(func(yield func(Row, error) bool) {
		err := each(func(row Row) error {
			if !yield(row, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Row{}, err)
		}
	})
	return func() (Row, bool, error) {
		row, err, ok := pull()
		return row, ok && err == nil, err
	}, stop
}
