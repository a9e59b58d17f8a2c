package parquet

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/internal/tensorfile"
)

// Vectors is a table some of whose columns are lists of numbers, such as embeddings.
type Vectors struct {
	table *table
	lists map[string]bool
}

// maxVector bounds the numbers of one list.
const maxVector = 1 << 20

// OpenVectors is OpenTable of [Format] for a file of embeddings.
func OpenVectors(r io.ReaderAt, size, limit int64) (*Vectors, error) {
	t, err := Format{}.OpenTable(r, size, limit)
	if err != nil {
		return nil, err
	}
	v := &Vectors{table: t.(*table), lists: map[string]bool{}}
	for _, c := range v.table.file.Root().Columns() {
		leaf := single(c)
		if leaf != nil && leaf != c && leaf.MaxRepetitionLevel() == 1 && isNumber(leaf.Type()) {
			v.lists[c.Name()] = true
		}
	}
	return v, nil
}

func isNumber(t parquet.Type) bool {
	switch t.Kind() {
	case parquet.Float, parquet.Double:
		return true
	case parquet.FixedLenByteArray: // Float16
		return t.Length() == 2
	}
	return false
}

// Columns are the names of the columns with texts or numbers, and of those with lists of
// numbers.
func (v *Vectors) Columns() (plain, lists []string) {
	for _, c := range v.table.columns {
		if v.lists[c.Name] {
			lists = append(lists, c.Name)
		} else if !c.Image {
			plain = append(plain, c.Name)
		}
	}
	return plain, lists
}

// HasImages tells whether a column holds encoded images.
func (v *Vectors) HasImages() bool {
	return slices.ContainsFunc(v.table.columns, func(c dataset.Column) bool { return c.Image })
}

// NumRows is how many rows there are.
func (v *Vectors) NumRows() int { return v.table.Rows() }

// Rows calls yield for each row with the texts of some plain columns, "" for null, and the
// numbers of some lists, none for null. Numbers in plain columns are written as decimals.
// A page of each column is in memory. The slices are used again.
func (v *Vectors) Rows(plain, lists []string, yield func(texts []string, vectors [][]float32) error) error {
	return guard.Call(func() error { return v.rows(plain, lists, yield) })
}

func (v *Vectors) rows(plain, lists []string, yield func([]string, [][]float32) error) error {
	texts, vectors := make([]string, len(plain)), make([][]float32, len(lists))
	for g, group := range v.table.file.RowGroups() {
		columns := make([]*cursor, 0, len(plain)+len(lists))
		for _, name := range slices.Concat(plain, lists) {
			leaf, ok := v.table.leaves[name]
			if !ok {
				return fmt.Errorf("parquet: no column %q", name)
			}
			if err := v.table.check(g, leaf); err != nil {
				return fmt.Errorf("parquet: column %q: %w", name, err)
			}
			c := &cursor{name: name, pages: group.ColumnChunks()[leaf].Pages()}
			defer c.close()
			columns = append(columns, c)
		}
		for range group.NumRows() {
			for i, c := range columns {
				row, err := c.next()
				if err != nil {
					return fmt.Errorf("parquet: column %q: %w", c.name, err)
				}
				if i < len(plain) {
					if texts[i] = ""; !row[0].IsNull() {
						texts[i] = textOf(row[0])
					}
					if int64(len(texts[i])) > v.table.limit {
						return fmt.Errorf("parquet: column %q: a text of %d bytes, more than the limit of %d", c.name, len(texts[i]), v.table.limit)
					}
					continue
				}
				vectors[i-len(plain)] = numbers(vectors[i-len(plain)][:0], row)
			}
			if err := yield(texts, vectors); err != nil {
				return err
			}
		}
		for _, c := range columns {
			c.close()
		}
	}
	return nil
}

// numbers adds those of a list to v.
func numbers(v []float32, row []parquet.Value) []float32 {
	for _, x := range row {
		switch x.Kind() {
		case parquet.Float:
			v = append(v, x.Float())
		case parquet.Double:
			v = append(v, float32(x.Double()))
		case parquet.FixedLenByteArray:
			b := x.ByteArray()
			v = append(v, tensorfile.Float16(uint16(b[0])|uint16(b[1])<<8))
		case ^parquet.Kind(0): // null, which is the whole list or one of its numbers
			if len(row) > 1 {
				v = append(v, float32(math.NaN()))
			}
		}
	}
	return v
}

// cursor goes through a column of a group row by row.
type cursor struct {
	name   string
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    [256]parquet.Value
	held   []parquet.Value // of buf, not yet given
	row    []parquet.Value
}

func (c *cursor) close() {
	c.release()
	if c.pages != nil {
		c.pages.Close()
		c.pages = nil
	}
}

func (c *cursor) release() {
	if c.page != nil {
		parquet.Release(c.page)
		c.page, c.values = nil, nil
	}
}

// next returns the values of the next row, which are used until it is called again.
func (c *cursor) next() ([]parquet.Value, error) {
	c.row = c.row[:0]
	for {
		if len(c.held) == 0 {
			err := c.fill()
			if err == io.EOF && len(c.row) > 0 {
				return c.row, nil
			}
			if err == io.EOF {
				return nil, errors.New("fewer values than its group has rows")
			}
			if err != nil {
				return nil, err
			}
		}
		for i, v := range c.held {
			if v.RepetitionLevel() == 0 && len(c.row) > 0 {
				c.held = c.held[i:]
				return c.row, nil
			}
			if len(c.row) == maxVector {
				return nil, fmt.Errorf("a list of more than %d values", maxVector)
			}
			c.row = append(c.row, v.Clone())
		}
		c.held = nil
	}
}

// fill reads some values more.
func (c *cursor) fill() error {
	for {
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if err != nil {
				return err
			}
			if err := sound(page); err != nil {
				return err
			}
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.buf[:])
		c.held = c.buf[:n]
		if err == io.EOF {
			// Values refer to the page, which is released with the next one at the earliest.
			if n > 0 {
				return nil
			}
			c.release()
			continue
		}
		if n == 0 && err == nil {
			return errors.New("a page that never ends")
		}
		return err
	}
}
