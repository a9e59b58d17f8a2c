package checkpoint_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/internal/safetensors"
)

// TestDamagedWeights: a saved file of weights in which one bit differs is an
// error with the file's name. Of the header's bits that holds outside of its
// metadata; there a flip may hide the checksums, but then the weights are whole.
func TestDamagedWeights(t *testing.T) {
	s := tinySpec()
	want := random(t, s)
	for layout, name := range map[string]string{checkpoint.OpenCLIP: "open_clip_model.safetensors", checkpoint.HuggingFace: "model.safetensors"} {
		for _, own := range []bool{false, true} {
			dir := saved(t, layout, s)
			path := filepath.Join(dir, name)
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			header := 8 + int(binary.LittleEndian.Uint64(good))
			metadata := bytes.IndexByte(good, '}') + 1
			flip := func(bit int) {
				bad := slices.Clone(good)
				bad[bit/8] ^= 1 << (bit % 8)
				write(t, path, string(bad))
				got, err := load(t, dir, own)
				if got != nil {
					defer got.close()
				}
				inMetadata := bit/8 >= 8 && bit/8 < metadata
				switch {
				case err == nil && inMetadata:
					sameParams(t, got.params(), want.params())
				case err == nil:
					t.Errorf("%s: bit %d of byte %d, of which %d are the header: no error", name, bit%8, bit/8, header)
				case !strings.Contains(err.Error(), name):
					t.Errorf("got error %v, want one with %s", err, name)
				case bit/8 >= header && !errors.Is(err, safetensors.ErrChecksum):
					t.Errorf("got error %v, want %v", err, safetensors.ErrChecksum)
				}
			}
			// Steps that are odd come to every bit of a byte.
			for bit := 0; bit < 8*header; bit += 8*header/150 | 1 {
				flip(bit)
			}
			for bit := 8 * header; bit < 8*len(good); bit += (len(good)-header)/5 | 1 {
				flip(bit)
			}
			flip(8*len(good) - 1)
		}
	}
}

// TestTruncatedWeights: wherever a saved file of weights ends too early, it is an
// error with the file's name.
func TestTruncatedWeights(t *testing.T) {
	dir := saved(t, checkpoint.OpenCLIP, tinySpec())
	path := filepath.Join(dir, "open_clip_model.safetensors")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(good); n += 1 + n/5 {
		write(t, path, string(good[:n]))
		got, err := load(t, dir, false)
		if got != nil {
			got.close()
		}
		wantError(t, err, "open_clip_model.safetensors")
	}
}

// TestNoChecksums: weights from elsewhere have none and load.
func TestNoChecksums(t *testing.T) {
	s := tinySpec()
	dir := saved(t, checkpoint.OpenCLIP, s)
	rewrite(t, filepath.Join(dir, "open_clip_model.safetensors"), func(ts []safetensors.Tensor) []safetensors.Tensor { return ts })
	got, err := load(t, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer got.close()
	sameParams(t, got.params(), random(t, s).params())
}

// loaded is a model with views of an open file.
type loaded struct {
	*model
	close func() error
}

// load opens the checkpoint in dir and fills a model.
func load(t *testing.T, dir string, own bool) (*loaded, error) {
	t.Helper()
	c, err := checkpoint.Open(dir, &checkpoint.Options{Own: own})
	if err != nil {
		return nil, err
	}
	m := blank(t, c.Spec())
	return &loaded{m, c.Close}, c.Fill(m.params())
}
