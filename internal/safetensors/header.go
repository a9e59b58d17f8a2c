package safetensors

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goclip/goclip/internal/tensorfile"
)

// maxHeader is the cap of the reference implementation,
// safetensors/src/tensor.rs at 000a16f, MAX_HEADER_SIZE.
const maxHeader = 100_000_000

// entry is one tensor of a header; begin and end are relative to the data.
type entry struct {
	tensorfile.Info
	begin, end int64
	sum        uint32 // CRC-32C of the data, where the file has it
	summed     bool
}

// header is a parsed header: the tensors by place in the file.
type header struct {
	entries  []entry
	metadata map[string]string
	data     int64 // where the data begins in the file
}

// readHeader parses and checks the header of a file of the given size. Nothing
// is allocated that the file does not pay for with as many bytes.
func readHeader(r io.ReaderAt, size int64) (*header, error) {
	if size < 8 {
		return nil, fmt.Errorf("%d bytes are too short for a header", size)
	}
	prefix, err := tensorfile.ReadBytes(r, 0, 8)
	if err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(prefix)
	if n > maxHeader {
		return nil, fmt.Errorf("header length %d exceeds %d", n, maxHeader)
	}
	if int64(n) > size-8 {
		return nil, fmt.Errorf("header length %d exceeds the %d bytes of the file", n, size)
	}
	text, err := readText(r, 8, int64(n))
	if err != nil {
		return nil, err
	}
	h := &header{data: 8 + int64(n)}
	if err := h.parse(text); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	slices.SortStableFunc(h.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	if err := h.check(size - h.data); err != nil {
		return nil, err
	}
	return h, h.checksums()
}

// readText returns n bytes, in memory that the names of tensors then share.
func readText(r io.ReaderAt, off, n int64) (string, error) {
	var b strings.Builder
	b.Grow(int(n))
	_, err := io.CopyN(&b, io.NewSectionReader(r, off, n), n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b.String(), err
}

// check requires of the sorted entries that each has the bytes its shape needs
// and that together they cover the data exactly.
func (h *header) check(data int64) error {
	var at int64
	for _, e := range h.entries {
		_, bytes, err := tensorfile.Size(e.DType, e.Shape)
		switch {
		case err != nil:
			return fmt.Errorf("tensor %q: %w", e.Name, err)
		case e.begin < 0 || e.end < e.begin:
			return fmt.Errorf("tensor %q: data_offsets [%d, %d] are out of order", e.Name, e.begin, e.end)
		case e.end > data:
			return fmt.Errorf("tensor %q: data_offsets [%d, %d] leave the %d bytes of data", e.Name, e.begin, e.end, data)
		case e.begin < at:
			return fmt.Errorf("tensor %q: data_offsets [%d, %d] overlap the tensor that ends at %d", e.Name, e.begin, e.end, at)
		case e.begin > at:
			return fmt.Errorf("tensor %q: data_offsets [%d, %d] leave a hole after %d", e.Name, e.begin, e.end, at)
		case e.end-e.begin != int64(bytes):
			return fmt.Errorf("tensor %q: data_offsets [%d, %d] hold %d bytes, but %s%v needs %d",
				e.Name, e.begin, e.end, e.end-e.begin, e.DType, e.Shape, bytes)
		}
		at = e.end
	}
	if at != data {
		return fmt.Errorf("the tensors end at byte %d of %d bytes of data", at, data)
	}
	return nil
}

func (h *header) parse(text string) error {
	if !utf8.ValidString(text) {
		return errors.New("not UTF-8")
	}
	s, seen := &scanner{text: text}, map[string]struct{}{}
	err := s.object(func(key string) (err error) {
		if _, twice := seen[key]; twice {
			return errTwice
		}
		seen[key] = struct{}{}
		if key == "__metadata__" {
			h.metadata, err = s.strings()
			return err
		}
		if len(h.entries) == maxTensors {
			return fmt.Errorf("more than %d tensors", maxTensors)
		}
		e := entry{Info: tensorfile.Info{Name: key}}
		if err := e.parse(s); err != nil {
			return err
		}
		h.entries = append(h.entries, e)
		return nil
	})
	if err != nil {
		return err
	}
	return s.end()
}

// What no model comes near: the largest have some 100,000 tensors, of up to 6 dimensions.
const (
	maxTensors = 1 << 17
	maxDims    = 64
)

func (e *entry) parse(s *scanner) error {
	var fields []string
	err := s.object(func(key string) (err error) {
		if slices.Contains(fields, key) {
			return errTwice
		}
		fields = append(fields, key) // four at most
		switch key {
		case "dtype":
			var d string
			d, err = s.str()
			e.DType = tensorfile.DType(d)
		case "shape":
			e.Shape = make([]int, 0, 4)
			err = s.array(func(literal string) error {
				d, err := strconv.ParseInt(literal, 10, strconv.IntSize)
				if err == nil && len(e.Shape) == maxDims {
					err = fmt.Errorf("more than %d dimensions", maxDims)
				}
				e.Shape = append(e.Shape, int(d))
				return err
			})
		case "data_offsets":
			n := 0
			err = s.array(func(literal string) error {
				o, err := strconv.ParseInt(literal, 10, 64)
				e.begin, e.end = e.end, o
				n++
				return err
			})
			if err == nil && n != 2 {
				err = fmt.Errorf("%d numbers, want 2", n)
			}
		default:
			err = errors.New("unknown field")
		}
		return err
	})
	if err == nil && len(fields) != 3 { // none repeats and none is unknown
		err = errors.New("want dtype, shape and data_offsets")
	}
	return err
}
