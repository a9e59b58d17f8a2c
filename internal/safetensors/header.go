package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
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
	text, err := tensorfile.ReadBytes(r, 8, int(n))
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

func (h *header) parse(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	err := object(dec, func(key string) error {
		if key == "__metadata__" {
			h.metadata = map[string]string{}
			return object(dec, func(k string) (err error) {
				h.metadata[k], err = str(dec)
				return err
			})
		}
		e := entry{Info: tensorfile.Info{Name: key}}
		if err := e.parse(dec); err != nil {
			return err
		}
		h.entries = append(h.entries, e)
		return nil
	})
	if err != nil {
		return err
	}
	return atEOF(dec)
}

func (e *entry) parse(dec *json.Decoder) error {
	fields := 0
	err := object(dec, func(key string) (err error) {
		fields++
		switch key {
		case "dtype":
			var s string
			s, err = str(dec)
			e.DType = tensorfile.DType(s)
		case "shape":
			e.Shape = []int{}
			err = array(dec, func(s string) error {
				d, err := strconv.ParseInt(s, 10, strconv.IntSize)
				e.Shape = append(e.Shape, int(d))
				return err
			})
		case "data_offsets":
			var offsets []int64
			err = array(dec, func(s string) error {
				o, err := strconv.ParseInt(s, 10, 64)
				offsets = append(offsets, o)
				return err
			})
			if err == nil && len(offsets) != 2 {
				err = fmt.Errorf("%d numbers, want 2", len(offsets))
			}
			if err == nil {
				e.begin, e.end = offsets[0], offsets[1]
			}
		default:
			err = errors.New("unknown field")
		}
		return err
	})
	if err == nil && fields != 3 { // none repeats and none is unknown
		err = errors.New("want dtype, shape and data_offsets")
	}
	return err
}

// object reads a JSON object: value must consume the value of each key. A key
// that occurs twice is an error, as is any error of value, with the key named.
func object(dec *json.Decoder, value func(key string) error) error {
	if err := delim(dec, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := str(dec)
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("duplicate name %q", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
	}
	return delim(dec, '}')
}

// array reads a JSON array of numbers.
func array(dec *json.Decoder, number func(s string) error) error {
	if err := delim(dec, '['); err != nil {
		return err
	}
	for dec.More() {
		token, err := token(dec)
		if err != nil {
			return err
		}
		n, ok := token.(json.Number)
		if !ok {
			return fmt.Errorf("%s, want a number", describe(token))
		}
		if err := number(n.String()); err != nil {
			return err
		}
	}
	return delim(dec, ']')
}

func str(dec *json.Decoder) (string, error) {
	token, err := token(dec)
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("%s, want a string", describe(token))
	}
	return s, nil
}

func delim(dec *json.Decoder, want json.Delim) error {
	token, err := token(dec)
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("%s, want %s", describe(token), want)
	}
	return nil
}

func token(dec *json.Decoder) (json.Token, error) {
	t, err := dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return t, err
}

// atEOF requires that only white space follows.
func atEOF(dec *json.Decoder) error {
	switch t, err := dec.Token(); {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	default:
		return fmt.Errorf("%s after the end of the object", describe(t))
	}
}

func describe(t json.Token) string {
	switch t := t.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(t)
	default:
		return fmt.Sprint(t)
	}
}
