package torchfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

// TestFlippedBitIsNoticed: a zip entry's checksum is compared when one of its
// tensors is read.
func TestFlippedBitIsNoticed(t *testing.T) {
	data, err := os.ReadFile(golden.Fixtures(t, "checkpoints", "openai_vit", "state_dict.pt"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := OpenReader(strings.NewReader(string(data)), int64(len(data)), "whole")
	if err != nil {
		t.Fatal(err)
	}
	const name = "visual.proj"
	at := f.tensors[name].start()
	data[at+5] ^= 8
	path := filepath.Join(t.TempDir(), "state_dict.pt")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	damaged, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer damaged.Close()
	info, _ := damaged.Info(name)
	for range 2 {
		err = damaged.Float32(name, make([]float32, info.Len()))
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("got error %v, want one that names the file, the tensor and the damage", err)
		}
	}
}
