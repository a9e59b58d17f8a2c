package parquet

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
)

// index checks the sizes that a file gives of its index, for which the library takes memory
// when it opens a file.
func index(r io.ReaderAt, size int64) error {
	f, err := parquet.OpenFile(r, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return err
	}
	left := size
	for _, g := range f.Metadata().RowGroups {
		for _, c := range g.Columns {
			for _, n := range []int64{int64(c.ColumnIndexLength), int64(c.OffsetIndexLength)} {
				if left -= n; n < 0 || left < 0 {
					return fmt.Errorf("an index of columns that is larger than the file of %d bytes", size)
				}
			}
		}
	}
	return nil
}

// sound is an error where the levels of a page speak of more values than it has, after
// which the library would look for ever.
func sound(page parquet.Page) error {
	levels := page.DefinitionLevels()
	if levels == nil {
		return nil
	}
	if r := page.RepetitionLevels(); r != nil && len(r) != len(levels) {
		return fmt.Errorf("a page with %d definition levels and %d repetition levels", len(levels), len(r))
	}
	data := page.Data()
	there := len(levels)
	switch data.Kind() {
	case encoding.Boolean:
		there = 8 * len(data.Boolean())
	case encoding.Int32:
		there = len(data.Int32())
	case encoding.Int64:
		there = len(data.Int64())
	case encoding.Int96:
		there = len(data.Int96())
	case encoding.Float:
		there = len(data.Float())
	case encoding.Double:
		there = len(data.Double())
	case encoding.ByteArray:
		_, offsets := data.ByteArray()
		there = len(offsets) - 1
	case encoding.FixedLenByteArray:
		values, size := data.FixedLenByteArray()
		there = len(values) / max(1, size)
	}
	if want := page.NumValues() - page.NumNulls(); want > int64(max(0, there)) {
		return fmt.Errorf("a page of %d values, of which %d are there", want, there)
	}
	return nil
}
