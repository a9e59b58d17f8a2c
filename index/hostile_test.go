package index_test

import (
	"context"
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/index"
)

// blank is an image without any pixels to read.
type blank struct{ what string }

func (b blank) Bounds() image.Rectangle {
	if b.what == "bounds" {
		panic("no bounds")
	}
	return image.Rect(0, 0, 20, 20)
}
func (blank) ColorModel() color.Model { return color.RGBAModel }
func (b blank) At(int, int) color.Color {
	if b.what == "nil" {
		return nil
	}
	panic("no pixels")
}

// hostile is a set of n images, of which some are blank.
func hostile(n int, blanks map[int]string) *dataset.Indexed {
	return dataset.NewIndexed(n, func(i int) dataset.Sample {
		return dataset.Sample{File: "file", Key: string(rune('A' + i)), Captions: []string{"a"}, Label: "a", Decode: func() (image.Image, error) {
			if what, ok := blanks[i]; ok {
				return blank{what}, nil
			}
			img := image.NewRGBA(image.Rect(0, 0, 20, 20))
			img.Pix[4*i], img.Pix[3] = 200, 255
			return img, nil
		}}
	})
}

// TestHostileImages: one that panics when it is read is left out and told, and the
// others are there, with the bits that they have without it.
func TestHostileImages(t *testing.T) {
	m := model(t, 8)
	blanks := map[int]string{0: "pixels", 3: "bounds", 7: "nil", 8: "pixels"}
	x, skipped, err := index.Build(t.Context(), m, hostile(12, blanks))
	check(t, err)
	whole, none, err := index.Build(t.Context(), m, hostile(12, nil))
	check(t, err)
	if x.Len() != 8 || len(skipped) != 4 || whole.Len() != 12 || none != nil {
		t.Fatalf("%d entries and %d skipped, want 8 and 4", x.Len(), len(skipped))
	}
	for _, err := range skipped {
		if !strings.HasPrefix(err.Error(), "file: ") || !strings.Contains(err.Error(), "panic: ") || !strings.Contains(err.Error(), "hostile_test.go") && !strings.Contains(err.Error(), "nil pointer") {
			t.Errorf("skipped: %v, want what panicked, and where", err)
		}
	}
	query := make([]float32, 8)
	query[0] = 1
	some, err := x.Search(query, 12, nil)
	check(t, err)
	all, err := whole.Search(query, 12, func(e index.Entry) bool { _, ok := x.Get(e.Key); return ok })
	check(t, err)
	for i := range some {
		if some[i] != all[i] {
			t.Errorf("hit %d is %v beside blanks, %v without", i, some[i], all[i])
		}
	}
	f, err := eval.Embed(t.Context(), m, hostile(12, blanks), nil)
	check(t, err)
	if f.Images.N != 8 || len(f.Skipped) != 4 {
		t.Errorf("eval: %d images and %d skipped, want 8 and 4", f.Images.N, len(f.Skipped))
	}
	_, skipped, err = index.Build(t.Context(), m, hostile(2, map[int]string{0: "pixels", 1: "nil"}))
	fails(t, "none of 2 images can be used", err)
	if len(skipped) != 2 {
		t.Errorf("%d skipped, want 2", len(skipped))
	}
	check(t, m.Close())
	if _, _, err := index.Build(t.Context(), m, hostile(2, nil)); !errors.Is(err, encoder.ErrClosed) {
		t.Errorf("a closed model: got error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := index.Build(ctx, model(t, 8), hostile(2, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

// TestPanicOfKeep: a search whose filter panics is an error, and the next one is as ever.
func TestPanicOfKeep(t *testing.T) {
	x := index.New(4)
	check(t, x.Add([]index.Entry{{Key: "a"}, {Key: "b"}}, halves(2)))
	query := halves(1).Row(0)
	_, err := x.Search(query, 1, func(index.Entry) bool { panic("no filter") })
	fails(t, "index: search: panic: no filter", err)
	hits, err := x.Search(query, 2, nil)
	check(t, err)
	if len(hits) != 2 {
		t.Errorf("%d hits, want 2", len(hits))
	}
	check(t, x.Close())
}
