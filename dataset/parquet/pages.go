package parquet

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Bounds on what a page may be said to hold beyond its bytes: the library takes the memory
// before it looks.
const (
	maxPage   = 64 << 20 // bytes; those of images hardly shrink, and pages of texts are small
	maxValues = 16 << 20
)

// checkFooter is an error where a file says that its footer or its index is larger than it is.
func checkFooter(r io.ReaderAt, size int64) error {
	end := make([]byte, 8)
	if _, err := r.ReadAt(end, size-8); size < 12 || err != nil && err != io.EOF {
		return fmt.Errorf("a file of %d bytes", size)
	}
	if n := int64(binary.LittleEndian.Uint32(end)); n > size-8 {
		return fmt.Errorf("a footer of %d bytes in a file of %d: it is damaged, or no Parquet file", n, size)
	}
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

// check reads the headers of the pages of a column of a group.
func (t *table) check(group, leaf int) error {
	meta := t.file.Metadata().RowGroups[group].Columns[leaf].MetaData
	at := meta.DataPageOffset
	if d := meta.DictionaryPageOffset; d > 0 && d < at {
		at = d
	}
	size := t.file.Size()
	if at < 0 || meta.TotalCompressedSize < 0 || at > size || meta.TotalCompressedSize > size-at {
		return fmt.Errorf("its pages lie at %d to %d of a file of %d bytes", at, at+meta.TotalCompressedSize, size)
	}
	section := io.NewSectionReader(t.r, at, size-at)
	in := bufio.NewReader(section)
	decoder := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(in))
	for values := int64(0); values < meta.NumValues; {
		header := new(format.PageHeader)
		if err := decoder.Decode(header); err != nil {
			return err
		}
		n, packed, unpacked := int64(0), int64(header.CompressedPageSize), int64(header.UncompressedPageSize)
		switch {
		case header.DataPageHeader != nil:
			n = int64(header.DataPageHeader.NumValues)
		case header.DataPageHeaderV2 != nil:
			n = int64(header.DataPageHeaderV2.NumValues)
		case header.DictionaryPageHeader != nil:
			if d := int64(header.DictionaryPageHeader.NumValues); d < 0 || d > maxValues+packed {
				return fmt.Errorf("a dictionary of %d values in %d bytes", d, packed)
			}
		}
		position, _ := section.Seek(0, io.SeekCurrent)
		if left := section.Size() - position + int64(in.Buffered()); packed < 0 || packed > left {
			return fmt.Errorf("a page of %d bytes, of which %d are there", packed, left)
		}
		if unpacked < 0 || unpacked > maxPage+8*packed || n < 0 || n > maxValues+packed {
			return fmt.Errorf("a page of %d bytes that is said to hold %d bytes of %d values", packed, unpacked, n)
		}
		if n == 0 && header.DictionaryPageHeader == nil && packed == 0 {
			return fmt.Errorf("a page of nothing")
		}
		values += n
		if int64(in.Buffered()) >= packed {
			if _, err := in.Discard(int(packed)); err != nil {
				return err
			}
			continue
		}
		if _, err := section.Seek(packed-int64(in.Buffered()), io.SeekCurrent); err != nil {
			return err
		}
		in.Reset(section)
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
