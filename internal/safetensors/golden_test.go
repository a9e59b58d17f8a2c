package safetensors

import (
	"bytes"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/tensorfile"
)

// rewritten returns the tensors of f as they would be written again.
func rewritten(t *testing.T, f *File) []Tensor {
	t.Helper()
	var out []Tensor
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		raw, err := f.Bytes(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Tensor{Name: name, DType: info.DType, Shape: info.Shape, Raw: raw})
	}
	return out
}

// TestGoldenFiles: every file of the reference opens, mapped and read the same,
// and is written again byte for byte. The one file that was put in another order
// on purpose comes back with the same content.
func TestGoldenFiles(t *testing.T) {
	root := golden.Fixtures(t)
	shuffled := filepath.Join("oc_gelu_nonsquare_f32", "open_clip_model.safetensors")
	files := 0
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".safetensors" {
			return err
		}
		files++
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		mapped, err := Open(path)
		if err != nil {
			return err
		}
		defer mapped.Close()
		read, err := OpenReader(bytes.NewReader(want), int64(len(want)), path)
		if err != nil {
			return err
		}
		sameTensors(t, mapped, read)
		tensors := rewritten(t, mapped)
		slices.Reverse(tensors) // the order given is not the order written
		var got bytes.Buffer
		if err := Write(&got, tensors, mapped.Metadata()); err != nil {
			return err
		}
		if same := bytes.Equal(got.Bytes(), want); same == strings.HasSuffix(path, shuffled) {
			t.Errorf("%s: written again, bytes are equal: %v", path, same)
		}
		again, err := OpenReader(bytes.NewReader(got.Bytes()), int64(got.Len()), "again")
		if err != nil {
			return err
		}
		sameTensors(t, again, read)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Errorf("no safetensors file below %s", root)
	}
}

// sameTensors compares names, types, shapes, metadata and values of two files.
func sameTensors(t *testing.T, a, b *File) {
	t.Helper()
	an, bn := a.Names(), b.Names()
	slices.Sort(an)
	slices.Sort(bn)
	if !slices.Equal(an, bn) {
		t.Fatalf("names differ: %v and %v", an, bn)
	}
	if !maps.Equal(a.Metadata(), b.Metadata()) {
		t.Errorf("metadata differ: %v and %v", a.Metadata(), b.Metadata())
	}
	for _, name := range an {
		ai, _ := a.Info(name)
		bi, _ := b.Info(name)
		if ai.DType != bi.DType || !slices.Equal(ai.Shape, bi.Shape) {
			t.Fatalf("%+v and %+v differ", ai, bi)
		}
		if !ai.DType.Float() {
			av, err := a.Ints(name)
			bv, err2 := b.Ints(name)
			if err != nil || err2 != nil || !slices.Equal(av, bv) {
				t.Errorf("%s: integers differ, or errors %v, %v", name, err, err2)
			}
			continue
		}
		av, bv := floats(t, a, name), floats(t, b, name)
		if !slices.Equal(av, bv) {
			t.Errorf("%s: values differ", name)
		}
		for _, f := range []*File{a, b} {
			if v, ok := f.View(name); ok && !slices.Equal(v, av) {
				t.Errorf("%s: the view differs from the copy", name)
			}
		}
	}
}

func floats(t *testing.T, f *File, name string) []float32 {
	t.Helper()
	info, ok := f.Info(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	v := make([]float32, info.Len())
	if err := f.Float32(name, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestGoldenSharded: the sharded checkpoint is one file with the tensors of its
// index, all numbers finite and as many bytes as the index says.
func TestGoldenSharded(t *testing.T) {
	f, err := OpenSharded(golden.Fixtures(t, "checkpoints", "hf_quickgelu_f32_sharded", "model.safetensors.index.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names := f.Names()
	if len(names) != 46 {
		t.Errorf("got %d tensors, want the 31 and 15 of the shards", len(names))
	}
	if m := f.Metadata(); m["format"] != "pt" {
		t.Errorf("metadata: got %v, want format pt", m)
	}
	total := 0
	for _, name := range names {
		for _, v := range floats(t, f, name) {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatalf("%s holds %v", name, v)
			}
			total += 4
		}
	}
	if total != 1278468 {
		t.Errorf("got %d bytes, want the index's total_size 1278468", total)
	}
}

// TestGoldenHalves: a stored half comes out with no more bits than it has.
func TestGoldenHalves(t *testing.T) {
	for name, d := range map[string]tensorfile.DType{"hf_gelu_f16": tensorfile.F16, "hf_quickgelu_bf16": tensorfile.BF16} {
		f, err := Open(golden.Fixtures(t, "checkpoints", name, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, tensor := range f.Names() {
			v := floats(t, f, tensor)
			stored, err := f.Bytes(tensor)
			if err != nil {
				t.Fatal(err)
			}
			again := make([]byte, len(stored))
			if err := tensorfile.EncodeFloat32(again, d, v); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again, stored) {
				t.Errorf("%s: %s does not come back as it was stored", name, tensor)
			}
		}
	}
}
