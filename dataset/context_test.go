package dataset

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// TestContextOfSamples: the context's end is the error of decoding, whatever the image is
// read from, and spoils the sample for nobody else.
func TestContextOfSamples(t *testing.T) {
	var data bytes.Buffer
	if err := png.Encode(&data, image.NewRGBA(image.Rect(0, 0, 9, 9))); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.png"), data.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	set, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	attached := Sample{}
	attached.attach(data.Bytes(), nil, &Options{})
	samples := []Sample{attached, {DecodeContext: func(ctx context.Context) (image.Image, error) { return nil, ctx.Err() }}}
	for s, err := range set.Samples(t.Context(), Order{}) {
		if err != nil {
			t.Fatal(err)
		}
		samples = append(samples, s)
	}
	if len(samples) != 3 {
		t.Fatalf("%d samples, want 3", len(samples))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for i, s := range samples {
		if _, err := s.PictureContext(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("sample %d: %v, want the context's error", i, err)
		}
		s.Captions = []string{"a"}
		if _, err := s.PairContext(ended, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("sample %d: a pair: %v, want the context's error", i, err)
		}
		if i == 1 {
			continue
		}
		if p, err := s.PictureContext(t.Context()); err != nil || p.Image.Bounds().Dx() != 9 {
			t.Errorf("sample %d: %v", i, err)
		}
		if img, err := s.Decode(); err != nil || img.Bounds().Dx() != 9 {
			t.Errorf("sample %d: Decode: %v", i, err)
		}
	}
}
