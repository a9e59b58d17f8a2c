package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/tensorfile"
)

// numpyScalar is how Python pickles numpy.float64(0.5).
const numpyScalar = "cnumpy.core.multiarray\nscalar\n" +
	"cnumpy\ndtype\nX\x02\x00\x00\x00f8\x89\x88\x87R(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb" +
	"c_codecs\nencode\nX\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc3\xa0?X\x06\x00\x00\x00latin1\x86R\x86R"

// TestCheckpoint: a training checkpoint with an optimizer gives the names of its
// state_dict, its plain values, and no more.
func TestCheckpoint(t *testing.T) {
	step := stored{class: "FloatStorage", key: "0", numel: 6, offset: 5, shape: tuple{}, stride: tuple{}}
	f, err := openBytes(archiveOf(t, dictOf(
		"epoch", 3, "name", "ViT", "lr", 0.5, "best", true, "none", nil, "rate", raw(numpyScalar),
		"state_dict", ordered{"module.a": stored{class: "FloatStorage", key: "0", numel: 6, shape: tuple{2, 3}, stride: tuple{3, 1}, parameter: true}},
		"optimizer", dictOf(
			"state", dictOf(0, dictOf("step", step)),
			"param_groups", &list{[]any{dictOf("lr", raw(numpyScalar), "betas", tuple{0.9, 0.98}, "params", &list{[]any{0}})}}),
	)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Names(), []string{"module.a"}; !slices.Equal(got, want) {
		t.Errorf("names: got %v, want %v", got, want)
	}
	if got, want := f.Keys(), []string{"epoch", "name", "lr", "best", "none", "rate", "state_dict", "optimizer"}; !slices.Equal(got, want) {
		t.Errorf("keys: got %v, want %v", got, want)
	}
	for key, want := range map[string]any{"epoch": int64(3), "name": "ViT", "lr": 0.5, "best": true, "none": nil} {
		if got, ok := f.Value(key); !ok || got != want {
			t.Errorf("%s: got %v, %v, want %v", key, got, ok, want)
		}
	}
	for _, key := range []string{"state_dict", "optimizer", "rate", "missing"} {
		if v, ok := f.Value(key); ok {
			t.Errorf("%s: got the plain value %v", key, v)
		}
	}
}

// TestFlatten: dicts, lists, modules and integer keys make dotted names; what is
// no tensor is left out.
func TestFlatten(t *testing.T) {
	b := bytesTensor("1", 2)
	f, err := openBytes(archiveOf(t, module{"__torch__.a.Net", dictOf(
		"training", false, "w", b,
		"sub", module{"__torch__.a.___torch_mangle_3.Sub", dictOf("w", b, "0", module{"__torch__.b.C", tuple{b, 1, b}})},
		"list", &list{[]any{b, dictOf(7, b), global(torchSize)}},
		"empty", module{"__torch__.D", nil},
	)}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"w", "sub.w", "sub.0.0", "sub.0.2", "list.0", "list.1.7"}
	if got := f.Names(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestStrides: every layout of a tensor in its storage gives the elements that
// an index computation gives.
func TestStrides(t *testing.T) {
	for _, c := range []struct {
		offset        int64
		shape, stride tuple
		want          []byte
	}{
		{0, tuple{}, tuple{}, []byte{0}},
		{23, tuple{}, tuple{}, []byte{23}},
		{2, tuple{2, 3}, tuple{3, 1}, []byte{2, 3, 4, 5, 6, 7}},
		{0, tuple{3, 2}, tuple{1, 3}, []byte{0, 3, 1, 4, 2, 5}},
		{1, tuple{2, 2, 2}, tuple{1, 10, 4}, []byte{1, 5, 11, 15, 2, 6, 12, 16}},
		{0, tuple{2, 1, 2}, tuple{2, 99, 1}, []byte{0, 1, 2, 3}},
		{5, tuple{3}, tuple{0}, []byte{5, 5, 5}},
		{0, tuple{4}, tuple{6}, []byte{0, 6, 12, 18}},
		{24, tuple{0}, tuple{1}, nil},
		{3, tuple{5, 0}, tuple{0, 1}, nil},
	} {
		f, err := openBytes(archiveOf(t, dictOf("a", stored{class: "ByteStorage", key: "0", numel: 24, offset: c.offset, shape: c.shape, stride: c.stride})))
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if got, err := f.Bytes("a"); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%+v: got %v and error %v", c, got, err)
		}
		info, _ := f.Info("a")
		if v, err := f.Ints("a"); err != nil || len(v) != info.Len() {
			t.Errorf("%+v: got %d integers and error %v", c, len(v), err)
		}
	}
}

// TestStridedFloats: a transposed half-precision matrix is converted in its own
// order.
func TestStridedFloats(t *testing.T) {
	f, err := openBytes(archiveOf(t, dictOf("a", stored{class: "HalfStorage", key: "0", numel: 12, offset: 2, shape: tuple{2, 3}, stride: tuple{1, 2}})))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 6)
	if err := f.Float32("a", got); err != nil {
		t.Fatal(err)
	}
	straight, err := openBytes(archiveOf(t, dictOf("a", stored{class: "HalfStorage", key: "0", numel: 12, shape: tuple{12}, stride: tuple{1}})))
	if err != nil {
		t.Fatal(err)
	}
	all := make([]float32, 12)
	if err := straight.Float32("a", all); err != nil {
		t.Fatal(err)
	}
	if want := []float32{all[2], all[4], all[6], all[3], all[5], all[7]}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestStorageTypes: each storage class has its element type, of the right size.
func TestStorageTypes(t *testing.T) {
	for class, want := range map[string]tensorfile.DType{
		"Double": tensorfile.F64, "Float": tensorfile.F32, "Half": tensorfile.F16, "BFloat16": tensorfile.BF16,
		"Long": tensorfile.I64, "Int": tensorfile.I32, "Short": tensorfile.I16, "Char": tensorfile.I8, "Byte": tensorfile.U8, "Bool": tensorfile.Bool,
	} {
		n := int64(24 / want.Size())
		f, err := openBytes(archiveOf(t, dictOf("a", stored{class: class + "Storage", key: "0", numel: n, shape: tuple{n}, stride: tuple{1}})))
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := f.Info("a"); info.DType != want {
			t.Errorf("%sStorage: got %s, want %s", class, info.DType, want)
		}
		if b, err := f.Bytes("a"); err != nil || !bytes.Equal(b, counting(24)) {
			t.Errorf("%sStorage: got %v and error %v", class, b, err)
		}
	}
}

func TestLegacy(t *testing.T) {
	a, b := bytesTensor("1", 3), bytesTensor("0", 2)
	a.legacy, b.legacy = true, true
	f, err := openBytes(legacyOf(dictOf("a", a, "b", b), little(), []byte{7, 8}, []byte{1, 2, 3}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"a": {1, 2, 3}, "b": {7, 8}} {
		if got, err := f.Bytes(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %v and error %v, want %v", name, got, err, want)
		}
	}
}

// TestReadErrors names the tensor and what is wrong with the request.
func TestReadErrors(t *testing.T) {
	f, err := openBytes(archiveOf(t, dictOf("i", stored{class: "IntStorage", key: "0", numel: 6, shape: tuple{2}, stride: tuple{2}}, "f",
		stored{class: "BFloat16Storage", key: "1", numel: 1, shape: tuple{1}, stride: tuple{1}})))
	if err != nil {
		t.Fatal(err)
	}
	_, ints := f.Ints("f")
	_, missing := f.Bytes("c")
	for _, c := range []struct {
		err  error
		want string
	}{
		{f.Float32("i", make([]float32, 2)), `torchfile: x.pt: tensor "i": dtype I32 is not converted to float32`},
		{f.Float32("f", make([]float32, 2)), `torchfile: x.pt: tensor "f": the destination has 2 elements, but shape [1] has 1`},
		{f.Float32("c", nil), `torchfile: x.pt has no tensor "c"`},
		{ints, `torchfile: x.pt: tensor "f": dtype BF16 is not an integer type`},
		{missing, `torchfile: x.pt has no tensor "c"`},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got error %v, want %s", c.err, c.want)
		}
	}
	if _, ok := f.Info("c"); ok {
		t.Error("a missing tensor has an Info")
	}
}

func TestOpenAndClose(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.pt")
	if err := os.WriteFile(path, archiveOf(t, dictOf("a", bytesTensor("1", 2))), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Bytes("a"); err != nil || !bytes.Equal(got, []byte{0, 1}) {
		t.Errorf("got %v and error %v", got, err)
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, err := f.Bytes("a"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("reading a closed file: got error %v, want %v", err, os.ErrClosed)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: got error %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: got error %v", err)
	}
}

// TestContainerRefusals: what is wrong with a container is found on opening it.
func TestContainerRefusals(t *testing.T) {
	pkl := entry{name: "x/data.pkl", data: pickleOf(dictOf("a", bytesTensor("0", 2)))}
	store := entry{name: "x/data/0", data: []byte{1, 2}}
	tensor := bytesTensor("0", 2)
	tensor.legacy = true
	legacy := legacyOf(dictOf("a", tensor), little(), []byte{1, 2})
	twice := append(pickleOf(dictOf()), '.')
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "neither a zip archive nor a legacy pickle"},
		{"text", []byte("hello"), "it begins with 68 65 6c 6c 6f"},
		{"another pickle", pickleOf(dictOf()), "neither a zip archive nor a legacy pickle"},
		{"zip cut short", zipOf(t, pkl, store)[:60], "zip: not a valid zip file"},
		{"no data.pkl", zipOf(t, store), "no entry <name>/data.pkl"},
		{"data.pkl too deep", zipOf(t, entry{name: "x/y/data.pkl"}), "no entry <name>/data.pkl"},
		{"two data.pkl", zipOf(t, pkl, entry{name: "y/data.pkl"}), "both x/data.pkl and y/data.pkl"},
		{"same name twice", zipOf(t, pkl, store, store), `two entries "x/data/0"`},
		{"no storage", zipOf(t, pkl), `the archive has no entry "x/data/0"`},
		{"compressed storage", zipOf(t, pkl, entry{store.name, store.data, zip.Deflate}), `entry "x/data/0" is compressed`},
		{"compressed pickle", zipOf(t, entry{pkl.name, make([]byte, 1<<20), zip.Deflate}, store), `entry "x/data.pkl" is compressed`},
		{"short storage", zipOf(t, pkl, entry{name: store.name, data: []byte{1}}), `storage "0" has 1 bytes, but 2 of U8 need 2`},
		{"long storage", zipOf(t, pkl, entry{name: store.name, data: []byte{1, 2, 3}}), `storage "0" has 3 bytes, but 2 of U8 need 2`},
		{"big-endian", zipOf(t, pkl, store, entry{name: "x/byteorder", data: []byte("big")}), `byteorder is "big", want little`},
		{"after the pickle", zipOf(t, entry{name: pkl.name, data: twice}), "x/data.pkl: 1 bytes follow the pickle"},
		{"huge pickle", zipOf(t, entry{name: pkl.name, data: make([]byte, maxPickle+1)}), "x/data.pkl has 67108865 bytes, at most 67108864 are read"},
		{"not a dict", archiveOf(t, 7), "it holds an int, want a dict or a module"},
		{"bare tensor", archiveOf(t, bytesTensor("0", 24)), "it holds a tensor, want a dict or a module"},
		{"odd model_state_dict", archiveOf(t, dictOf("model_state_dict", 7)), "model_state_dict is an int, want a dict"},
		{"odd state_dict", archiveOf(t, dictOf("state_dict", 7)), "state_dict is an int, want a dict"},
		{"legacy cut short", legacy[:20], "unexpected EOF"},
		{"legacy of another protocol", append([]byte(legacyMagic), bytes.Repeat(pickleOf(7), 4)...), "legacy protocol 7, want 1001"},
		{"legacy big-endian", legacyOf(dictOf(), dictOf("little_endian", false)), "little_endian false, want true"},
		{"legacy without system", legacyOf(dictOf(), 7), "system information is an int"},
		{"legacy view", legacyOf(dictOf("a", raw("(U\x07storagectorch\nByteStorage\nU\x010U\x03cpuK\x01)tQ")), little()), `storage "0" is a view, as before PyTorch 0.4`},
		{"legacy storage in system", legacyOf(dictOf(), tensor, []byte{1, 2}), "a storage outside the value"},
		{"legacy without storage", legacyOf(dictOf("a", tensor), little()), `storage "0" and 0 others are not in the file`},
		{"legacy unused storage", legacyOf(dictOf(), little(), []byte{1}), `storage "0" is listed twice or not used`},
		{"legacy length", legacyOf(dictOf("a", tensor), little(), []byte{1}), `storage "0" has length 1, but its tensors say 2`},
		{"legacy data cut short", legacy[:len(legacy)-1], `storage "0", 2 bytes from`},
		{"legacy length cut short", legacy[:len(legacy)-3], `storage "0": the file ends at`},
		{"legacy trailing bytes", append(slices.Clone(legacy), 0), "1 bytes follow the last storage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(c.file)
			if err == nil || !strings.HasPrefix(err.Error(), "torchfile: x.pt: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestEntryOutsideFile: a directory that puts an entry past the end is refused,
// as is one that is far larger than any checkpoint's.
func TestEntryOutsideFile(t *testing.T) {
	file := zipOf(t, entry{name: "x/data.pkl", data: pickleOf(dictOf("a", bytesTensor("0", 1<<20)))}, entry{name: "x/data/0", data: []byte{1}})
	at := bytes.LastIndex(file, []byte("x/data/0")) - 46 // the entry's record in the directory
	for _, field := range []int{20, 24} {                // both sizes
		binary.LittleEndian.PutUint32(file[at+field:], 1<<20)
	}
	if _, err := openBytes(file); err == nil || !strings.Contains(err.Error(), `entry "x/data/0", 1048576 bytes from`) {
		t.Errorf("got error %v", err)
	}
	var many []entry
	long := strings.Repeat("n", 60_000)
	for i := range maxDirectory/len(long) + 1 {
		many = append(many, entry{name: long + strconv.Itoa(i)})
	}
	if _, err := openBytes(zipOf(t, many...)); err == nil || !strings.Contains(err.Error(), "the zip directory exceeds 8388608 bytes") {
		t.Errorf("got error %v", err)
	}
}

// FuzzOpen: any bytes are refused or can be read whole.
func FuzzOpen(f *testing.F) {
	legacy := bytesTensor("0", 2)
	legacy.legacy = true
	f.Add(archiveOf(f, dictOf("epoch", 1, "state_dict", ordered{"a": bytesTensor("1", 2)})))
	f.Add(archiveOf(f, module{"__torch__.A", dictOf("a", stored{class: "HalfStorage", key: "0", numel: 12, offset: 2, shape: tuple{2, 3}, stride: tuple{1, 2}})}))
	f.Add(legacyOf(dictOf("a", legacy), little(), []byte{1, 2}))
	for _, name := range []string{"module_state.pt", "state_legacy.pt"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(readAll)
}

// FuzzPickle: any pickle in a sound archive is refused or can be read whole.
func FuzzPickle(f *testing.F) {
	f.Add(pickleOf(dictOf("epoch", 1, "state_dict", ordered{"a": bytesTensor("1", 2)})))
	f.Add(pickleOf(module{"__torch__.A", dictOf("a", stored{class: "HalfStorage", key: "0", numel: 12, offset: 2, shape: tuple{2, 3}, stride: tuple{1, 2}, parameter: true})}))
	f.Add(pickleOf(dictOf(1, &list{[]any{nil, true, 0.5, tuple{1, 2}}}, "s", raw("U\x01aq\x01h\x01r\x02\x00\x00\x00j\x02\x00\x00\x00\x87"))))
	f.Fuzz(func(t *testing.T, pickle []byte) {
		readAll(t, zipOf(t, entry{name: "x/data.pkl", data: pickle},
			entry{name: "x/data/0", data: counting(24)}, entry{name: "x/data/1", data: counting(2)}))
	})
}

func readAll(t *testing.T, b []byte) {
	t.Helper()
	f, err := openBytes(b)
	if err != nil {
		return
	}
	for _, key := range f.Keys() {
		f.Value(key)
	}
	for _, name := range f.Names() {
		info, ok := f.Info(name)
		data, err := f.Bytes(name)
		if errors.Is(err, errDamaged) {
			continue
		}
		if !ok || err != nil || len(data) != info.Len()*info.DType.Size() || len(data) > 8*len(b) {
			t.Fatalf("%q: %d bytes of %+v, error %v", name, len(data), info, err)
		}
		if info.DType.Float() {
			err = f.Float32(name, make([]float32, info.Len()))
		} else {
			_, err = f.Ints(name)
		}
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
	}
}

// TestWrappers: the tensors are those of the first key that programs put them under.
func TestWrappers(t *testing.T) {
	for _, key := range []string{"state_dict", "model_state_dict", "model"} {
		data := archiveOf(t, dictOf("epoch", 1, key, ordered{"a": bytesTensor("1", 2)}, "optimizer", ordered{"b": bytesTensor("1", 2)}))
		f, err := OpenReader(bytes.NewReader(data), int64(len(data)), "file")
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if got := f.Names(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("%s: tensors %q, want a alone", key, got)
		}
	}
}
