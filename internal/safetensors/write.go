package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/tensorfile"
)

// Tensor is one tensor to write. Its data is either Float32, stored as DType F32
// (or the empty DType), F16 or BF16, halves rounded to nearest even; or Parts,
// which are the same in pieces; or Raw, little-endian elements of any DType. Data
// is row-major.
type Tensor struct {
	Name    string
	DType   tensorfile.DType
	Shape   []int
	Float32 []float32
	Parts   [][]float32
	Raw     []byte
}

// floats returns the pieces of the data, nil where it is Raw.
func (t Tensor) floats() [][]float32 {
	if t.Float32 != nil {
		return [][]float32{t.Float32}
	}
	return t.Parts
}

// Write writes the tensors and metadata (nil allowed) to w. The bytes depend on
// the content alone: as the reference implementation does, tensors are ordered
// by falling element size, then type, then name, so every tensor is aligned to
// its elements; metadata is ordered by key; and the data begins at a multiple of
// 8 bytes. Nothing is written if a tensor is refused.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	if err := writeAll(w, tensors, metadata); err != nil {
		return fmt.Errorf("safetensors: write: %w", err)
	}
	return nil
}

// WriteFile writes a file as [Write] does, atomically: at every moment path is
// either what it was before or the complete new file, also after a crash. On an
// error the old file, if any, stays and nothing else is left behind; what a process
// left that was killed over this file is removed.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) error {
	err := journal.WriteFile(path, func(w io.Writer) error { return writeAll(w, tensors, metadata) })
	if err != nil {
		return fmt.Errorf("safetensors: write %s: %w", path, err)
	}
	return nil
}

func writeAll(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	tensors, head, err := prepare(tensors, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	buf := make([]byte, 1<<18)
	for _, t := range tensors {
		if err := t.write(w, buf); err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

func (t Tensor) write(w io.Writer, buf []byte) error {
	if t.floats() == nil {
		_, err := w.Write(t.Raw)
		return err
	}
	size := t.DType.Size()
	for _, piece := range t.floats() {
		for part := range slices.Chunk(piece, len(buf)/size) {
			b := buf[:len(part)*size]
			if err := tensorfile.EncodeFloat32(b, t.DType, part); err != nil {
				return err
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare checks the tensors and returns them in the order of the file, with
// the length prefix and the header.
func prepare(tensors []Tensor, metadata map[string]string) ([]Tensor, []byte, error) {
	tensors = slices.Clone(tensors)
	seen := map[string]bool{"__metadata__": true} // reserved
	for i := range tensors {
		t := &tensors[i]
		if t.DType == "" && t.floats() != nil {
			t.DType = tensorfile.F32
		}
		if seen[t.Name] {
			return nil, nil, fmt.Errorf("tensor %q: the name is taken", t.Name)
		}
		seen[t.Name] = true
		if err := t.check(); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(rank(b.DType), rank(a.DType)), cmp.Compare(a.Name, b.Name))
	})
	head, err := encodeHeader(tensors, metadata)
	return tensors, head, err
}

func (t Tensor) check() error {
	elements, size, err := tensorfile.Size(t.DType, t.Shape)
	have := 0
	for _, piece := range t.floats() {
		have += len(piece)
	}
	switch {
	case err != nil:
		return err
	case !utf8.ValidString(t.Name):
		return errors.New("the name is not UTF-8")
	case t.Float32 != nil && t.Parts != nil:
		return errors.New("both Float32 and Parts are set")
	case t.floats() != nil && t.Raw != nil:
		return errors.New("both Float32 and Raw are set")
	case t.floats() == nil && len(t.Raw) != size:
		return fmt.Errorf("%d bytes, but %s%v needs %d", len(t.Raw), t.DType, t.Shape, size)
	case t.floats() != nil && have != elements:
		return fmt.Errorf("%d elements, but shape %v has %d", have, t.Shape, elements)
	case t.floats() != nil && (!t.DType.Float() || t.DType == tensorfile.F64):
		return fmt.Errorf("dtype %s is not stored from float32", t.DType)
	}
	return nil
}

// rank orders the types as the reference's enumeration does, by rising size.
func rank(d tensorfile.DType) int {
	return slices.Index([]tensorfile.DType{
		tensorfile.Bool, tensorfile.U8, tensorfile.I8, tensorfile.F8E5M2, tensorfile.F8E4M3, tensorfile.F8E8M0,
		tensorfile.I16, tensorfile.U16, tensorfile.F16, tensorfile.BF16,
		tensorfile.I32, tensorfile.U32, tensorfile.F32,
		tensorfile.C64, tensorfile.F64, tensorfile.I64, tensorfile.U64,
	}, d)
}

func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 8))
	b.WriteByte('{')
	comma := ""
	if metadata != nil {
		b.WriteString(`"__metadata__":{`)
		for _, k := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(k) || !utf8.ValidString(metadata[k]) {
				return nil, fmt.Errorf("metadata %q: not UTF-8", k)
			}
			fmt.Fprintf(b, "%s%s:%s", comma, quote(k), quote(metadata[k]))
			comma = ","
		}
		b.WriteByte('}')
		comma = ","
	}
	offset := 0
	for _, t := range tensors {
		_, size, err := tensorfile.Size(t.DType, t.Shape)
		if err != nil {
			return nil, err
		}
		if offset+size < offset {
			return nil, errors.New("the tensors' sizes overflow")
		}
		shape, err := json.Marshal(append([]int{}, t.Shape...))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(b, `%s%s:{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, comma, quote(t.Name), t.DType, shape, offset, offset+size)
		comma = ","
		offset += size
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	n := b.Len() - 8
	if n > maxHeader {
		return nil, fmt.Errorf("the header has %d bytes, at most %d can be read back", n, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(n))
	return b.Bytes(), nil
}

// quote returns s as a JSON string without the escapes that only HTML needs.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always has a form, a builder always has room
	return strings.TrimSuffix(b.String(), "\n")
}
