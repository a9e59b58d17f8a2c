package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/goclip/goclip/internal/tensorfile"
)

// image returns a file with the given header text and data.
func image(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func openBytes(b []byte) (*File, error) {
	return OpenReader(bytes.NewReader(b), int64(len(b)), "x.safetensors")
}

// TestRefusals: what is wrong with a file is found on opening it, and named.
func TestRefusals(t *testing.T) {
	length := func(n uint64, rest int) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, n), make([]byte, rest)...)
	}
	big := strconv.Itoa(math.MaxInt)
	u8 := func(name string, shape, offsets string) string {
		return `"` + name + `":{"dtype":"U8","shape":[` + shape + `],"data_offsets":[` + offsets + `]}`
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "0 bytes are too short for a header"},
		{"short", make([]byte, 7), "7 bytes are too short"},
		{"absurd header", length(1<<63, 8), "header length 9223372036854775808 exceeds 100000000"},
		{"header past the cap", length(maxHeader+1, 8), "exceeds 100000000"},
		{"header past the file", length(9, 8), "header length 9 exceeds the 16 bytes of the file"},
		{"empty header", image("", 0), "unexpected EOF"},
		{"not UTF-8", image("{\"\xff\":1}", 0), "not UTF-8"},
		{"array", image(`[]`, 0), "header: [, want {"},
		{"null", image(`null`, 0), "header: null, want {"},
		{"unclosed", image(`{`, 0), "unexpected EOF"},
		{"after the object", image(`{} {}`, 0), "header: { after the end of the object"},
		{"after the object, a letter", image(`{}x`, 0), "header: x after the end of the object"},
		{"tensor not an object", image(`{"a":3}`, 0), `"a": 3, want {`},
		{"unknown dtype", image(`{"a":{"dtype":"F7","shape":[],"data_offsets":[0,1]}}`, 1), `tensor "a": unknown dtype "F7"`},
		{"dtype not a string", image(`{"a":{"dtype":7,"shape":[],"data_offsets":[0,1]}}`, 1), `"a": "dtype": 7, want a string`},
		{"no dtype", image(`{"a":{"shape":[],"data_offsets":[0,1]}}`, 1), `"a": want dtype, shape and data_offsets`},
		{"unknown field", image(`{"a":{"type":"U8"}}`, 1), `"a": "type": unknown field`},
		{"repeated field", image(`{"a":{"dtype":"U8","shape":[],"shape":[],"data_offsets":[0,1]}}`, 1), `"a": duplicate name "shape"`},
		{"repeated tensor", image("{"+u8("a", "1", "0,1")+","+u8("a", "1", "1,2")+"}", 2), `duplicate name "a"`},
		{"repeated tensor, escaped", image("{"+u8("a", "1", "0,1")+","+u8(`\u0061`, "1", "1,2")+"}", 2), `duplicate name "a"`},
		{"repeated metadata", image(`{"__metadata__":{},"__metadata__":{}}`, 0), `duplicate name "__metadata__"`},
		{"repeated metadata key", image(`{"__metadata__":{"k":"","k":""}}`, 0), `"__metadata__": duplicate name "k"`},
		{"metadata not strings", image(`{"__metadata__":{"k":1}}`, 0), `"__metadata__": "k": 1, want a string`},
		{"shape not numbers", image("{"+u8("a", `"1"`, "0,1")+"}", 1), `"shape": "1", want a number`},
		{"shape nested", image("{"+u8("a", `[1]`, "0,1")+"}", 1), `"shape": [, want a number`},
		{"fractional shape", image("{"+u8("a", `1.0`, "0,1")+"}", 1), `parsing "1.0"`},
		{"negative shape", image("{"+u8("a", `-1`, "0,1")+"}", 1), `tensor "a": shape [-1] has a negative dimension`},
		{"huge dimension", image("{"+u8("a", `9223372036854775808`, "0,1")+"}", 1), "value out of range"},
		{"overflowing shape", image("{"+u8("a", big+","+big, "0,1")+"}", 1), "overflows"},
		{"overflow hidden by a zero", image("{"+u8("a", big+","+big+",0", "0,0")+"}", 0), "overflows"},
		{"overflowing bytes", image(`{"a":{"dtype":"F64","shape":[`+big+`],"data_offsets":[0,0]}}`, 0), "overflows"},
		{"one offset", image("{"+u8("a", `1`, "0")+"}", 1), `"data_offsets": 1 numbers, want 2`},
		{"three offsets", image("{"+u8("a", `1`, "0,1,2")+"}", 1), `"data_offsets": 3 numbers, want 2`},
		{"negative offset", image("{"+u8("a", `1`, "-1,0")+"}", 1), "data_offsets [-1, 0] are out of order"},
		{"offsets out of order", image("{"+u8("a", `1`, "1,0")+"}", 1), "data_offsets [1, 0] are out of order"},
		{"overflowing offset", image("{"+u8("a", `1`, "0,18446744073709551616")+"}", 1), "value out of range"},
		{"out of file", image("{"+u8("a", `2`, "0,2")+"}", 1), "data_offsets [0, 2] leave the 1 bytes of data"},
		{"overlap", image("{"+u8("a", `2`, "0,2")+","+u8("b", `2`, "1,3")+"}", 3), `tensor "b": data_offsets [1, 3] overlap the tensor that ends at 2`},
		{"same bytes twice", image("{"+u8("a", `2`, "0,2")+","+u8("b", `2`, "0,2")+"}", 2), "overlap"},
		{"hole", image("{"+u8("a", `1`, "0,1")+","+u8("b", `1`, "2,3")+"}", 3), `tensor "b": data_offsets [2, 3] leave a hole after 1`},
		{"hole at the start", image("{"+u8("a", `1`, "1,2")+"}", 2), "leave a hole after 0"},
		{"too few bytes", image("{"+u8("a", `3`, "0,2")+"}", 2), `tensor "a": data_offsets [0, 2] hold 2 bytes, but U8[3] needs 3`},
		{"trailing bytes", image("{"+u8("a", `1`, "0,1")+"}", 3), "the tensors end at byte 1 of 3 bytes of data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(c.file)
			if err == nil || !strings.HasPrefix(err.Error(), "safetensors: x.safetensors: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestOddFiles: what is unusual but allowed.
func TestOddFiles(t *testing.T) {
	header := ` {"__metadata__":{"a":"<b>"},` +
		`"z":{"data_offsets":[1,2],"shape":[],"dtype":"U8"},` +
		`"none":{"dtype":"F32","shape":[3,0],"data_offsets":[1,1]},` +
		`"none2":{"dtype":"F32","shape":[0],"data_offsets":[1,1]},` +
		`"a":{"dtype":"F8_E4M3","shape":[1,1],"data_offsets":[0,1]}}  ` + "\n"
	f, err := openBytes(image(header, 2))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Names(), []string{"a", "none", "none2", "z"}; !slices.Equal(got, want) {
		t.Errorf("names: got %v, want the order of the data, %v", got, want)
	}
	if info, ok := f.Info("z"); !ok || info.Len() != 1 || len(info.Shape) != 0 {
		t.Errorf("scalar: got %+v, %v", info, ok)
	}
	if err := f.Float32("none", nil); err != nil {
		t.Errorf("an empty tensor: %v", err)
	}
	if v, err := f.Ints("z"); err != nil || !slices.Equal(v, []int64{0}) {
		t.Errorf("scalar: got %v, %v", v, err)
	}
	if empty, err := openBytes(image(`{}`, 0)); err != nil || len(empty.Names()) != 0 || empty.Metadata() != nil {
		t.Errorf("a file of no tensors: got %v, %v", empty, err)
	}
}

// TestReadErrors names the tensor and what is wrong with the request.
func TestReadErrors(t *testing.T) {
	f, err := openBytes(image(`{"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12))
	if err != nil {
		t.Fatal(err)
	}
	_, ints := f.Ints("b")
	_, missing := f.Bytes("c")
	for _, c := range []struct {
		err  error
		want string
	}{
		{f.Float32("a", make([]float32, 2)), `safetensors: x.safetensors: tensor "a": dtype I32 is not converted to float32`},
		{f.Float32("b", make([]float32, 2)), `safetensors: x.safetensors: tensor "b": the destination has 2 elements, but shape [1] has 1`},
		{f.Float32("c", nil), `safetensors: x.safetensors has no tensor "c"`},
		{ints, `safetensors: x.safetensors: tensor "b": dtype F32 is not an integer type`},
		{missing, `safetensors: x.safetensors has no tensor "c"`},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got error %v, want %s", c.err, c.want)
		}
	}
	if _, ok := f.Info("c"); ok {
		t.Error("a missing tensor has an Info")
	}
	if _, ok := f.View("c"); ok {
		t.Error("a missing tensor has a view")
	}
	f.Release("c")
}

// short is a file that lost its end after it was opened.
type short struct{ b []byte }

func (s short) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(s.b[:len(s.b)-1]).ReadAt(p, off)
}

func TestTruncatedWhileOpen(t *testing.T) {
	b := image(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8)
	f, err := OpenReader(short{b}, int64(len(b)), "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Float32("a", make([]float32, 2)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got error %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

// TestViewAndRelease: a view has the values of the tensor, before and after its
// pages are released; after Close there is none, and reading fails.
func TestViewAndRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	want := make([]float32, 10_000)
	for i := range want {
		want[i] = float32(i) / 3
	}
	err := WriteFile(path, []Tensor{
		{Name: "a", Shape: []int{100, 100}, Float32: want},
		{Name: "b", Shape: []int{100, 100}, Float32: want},
		{Name: "h", Shape: []int{100, 100}, Float32: want, DType: tensorfile.F16},
		{Name: "none", Shape: []int{0}, DType: tensorfile.F32},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if !f.sources[0].mapped {
		t.Log("this system does not map files")
	}
	for _, name := range []string{"a", "b", "a"} {
		if v, ok := f.View(name); ok != f.sources[0].mapped || ok && !slices.Equal(v, want) {
			t.Errorf("view of %s: ok is %v, or values differ", name, ok)
		}
		f.Release(name)
		if !slices.Equal(floats(t, f, name), want) {
			t.Errorf("%s differs after Release", name)
		}
	}
	if _, ok := f.View("h"); ok {
		t.Error("float16 has a view")
	}
	if v, ok := f.View("none"); ok != f.sources[0].mapped || len(v) != 0 {
		t.Errorf("view of an empty tensor: %v, %v", v, ok)
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, ok := f.View("a"); ok {
		t.Error("a closed file has a view")
	}
	if err := f.Float32("a", make([]float32, len(want))); !errors.Is(err, os.ErrClosed) {
		t.Errorf("reading a closed file: got error %v, want %v", err, os.ErrClosed)
	}
	f.Release("a")
}

// TestConcurrentReads: readers, views and releases do not disturb each other.
func TestConcurrentReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	want := make([]float32, 50_000)
	for i := range want {
		want[i] = float32(i)
	}
	if err := WriteFile(path, []Tensor{{Name: "a", Shape: []int{len(want)}, Float32: want}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			got := make([]float32, len(want))
			for range 10 {
				if err := f.Float32("a", got); err != nil || !slices.Equal(got, want) {
					t.Errorf("values differ, or error %v", err)
				}
				f.Release("a")
				if v, ok := f.View("a"); ok && !slices.Equal(v, want) {
					t.Error("the view differs")
				}
			}
		}()
	}
	wg.Wait()
}

// TestMisalignedView: a file whose data is not aligned is read, not viewed.
func TestMisalignedView(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	b := image(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} `, 0)
	b = append(b, 0, 0, 0x80, 0x3f)
	if len(b)%4 == 0 {
		t.Fatal("the data is aligned")
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := f.View("a"); ok {
		t.Error("misaligned floats have a view")
	}
	if v := floats(t, f, "a"); v[0] != 1 {
		t.Errorf("got %v, want 1", v[0])
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder: got error %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: got error %v", err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(empty); err == nil || !strings.Contains(err.Error(), "too short") {
		t.Errorf("an empty file: got error %v", err)
	}
}

// FuzzOpen: a file that opens can be read whole, and written again it is the
// same file.
func FuzzOpen(f *testing.F) {
	f.Add(image(`{}`, 0))
	f.Add(image(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},"b":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}`, 12))
	f.Add(image(`{"b":{"dtype":"BF16","shape":[0],"data_offsets":[8,8]},"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 8))
	f.Add(image(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}`, 4))
	f.Add(image(`{"__metadata__":{"goclip.crc32c":"48674bc7"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := openBytes(b)
		if err != nil {
			return
		}
		for _, name := range file.Names() {
			if _, err := file.Bytes(name); errors.Is(err, ErrChecksum) {
				return
			}
		}
		var out bytes.Buffer
		if err := Write(&out, rewritten(t, file), file.Metadata()); err != nil {
			t.Fatal(err)
		}
		again, err := openBytes(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range file.Names() {
			want, err := file.Bytes(name)
			got, err2 := again.Bytes(name)
			if err != nil || err2 != nil || !bytes.Equal(got, want) {
				t.Errorf("%q differs after writing: %v, %v", name, err, err2)
			}
			info, _ := file.Info(name)
			if info.DType.Float() {
				floats(t, file, name)
			} else if v, err := file.Ints(name); err == nil && len(v) != info.Len() {
				t.Errorf("%q: %d integers of %d", name, len(v), info.Len())
			}
		}
	})
}
