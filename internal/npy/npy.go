// Package npy reads and writes NumPy's .npy files: a header, which is a literal of Python, and
// an array. The form is that of numpy.lib.format, versions 1.0 to 3.0.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goclip/goclip/internal/tensorfile"
)

const (
	magic     = "\x93NUMPY"
	maxHeader = 64 << 10 // NumPy itself trusts no header of more than 10,000 characters
	align     = 64
)

// Header describes an array.
type Header struct {
	DType tensorfile.DType // of numbers; "" for text
	Width int              // of text: code points of an element
	Shape []int
	Bytes int64 // of the header itself, after which the elements follow

	bigEndian bool
}

// Elements is the product of the shape.
func (h Header) Elements() int {
	n := 1
	for _, d := range h.Shape {
		n *= d
	}
	return n
}

// Size is the bytes of an element.
func (h Header) Size() int {
	if h.DType == "" {
		return 4 * h.Width
	}
	return h.DType.Size()
}

var dtypes = map[string]tensorfile.DType{"f2": tensorfile.F16, "f4": tensorfile.F32, "f8": tensorfile.F64}

var fields = regexp.MustCompile(`^\{\s*(?:'(\w+)':\s*('[^'\\]*'|True|False|\((?:\s*\d+\s*,?)*\s*\))\s*,?\s*)` +
	`(?:'(\w+)':\s*('[^'\\]*'|True|False|\((?:\s*\d+\s*,?)*\s*\))\s*,?\s*)` +
	`(?:'(\w+)':\s*('[^'\\]*'|True|False|\((?:\s*\d+\s*,?)*\s*\))\s*,?\s*)\}\s*$`)

// ReadHeader reads the header of a file that has so many bytes, and compares it with them.
// Arrays in Fortran's order of more than one dimension, of objects, and of types other than
// floats and text are errors.
func ReadHeader(r io.Reader, size int64) (Header, error) {
	start := make([]byte, 8)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:6]) != magic {
		return Header{}, errors.New("npy: not a .npy file: it does not begin with \\x93NUMPY")
	}
	length := make([]byte, 2)
	switch start[6] {
	case 1:
	case 2, 3:
		length = make([]byte, 4)
	default:
		return Header{}, fmt.Errorf("npy: version %d.%d, want 1.0 to 3.0", start[6], start[7])
	}
	if _, err := io.ReadFull(r, length); err != nil {
		return Header{}, fmt.Errorf("npy: header: %w", io.ErrUnexpectedEOF)
	}
	n := uint32(binary.LittleEndian.Uint16(length))
	if len(length) == 4 {
		n = binary.LittleEndian.Uint32(length)
	}
	if n > maxHeader {
		return Header{}, fmt.Errorf("npy: a header of %d bytes, more than %d", n, maxHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return Header{}, fmt.Errorf("npy: header: %w", io.ErrUnexpectedEOF)
	}
	h, err := parse(string(text))
	if err != nil {
		return Header{}, fmt.Errorf("npy: header %.200q: %w", strings.TrimSpace(string(text)), err)
	}
	h.Bytes = int64(8 + len(length) + len(text))
	want, left := uint64(h.Size()), uint64(max(0, size-h.Bytes))
	for _, d := range h.Shape {
		if d > 0 && want > math.MaxInt64/uint64(d) {
			return Header{}, fmt.Errorf("npy: shape %v is too large", h.Shape)
		}
		want *= uint64(d)
	}
	if want != left || want > math.MaxInt && h.Elements() > 0 {
		return Header{}, fmt.Errorf("npy: %d bytes of elements, want %d for the shape %v", left, want, h.Shape)
	}
	return h, nil
}

func parse(text string) (h Header, err error) {
	m := fields.FindStringSubmatch(text)
	if m == nil {
		return h, errors.New("want descr, fortran_order and shape")
	}
	said := map[string]string{m[1]: m[2], m[3]: m[4], m[5]: m[6]}
	descr, order, shape := strings.Trim(said["descr"], "'"), said["fortran_order"], said["shape"]
	if !strings.HasPrefix(shape, "(") || descr == "" || order != "True" && order != "False" {
		return h, errors.New("want descr, fortran_order and shape")
	}
	for _, d := range strings.FieldsFunc(shape, func(r rune) bool { return strings.ContainsRune("(), \t\n", r) }) {
		n, err := strconv.ParseInt(d, 10, 0)
		if err != nil {
			return h, fmt.Errorf("shape %s: %w", shape, err)
		}
		h.Shape = append(h.Shape, int(n))
	}
	kind := strings.TrimLeft(descr, "<>=|")
	h.bigEndian = strings.HasPrefix(descr, ">")
	h.DType = dtypes[kind]
	if width, isText := strings.CutPrefix(kind, "U"); isText {
		if h.Width, err = strconv.Atoi(width); err != nil || h.Width < 1 || h.Width > 1<<20 {
			return h, fmt.Errorf("descr %q, want text of 1 to %d characters", descr, 1<<20)
		}
	} else if h.DType == "" {
		return h, fmt.Errorf("descr %q, want '<f2', '<f4', '<f8' or '<U…'", descr)
	}
	if order == "True" && len(h.Shape) > 1 {
		return h, errors.New("in Fortran's order: save it with numpy.ascontiguousarray")
	}
	return h, nil
}

// ReadFloats reads the next len(dst) numbers of an array of floats.
func (h Header) ReadFloats(r io.Reader, dst []float32) error {
	if !h.DType.Float() {
		return errors.New("npy: an array of text, want numbers")
	}
	raw := make([]byte, min(len(dst), 1<<14)*h.Size())
	for len(dst) > 0 {
		n := min(len(dst), 1<<14)
		b := raw[:n*h.Size()]
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("npy: %w", io.ErrUnexpectedEOF)
		}
		if h.bigEndian {
			swap(b, h.Size())
		}
		if err := tensorfile.ReadFloat32(dst[:n], h.DType, tensorfile.Bytes(b), 0); err != nil {
			return fmt.Errorf("npy: %w", err)
		}
		dst = dst[n:]
	}
	return nil
}

// ReadText reads the next element of an array of text.
func (h Header) ReadText(r io.Reader) (string, error) {
	if h.DType != "" {
		return "", errors.New("npy: an array of numbers, want text")
	}
	b := make([]byte, 4*h.Width)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", fmt.Errorf("npy: %w", io.ErrUnexpectedEOF)
	}
	if h.bigEndian {
		swap(b, 4)
	}
	var text []byte
	for ; len(b) > 0; b = b[4:] {
		text = utf8.AppendRune(text, rune(binary.LittleEndian.Uint32(b)))
	}
	return strings.TrimRight(string(text), "\x00"), nil
}

// swap turns the bytes of each element round.
func swap(b []byte, size int) {
	for ; len(b) >= size; b = b[size:] {
		for i := range size / 2 {
			b[i], b[size-1-i] = b[size-1-i], b[i]
		}
	}
}

// WriteFloats writes rows of dim numbers each, as float16 (rounded to nearest, ties to even)
// or float32.
func WriteFloats(w io.Writer, rows []float32, dim int, half bool) error {
	descr, size := "<f4", 4
	if half {
		descr, size = "<f2", 2
	}
	if err := writeHeader(w, descr, len(rows)/dim, dim); err != nil {
		return err
	}
	b := make([]byte, 0, min(len(rows), 1<<14)*size)
	for len(rows) > 0 {
		n := min(len(rows), 1<<14)
		b = b[:0]
		for _, v := range rows[:n] {
			if half {
				b = binary.LittleEndian.AppendUint16(b, tensorfile.ToFloat16(v))
			} else {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// WriteTexts writes an array of one dimension of text, whose elements all take the room of
// the longest one.
func WriteTexts(w io.Writer, texts []string) error {
	width := TextWidth(texts)
	if err := writeHeader(w, fmt.Sprintf("<U%d", width), len(texts), 0); err != nil {
		return err
	}
	b := make([]byte, 0, 4*width)
	for _, t := range texts {
		b = b[:0]
		for _, r := range t {
			b = binary.LittleEndian.AppendUint32(b, uint32(r))
		}
		for len(b) < 4*width {
			b = append(b, 0)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// TextWidth is how many code points an element of [WriteTexts] has.
func TextWidth(texts []string) int {
	width := 1
	for _, t := range texts {
		width = max(width, utf8.RuneCountInString(t))
	}
	return width
}

// writeHeader is for n rows of dim elements, or for n elements where dim is 0.
func writeHeader(w io.Writer, descr string, n, dim int) error {
	shape := fmt.Sprintf("(%d,)", n)
	if dim > 0 {
		shape = fmt.Sprintf("(%d, %d)", n, dim)
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape)
	text += strings.Repeat(" ", align-1-(len(magic)+4+len(text))%align) + "\n"
	b := append([]byte(magic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	_, err := w.Write(append(b, text...))
	return err
}
