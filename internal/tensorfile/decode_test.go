package tensorfile

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

// onlyReader hides that its bytes are in memory, and returns io.EOF with the
// last of them, as a ReaderAt may.
type onlyReader struct{ b Bytes }

func (r onlyReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.b.ReadAt(p, off)
	if off+int64(n) == int64(len(r.b)) {
		err = io.EOF
	}
	return n, err
}

// TestReadFloat32Sources: memory and reader, one goroutine and several, give the
// values that were encoded.
func TestReadFloat32Sources(t *testing.T) {
	for _, n := range []int{0, 1, 7, chunkLen, chunkLen + 1, 3*grain + 5} {
		want := make([]float32, n)
		for i := range want {
			want[i] = float32(i%509-254) / 8 // exact in eleven bits; eight hold its bfloat16
		}
		for _, d := range []DType{F32, F16, BF16} {
			if d == BF16 {
				for i := range want {
					want[i] = BFloat16(ToBFloat16(want[i]))
				}
			}
			const off = 3
			b := make(Bytes, off+n*d.Size())
			if err := EncodeFloat32(b[off:], d, want); err != nil {
				t.Fatal(err)
			}
			for _, r := range []io.ReaderAt{b, onlyReader{b}} {
				got := make([]float32, n)
				if err := ReadFloat32(got, d, r, off); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, %d elements from %T differ from those stored", d, n, r)
				}
				if err := ReadFloat32(make([]float32, n+1), d, r, off); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s, one element past the end of %T: got %v, want %v", d, r, err, io.ErrUnexpectedEOF)
				}
			}
		}
	}
}

func TestFloat64IsRoundedToNearest(t *testing.T) {
	var b bytes.Buffer
	values := []float64{0.1, 1 + 0x1p-24, 1 + 0x1.8p-23, 1e300, math.Copysign(0, -1), 0x1p-149}
	for _, v := range values {
		for s := range 8 {
			b.WriteByte(byte(math.Float64bits(v) >> (8 * s)))
		}
	}
	got := make([]float32, len(values))
	if err := ReadFloat32(got, F64, Bytes(b.Bytes()), 0); err != nil {
		t.Fatal(err)
	}
	want := []float32{0.1, 1, 1 + 0x1p-22, float32(math.Inf(1)), float32(math.Copysign(0, -1)), 0x1p-149}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Errorf("%v: got %v, want %v", values[i], got[i], want[i])
		}
	}
}

func TestInts(t *testing.T) {
	for _, c := range []struct {
		d    DType
		src  []byte
		want []int64
	}{
		{Bool, []byte{0, 1}, []int64{0, 1}},
		{U8, []byte{0, 255}, []int64{0, 255}},
		{I8, []byte{127, 128}, []int64{127, -128}},
		{U16, []byte{1, 255}, []int64{65281}},
		{I16, []byte{1, 255}, []int64{-255}},
		{U32, []byte{1, 0, 0, 255}, []int64{4278190081}},
		{I32, []byte{1, 0, 0, 255}, []int64{-16777215}},
		{I64, []byte{254, 255, 255, 255, 255, 255, 255, 255}, []int64{-2}},
		{U64, []byte{1, 0, 0, 0, 0, 0, 0, 127}, []int64{127<<56 + 1}},
		{I64, nil, []int64{}},
	} {
		got, err := Ints(c.d, c.src)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s % x: got %v and error %v, want %v", c.d, c.src, got, err, c.want)
		}
	}
	for d, want := range map[DType]string{
		F32: "dtype F32 is not an integer type",
		U64: "element 0, 18446744073709551615, does not fit an int64",
	} {
		_, err := Ints(d, bytes.Repeat([]byte{255}, 8))
		if err == nil || err.Error() != want {
			t.Errorf("%s: got error %v, want %s", d, err, want)
		}
	}
}

func TestSize(t *testing.T) {
	for _, c := range []struct {
		d               DType
		shape           []int
		elements, bytes int
		err             string
	}{
		{F32, nil, 1, 4, ""},
		{BF16, []int{2, 3}, 6, 12, ""},
		{I64, []int{5, 0, 7}, 0, 0, ""},
		{"F32 ", []int{1}, 0, 0, `unknown dtype "F32 "`},
		{F32, []int{2, -1}, 0, 0, "shape [2 -1] has a negative dimension"},
		{U8, []int{maxInt, 2}, 0, 0, "overflows"},
		{F64, []int{maxInt / 4}, 0, 0, "overflows"},
		{U8, []int{maxInt, maxInt, 0}, 0, 0, "overflows"},
	} {
		elements, size, err := Size(c.d, c.shape)
		if c.err == "" && (err != nil || elements != c.elements || size != c.bytes) {
			t.Errorf("%s%v: got %d, %d, %v; want %d, %d", c.d, c.shape, elements, size, err, c.elements, c.bytes)
		}
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s%v: got error %v, want %s", c.d, c.shape, err, c.err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		n    int
		d    DType
		want string
	}{
		{7, F32, "2 elements of F32 do not fill 7 bytes"},
		{16, F64, "dtype F64 is not stored from float32"},
	} {
		if err := EncodeFloat32(make([]byte, c.n), c.d, []float32{1, 2}); err == nil || err.Error() != c.want {
			t.Errorf("got error %v, want %s", err, c.want)
		}
	}
	if err := ReadFloat32(make([]float32, 1), I64, Bytes(make([]byte, 8)), 0); err == nil {
		t.Error("I64 was converted to float32")
	}
}

func BenchmarkReadFloat32(b *testing.B) {
	const n = 1 << 24
	dst := make([]float32, n)
	for _, d := range []DType{F32, F16, BF16} {
		src := make(Bytes, n*d.Size())
		for i := range src {
			src[i] = byte(i * 37)
		}
		for name, r := range map[string]io.ReaderAt{"memory": src, "reader": onlyReader{src}} {
			b.Run(string(d)+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(src)))
				for range b.N {
					if err := ReadFloat32(dst, d, r, 0); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
