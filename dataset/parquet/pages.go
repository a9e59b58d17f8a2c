package parquet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// A page may unpack to so many bytes, and so many times its own: the library takes memory
// for what a page's header says.
const (
	maxPage  = 64 << 20
	maxRatio = 300

	maxValues = 16 << 20 // and one for each byte
)

// footer checks the size that a file gives of its footer.
func footer(r io.ReaderAt, size int64) error {
	end := make([]byte, 8)
	if size < 12 {
		return fmt.Errorf("%d bytes are no file", size)
	}
	if n, err := r.ReadAt(end, size-8); n < len(end) {
		return err
	}
	if string(end[4:]) != "PAR1" {
		return errors.New("the file does not end as one does: it may be cut off")
	}
	if n := int64(binary.LittleEndian.Uint32(end)); n > size-12 {
		return fmt.Errorf("a footer of %d bytes in a file of %d", n, size)
	}
	return nil
}

// check goes through the pages of a column in a group of rows, once, before the library
// unpacks them.
func (t *table) check(group, leaf int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := [2]int{group, leaf}
	err, done := t.checked[at]
	if !done {
		if t.checked == nil {
			t.checked = map[[2]int]error{}
		}
		err = t.scan(&t.file.Metadata().RowGroups[group].Columns[leaf].MetaData)
		t.checked[at] = err
	}
	return err
}

func (t *table) scan(m *format.ColumnMetaData) error {
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = m.DictionaryPageOffset
	}
	size := m.TotalCompressedSize
	if at < 0 || size < 0 || at > t.size || size > t.size-at {
		return fmt.Errorf("pages of %d bytes at %d are not in a file of %d", size, at, t.size)
	}
	for end := at + size; at < end; {
		section := io.NewSectionReader(t.r, at, end-at)
		buffered := bufio.NewReaderSize(section, 4<<10)
		var h format.PageHeader
		if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(buffered)).Decode(&h); err != nil {
			return fmt.Errorf("the head of a page: %w", err)
		}
		read, _ := section.Seek(0, io.SeekCurrent)
		at += read - int64(buffered.Buffered())
		size, whole := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
		if size < 0 || whole < 0 || size > end-at || whole > maxPage+maxRatio*size {
			return fmt.Errorf("a page of %d bytes, unpacked %d, where %d bytes are left", size, whole, end-at)
		}
		if n := valuesOf(&h); n < 0 || n > maxValues+size {
			return fmt.Errorf("a page of %d bytes that is said to hold %d values", size, n)
		}
		if m.Codec == format.Lz4Raw && size > 0 {
			if err := t.tryLZ4(at, &h); err != nil {
				return err
			}
		}
		at += size
	}
	return nil
}

// tryLZ4 unpacks a page, since the library would try a damaged one with ever more memory.
func (t *table) tryLZ4(at int64, h *format.PageHeader) error {
	packed, whole := make([]byte, h.CompressedPageSize), int(h.UncompressedPageSize)
	if _, err := t.r.ReadAt(packed, at); err != nil {
		return err
	}
	if v2 := h.DataPageHeaderV2; v2 != nil { // its levels are not packed
		levels := int(v2.RepetitionLevelsByteLength) + int(v2.DefinitionLevelsByteLength)
		if levels < 0 || levels > min(len(packed), whole) {
			return errors.New("a page with more levels than bytes")
		}
		packed, whole = packed[levels:], whole-levels
		if v2.IsCompressed != nil && !*v2.IsCompressed {
			return nil
		}
	}
	if n, err := lz4.UncompressBlock(packed, make([]byte, whole)); err != nil || n != whole {
		return fmt.Errorf("a damaged page of LZ4: %d bytes of %d: %w", n, whole, errors.Join(err, errors.New("it does not unpack to its size")))
	}
	return nil
}

// valuesOf is how many values a page is said to hold.
func valuesOf(h *format.PageHeader) int64 {
	switch {
	case h.DataPageHeader != nil:
		return int64(h.DataPageHeader.NumValues)
	case h.DataPageHeaderV2 != nil:
		return int64(h.DataPageHeaderV2.NumValues)
	case h.DictionaryPageHeader != nil:
		return int64(h.DictionaryPageHeader.NumValues)
	}
	return 0
}
