// Package parquet reads Parquet files for package dataset: tables with the images
// inside, as Hugging Face's datasets and img2dataset write them, and tables that name
// images. It brings a library, which programs without it need not compile.
//
//	set, err := dataset.Open("train.parquet", &dataset.Options{Formats: []dataset.Format{parquet.Format{}}})
package parquet

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/guard"
)

// Format is that of files called .parquet.
type Format struct{}

// Extension implements [dataset.Format].
func (Format) Extension() string { return ".parquet" }

// OpenTable implements [dataset.Format].
func (Format) OpenTable(r io.ReaderAt, size, limit int64) (dataset.Table, error) {
	if err := footer(r, size); err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	t := &table{r: r, size: size, limit: limit, texts: max(64<<20, 32*size)}
	err := guard.Call(func() (err error) { // a damaged file makes the library panic
		if err := index(r, size); err != nil {
			return err
		}
		if t.file, err = parquet.OpenFile(r, size, parquet.SkipBloomFilters(true)); err != nil {
			return err
		}
		if n := t.file.NumRows(); n < 0 || n > size || n > math.MaxInt32 {
			return fmt.Errorf("%d rows in a file of %d bytes", n, size)
		}
		labels := map[string][]string{}
		if text, ok := t.file.Lookup("huggingface"); ok {
			labels = dataset.FeatureLabels([]byte(text))
		}
		for _, c := range t.file.Root().Columns() {
			t.add(c, labels[c.Name()])
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("parquet: %w", firstLine(err))
	}
	return t, nil
}

// firstLine leaves the stack of a panic out.
func firstLine(err error) error {
	line, _, more := strings.Cut(err.Error(), "\n")
	if !more {
		return err
	}
	return errors.New(line)
}

type table struct {
	r       io.ReaderAt
	size    int64
	mu      sync.Mutex
	checked map[[2]int]error // columns of groups, see check

	file    *parquet.File
	columns []dataset.Column
	leaves  map[string]int // the number of the column with the values
	limit   int64
	texts   int64 // bytes of all texts of a column in one group
}

// add takes a field in: one with values, the list of one, or an image.
func (t *table) add(c *parquet.Column, labels []string) {
	if t.leaves == nil {
		t.leaves = map[string]int{}
	}
	out := dataset.Column{Name: c.Name(), Labels: labels}
	switch leaf := single(c); {
	case leaf != nil:
		t.leaves[c.Name()] = int(leaf.Index())
		kind := leaf.Type()
		out.Image = leaf == c && kind.Kind() == parquet.ByteArray && kind.LogicalType() == nil && kind.ConvertedType() == nil
	case c.Column("bytes") != nil && c.Column("bytes").Leaf():
		out.Image = true
		t.leaves[c.Name()] = int(c.Column("bytes").Index())
		if p := c.Column("path"); p != nil && p.Leaf() {
			out.Path = c.Name() + ".path"
			t.leaves[out.Path] = int(p.Index())
		}
	default:
		return
	}
	t.columns = append(t.columns, out)
}

// single is the one column with values below a field; nil where there are several.
func single(c *parquet.Column) *parquet.Column {
	for !c.Leaf() {
		below := c.Columns()
		if len(below) != 1 {
			return nil
		}
		c = below[0]
	}
	return c
}

// Columns implements [dataset.Table].
func (t *table) Columns() []dataset.Column { return slices.Clone(t.columns) }

// Rows implements [dataset.Table].
func (t *table) Rows() int { return int(t.file.NumRows()) }

// Cells implements [dataset.Table].
func (t *table) Cells(columns []string, yield func(int, [][]string) error) error {
	first := 0
	cells := make([][]string, len(columns))
	for g, group := range t.file.RowGroups() {
		n := int(group.NumRows())
		values := make([][][]string, len(columns))
		for i, name := range columns {
			leaf, ok := t.leaves[name]
			if !ok {
				continue
			}
			err := guard.Call(func() (err error) {
				if err := t.check(g, leaf); err != nil {
					return err
				}
				values[i], err = t.read(group.ColumnChunks()[leaf], n)
				return err
			})
			if err != nil {
				return fmt.Errorf("parquet: column %q: %w", name, firstLine(err))
			}
		}
		for row := range n {
			for i := range columns {
				cells[i] = nil
				if row < len(values[i]) {
					cells[i] = values[i][row]
				}
			}
			if err := yield(first+row, cells); err != nil {
				return err
			}
		}
		first += n
	}
	return nil
}

// read returns the texts of a column in a group of n rows.
func (t *table) read(chunk parquet.ColumnChunk, n int) ([][]string, error) {
	pages := chunk.Pages()
	defer pages.Close()
	var rows [][]string
	left := t.texts
	values := make([]parquet.Value, 256)
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		if err := sound(page); err != nil {
			return nil, err
		}
		reader := page.Values()
		for {
			k, err := reader.ReadValues(values)
			for _, v := range values[:k] {
				if v.RepetitionLevel() == 0 {
					if rows = append(rows, nil); len(rows) > n {
						return nil, fmt.Errorf("more than the %d rows of its group", n)
					}
				}
				if v.IsNull() || len(rows) == 0 {
					continue
				}
				text := textOf(v)
				if int64(len(text)) > t.limit {
					return nil, fmt.Errorf("a text of %d bytes, more than the limit of %d", len(text), t.limit)
				}
				if left -= int64(len(text)); left < 0 {
					return nil, fmt.Errorf("more than %d bytes of text in one group of rows", t.texts)
				}
				rows[len(rows)-1] = append(rows[len(rows)-1], text)
			}
			if err == io.EOF {
				break
			}
			if err == nil && k == 0 {
				err = errors.New("a page that never ends")
			}
			if err != nil {
				return nil, err
			}
		}
		parquet.Release(page)
	}
}

func textOf(v parquet.Value) string {
	switch v.Kind() {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return string(v.ByteArray())
	case parquet.Int32:
		return strconv.Itoa(int(v.Int32()))
	case parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	case parquet.Float:
		return strconv.FormatFloat(float64(v.Float()), 'g', -1, 32)
	case parquet.Double:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	case parquet.Boolean:
		if v.Boolean() {
			return "1"
		}
		return "0"
	}
	return ""
}

// Image implements [dataset.Table].
func (t *table) Image(column string, row int) (data []byte, err error) {
	leaf, ok := t.leaves[column]
	if !ok || row < 0 {
		return nil, fmt.Errorf("parquet: no row %d of a column %q", row, column)
	}
	for g, group := range t.file.RowGroups() {
		n := int(group.NumRows())
		if row >= n {
			row -= n
			continue
		}
		err := guard.Call(func() (err error) {
			if err := t.check(g, leaf); err != nil {
				return err
			}
			data, err = t.value(group.ColumnChunks()[leaf], row)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("parquet: column %q: %w", column, firstLine(err))
		}
		return data, nil
	}
	return nil, fmt.Errorf("parquet: row %d is beyond the last", row)
}

// value reads the bytes of one row.
func (t *table) value(chunk parquet.ColumnChunk, row int) ([]byte, error) {
	pages := chunk.Pages()
	defer pages.Close()
	if err := pages.SeekToRow(int64(row)); err != nil {
		return nil, err
	}
	page, err := pages.ReadPage()
	if err != nil {
		return nil, err
	}
	defer parquet.Release(page)
	if err := sound(page); err != nil {
		return nil, err
	}
	values := make([]parquet.Value, 1)
	if n, err := page.Values().ReadValues(values); n == 0 {
		return nil, err
	}
	if values[0].IsNull() {
		return nil, nil
	}
	if k := values[0].Kind(); k != parquet.ByteArray && k != parquet.FixedLenByteArray {
		return nil, fmt.Errorf("it holds values of type %v, want bytes", k)
	}
	data := values[0].ByteArray()
	if int64(len(data)) > t.limit {
		return nil, fmt.Errorf("%d bytes, more than the limit of %d", len(data), t.limit)
	}
	return slices.Clone(data), nil
}
