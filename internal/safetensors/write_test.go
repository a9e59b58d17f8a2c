package safetensors

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/tensorfile"
)

// TestWriteBytes: the file is what the reference implementation writes for the
// same content.
func TestWriteBytes(t *testing.T) {
	var b bytes.Buffer
	err := Write(&b, []Tensor{
		{Name: "u", DType: tensorfile.U8, Shape: []int{3}, Raw: []byte{1, 2, 3}},
		{Name: "h", DType: tensorfile.F16, Float32: []float32{1}},
		{Name: "f<&>", Shape: []int{2}, Float32: []float32{1, -2}},
		{Name: "a", DType: tensorfile.F32, Shape: []int{0, 2}, Float32: []float32{}},
		{Name: "i", DType: tensorfile.I64, Shape: nil, Raw: make([]byte, 8)},
	}, map[string]string{"z": "1", "format": "p\"t"})
	if err != nil {
		t.Fatal(err)
	}
	header := `{"__metadata__":{"format":"p\"t","z":"1"},` +
		`"i":{"dtype":"I64","shape":[],"data_offsets":[0,8]},` +
		`"a":{"dtype":"F32","shape":[0,2],"data_offsets":[8,8]},` +
		`"f<&>":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},` +
		`"h":{"dtype":"F16","shape":[],"data_offsets":[16,18]},` +
		`"u":{"dtype":"U8","shape":[3],"data_offsets":[18,21]}}`
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	want := image(header, 0)
	want = append(want, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0x3c, 1, 2, 3)
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("got  %q\nwant %q", b.Bytes(), want)
	}
}

// TestWriteRoundTrip: values come back bit for bit, in every size around the
// writer's buffer, NaN payloads included.
func TestWriteRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 1<<16 - 1, 1 << 16, 1<<16 + 1} {
		want := make([]float32, n)
		for i := range want {
			want[i] = math.Float32frombits(uint32(i) * 2654435761)
		}
		var b bytes.Buffer
		if err := Write(&b, []Tensor{{Name: "a", Shape: []int{n}, Float32: want}}, nil); err != nil {
			t.Fatal(err)
		}
		f, err := openBytes(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range floats(t, f, "a") {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Fatalf("element %d of %d: got %v, want %v", i, n, v, want[i])
			}
		}
	}
}

// TestWriteParts: a tensor in pieces gives the file of the whole.
func TestWriteParts(t *testing.T) {
	const n = 1<<16 + 7
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i)
	}
	for _, d := range []tensorfile.DType{tensorfile.F32, tensorfile.BF16} {
		var whole, parts bytes.Buffer
		err := Write(&whole, []Tensor{{Name: "a", DType: d, Shape: []int{n}, Float32: x}}, nil)
		if e := Write(&parts, []Tensor{{Name: "a", DType: d, Shape: []int{n}, Parts: [][]float32{x[:1], {}, x[1:40], x[40:]}}}, nil); err != nil || e != nil {
			t.Fatal(err, e)
		}
		if !bytes.Equal(parts.Bytes(), whole.Bytes()) {
			t.Errorf("%s: the bytes differ", d)
		}
	}
	if err := Write(io.Discard, []Tensor{{Name: "a", Shape: []int{0, 3}, Parts: [][]float32{}}}, nil); err != nil {
		t.Errorf("no pieces for no elements: %v", err)
	}
}

// failing fails once n bytes were written.
type failing struct{ n int }

var errFull = errors.New("disk full")

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.n {
		return f.n, errFull
	}
	f.n -= len(p)
	return len(p), nil
}

// TestWriteRefusals: a refused tensor is named, and not a byte is written.
func TestWriteRefusals(t *testing.T) {
	one := []float32{1}
	for _, c := range []struct {
		tensors []Tensor
		want    string
	}{
		{[]Tensor{{Name: "a", Float32: one}, {Name: "a", Float32: one}}, `tensor "a": the name is taken`},
		{[]Tensor{{Name: "__metadata__", Float32: one}}, `tensor "__metadata__": the name is taken`},
		{[]Tensor{{Name: "a\xff", Float32: one}}, "the name is not UTF-8"},
		{[]Tensor{{Name: "a", Shape: []int{2}, Float32: one}}, "1 elements, but shape [2] has 2"},
		{[]Tensor{{Name: "a", Shape: []int{-1}, Float32: one}}, "negative dimension"},
		{[]Tensor{{Name: "a", DType: tensorfile.U8, Shape: []int{2}, Raw: []byte{1}}}, "1 bytes, but U8[2] needs 2"},
		{[]Tensor{{Name: "a", DType: "F7", Raw: []byte{1}}}, `unknown dtype "F7"`},
		{[]Tensor{{Name: "a", Raw: []byte{1}}}, `unknown dtype ""`},
		{[]Tensor{{Name: "a", DType: tensorfile.I32, Float32: one}}, "dtype I32 is not stored from float32"},
		{[]Tensor{{Name: "a", DType: tensorfile.F64, Float32: one}}, "dtype F64 is not stored from float32"},
		{[]Tensor{{Name: "a", Float32: one, Raw: make([]byte, 4)}}, "both Float32 and Raw are set"},
		{[]Tensor{{Name: "a", Float32: one, Parts: [][]float32{one}}}, "both Float32 and Parts are set"},
		{[]Tensor{{Name: "a", Shape: []int{4}, Parts: [][]float32{one, one, one}}}, "3 elements, but shape [4] has 4"},
	} {
		err := Write(&failing{}, c.tensors, nil)
		if err == nil || !strings.HasPrefix(err.Error(), "safetensors: write: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %s", err, c.want)
		}
	}
	if err := Write(&failing{}, nil, map[string]string{"a": "\xff"}); err == nil || !strings.Contains(err.Error(), `metadata "a": not UTF-8`) {
		t.Errorf("metadata: got error %v", err)
	}
}

// TestWriteErrors: wherever the writer fails, its error comes back.
func TestWriteErrors(t *testing.T) {
	tensors := []Tensor{{Name: "a", Shape: []int{2}, Float32: []float32{1, 2}}, {Name: "b", DType: tensorfile.U8, Shape: []int{3}, Raw: []byte{1, 2, 3}}}
	var whole bytes.Buffer
	if err := Write(&whole, tensors, nil); err != nil {
		t.Fatal(err)
	}
	for n := range whole.Len() {
		if err := Write(&failing{n}, tensors, nil); !errors.Is(err, errFull) {
			t.Fatalf("after %d bytes: got error %v, want %v", n, err, errFull)
		}
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestWriteFileIsAtomic: a failure, of the content, the disk or the folder,
// leaves the old file and nothing beside it.
func TestWriteFileIsAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.safetensors")
	old := []Tensor{{Name: "old", Float32: []float32{1}}}
	if err := WriteFile(path, old, nil); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	full := func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return err
		}
		return errFull
	}
	for name, err := range map[string]error{
		"refused tensor":   WriteFile(path, []Tensor{{Name: "a", DType: "F7"}}, nil),
		"full disk":        journal.WriteFile(path, full),
		"path is a folder": WriteFile(folder, old, nil),
		"no such folder":   WriteFile(filepath.Join(dir, "none", "a"), old, nil),
		"folder is a file": WriteFile(filepath.Join(path, "a"), old, nil),
		"name is too long": WriteFile(filepath.Join(dir, strings.Repeat("a", 300)), old, nil),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the old file is gone or changed: %v", err)
	}
	if got, want := files(t, dir), []string{"a.safetensors", "folder"}; !slices.Equal(got, want) {
		t.Errorf("left behind: got %v, want %v", got, want)
	}
	if got := files(t, folder); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
	if err := WriteFile(path, []Tensor{{Name: "new", Float32: []float32{2}}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := f.Names(); !slices.Equal(got, []string{"new"}) {
		t.Errorf("replaced file: got %v", got)
	}
}

func TestWriteFileInUnwritableFolder(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("permissions do not bind this user")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	err := WriteFile(filepath.Join(dir, "a"), []Tensor{{Name: "a", Float32: []float32{1}}}, nil)
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("got error %v, want %v", err, os.ErrPermission)
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// TestWriteFileOverOpenFile: a model may be saved over the file it is mapped from.
func TestWriteFileOverOpenFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be replaced here")
	}
	path := filepath.Join(t.TempDir(), "a.safetensors")
	for _, v := range []float32{1, 2} {
		if err := WriteFile(path, []Tensor{{Name: "a", Float32: []float32{v}}}, nil); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got := floats(t, f, "a"); got[0] != v {
			t.Errorf("got %v, want %v", got[0], v)
		}
		if err := WriteFile(path, []Tensor{{Name: "a", Float32: floats(t, f, "a")}}, nil); err != nil {
			t.Fatal(err)
		}
		if view, ok := f.View("a"); ok && view[0] != v {
			t.Errorf("the view of the replaced file: got %v, want %v", view[0], v)
		}
	}
}
