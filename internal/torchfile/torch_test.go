package torchfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTorchFiles: what PyTorch wrote is read as PyTorch reads it: every type,
// layouts that are not row-major, both containers, a training checkpoint and a
// scripted module. testdata/make.py wrote the files and what they hold.
func TestTorchFiles(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]map[string]struct {
		Shape  []int
		DType  string
		Values []float64
	}
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	if len(expected) != 5 {
		t.Errorf("got %d files, want 5", len(expected))
	}
	short := strings.NewReplacer("bfloat", "BF", "float", "F", "uint", "U", "int", "I", "bool", "BOOL")
	for file, tensors := range expected {
		f, err := Open(filepath.Join("testdata", file))
		if err != nil {
			t.Error(err)
			continue
		}
		defer f.Close()
		if got := f.Names(); len(got) != len(tensors) {
			t.Errorf("%s: got the tensors %v, want %d", file, got, len(tensors))
		}
		for name, want := range tensors {
			info, ok := f.Info(name)
			if !ok || !slices.Equal(info.Shape, want.Shape) || string(info.DType) != short.Replace(want.DType) {
				t.Errorf("%s: %s: got %+v, %v, want %+v", file, name, info, ok, want)
				continue
			}
			if got := numbers(t, f, info); !slices.Equal(got, want.Values) {
				t.Errorf("%s: %s: got %v, want %v", file, name, got, want.Values)
			}
		}
	}
}

func numbers(t *testing.T, f *File, info Info) []float64 {
	t.Helper()
	out := make([]float64, info.Len())
	if info.DType.Float() {
		v := make([]float32, len(out))
		if err := f.Float32(info.Name, v); err != nil {
			t.Fatal(err)
		}
		for i := range out {
			out[i] = float64(v[i])
		}
		return out
	}
	v, err := f.Ints(info.Name)
	if err != nil || len(v) != len(out) {
		t.Fatalf("%s: %d integers and error %v", info.Name, len(v), err)
	}
	for i := range out {
		out[i] = float64(v[i])
	}
	return out
}

func TestTorchCheckpointValues(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "epoch_7.pt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if epoch, ok := f.Value("epoch"); !ok || epoch != int64(7) {
		t.Errorf("epoch: got %v, %v, want 7", epoch, ok)
	}
	if name, ok := f.Value("name"); !ok || name != "tiny" {
		t.Errorf("name: got %v, %v, want tiny", name, ok)
	}
}
