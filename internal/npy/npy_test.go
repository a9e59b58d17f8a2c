package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

func written(t testing.TB, rows []float32, dim int, half bool) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteFloats(&b, rows, dim, half); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestFloats: what was written is read, halves as the nearest.
func TestFloats(t *testing.T) {
	rows := []float32{0, -1, 0.333333, 65504, 1e-7, 2, 0.5, -0.1}
	for _, half := range []bool{false, true} {
		data := written(t, rows, 4, half)
		r := bytes.NewReader(data)
		h, err := ReadHeader(r, int64(len(data)))
		if err != nil || !slices.Equal(h.Shape, []int{2, 4}) || h.Bytes%align != 0 {
			t.Fatalf("half %t: %+v, %v", half, h, err)
		}
		got := make([]float32, 8)
		if err := h.ReadFloats(r, got); err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if tol := math.Abs(float64(rows[i]))/2048 + 3e-8; !half && got[i] != rows[i] || !(math.Abs(float64(got[i]-rows[i])) <= tol) {
				t.Errorf("half %t: got %g, want %g within %g", half, got[i], rows[i], tol)
			}
		}
	}
}

func TestTexts(t *testing.T) {
	want := []string{"", "a", "größer", "🦊 x"}
	var b bytes.Buffer
	if err := WriteTexts(&b, want); err != nil {
		t.Fatal(err)
	}
	r := bytes.NewReader(b.Bytes())
	h, err := ReadHeader(r, int64(b.Len()))
	if err != nil || h.Width != 6 {
		t.Fatalf("%+v, %v", h, err)
	}
	for _, text := range want {
		if got, err := h.ReadText(r); err != nil || got != text {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
	}
}

// file is a header with so many bytes of zeros behind it.
func file(version byte, header string, zeros int) []byte {
	b := append([]byte(magic), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), make([]byte, zeros)...)
}

// TestHeaders: the forms that NumPy and others write, and what is refused.
func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		version byte
		header  string
		zeros   int
		shape   []int
		err     string
	}{
		{1, "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }\n", 12, []int{2, 3}, ""},
		{2, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", 16, []int{2}, ""},
		{3, "{'shape': (0, 512), 'fortran_order': False, 'descr': '>f4'}", 0, []int{0, 512}, ""},
		{1, "{'descr': '<f4', 'fortran_order': True, 'shape': (3,), }", 12, []int{3}, ""},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, nil, ""},
		{1, "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }", 24, nil, "ascontiguousarray"},
		{1, "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", 24, nil, "'<f2'"},
		{1, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", 24, nil, "'<f2'"},
		{1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", 24, nil, "want descr"},
		{1, "{'descr': '<f4', 'descr': '<f4', 'shape': (3,), }", 12, nil, "want descr"},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 11, nil, "11 bytes of elements, want 12"},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3037000500, 3037000500), }", 0, nil, ""},
		{1, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 0, nil, "out of range"},
		{1, "{'descr': '<U99999999', 'fortran_order': False, 'shape': (1,), }", 0, nil, "text of 1 to"},
		{4, "", 0, nil, "version 4"},
		{2, strings.Repeat(" ", maxHeader+1), 0, nil, "more than"},
	} {
		data := file(c.version, c.header, c.zeros)
		h, err := ReadHeader(bytes.NewReader(data), int64(len(data)))
		if wrong := c.err != "" || strings.Contains(c.header, "3037000500"); (err != nil) != wrong || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %v, want an error with %q", c.header, err, c.err)
		}
		if err == nil && !slices.Equal(h.Shape, c.shape) {
			t.Errorf("%s: got shape %v, want %v", c.header, h.Shape, c.shape)
		}
	}
}

func TestBigEndian(t *testing.T) {
	data := file(1, "{'descr': '>f2', 'fortran_order': False, 'shape': (2,), }", 0)
	data = append(data, 0x3c, 0x00, 0xc0, 0x00)
	r := bytes.NewReader(data)
	h, err := ReadHeader(r, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 2)
	if err := h.ReadFloats(r, got); err != nil || got[0] != 1 || got[1] != -2 {
		t.Errorf("got %v, %v, want 1 and -2", got, err)
	}
}

// TestAsNumPyWrites: a file that NumPy wrote has our bytes, header and all.
func TestAsNumPyWrites(t *testing.T) {
	want, err := os.ReadFile(golden.Shared(t, "interchange", "clip_retrieval_webdataset", "img_emb", "img_emb_0.npy"))
	if err != nil {
		t.Fatal(err)
	}
	r := bytes.NewReader(want)
	h, err := ReadHeader(r, int64(len(want)))
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]float32, h.Elements())
	if err := h.ReadFloats(r, rows); err != nil {
		t.Fatal(err)
	}
	if got := written(t, rows, h.Shape[1], true); !bytes.Equal(got, want) {
		t.Errorf("got %q…, want %q…", got[:130], want[:130])
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add(written(f, []float32{1, 2}, 2, true))
	f.Add(file(2, "{'descr': '<U3', 'fortran_order': False, 'shape': (2,), }", 24))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		h, err := ReadHeader(r, int64(len(data)))
		if err != nil {
			return
		}
		if got := h.Bytes + int64(h.Elements())*int64(h.Size()); got != int64(len(data)) {
			t.Fatal(fmt.Sprint(got, " of ", len(data), " bytes"))
		}
		if h.DType == "" {
			if h.Elements() > 0 {
				h.ReadText(r)
			}
			return
		}
		if err := h.ReadFloats(r, make([]float32, min(h.Elements(), 1<<20))); err != nil {
			t.Fatal(err)
		}
	})
}
