package dataset_test

import (
	"context"
	"image"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
)

// TestPanics: a decoder or augmentation that panics costs the sample alone, which the
// ledger names.
func TestPanics(t *testing.T) {
	src := dataset.NewIndexed(10, func(i int) dataset.Sample {
		return dataset.Sample{File: "set", Key: string(rune('a' + i)), Captions: []string{"x"}, Decode: func() (image.Image, error) {
			if i == 3 {
				panic("no such tune")
			}
			return image.NewGray(image.Rect(0, 0, 1+i, 1)), nil
		}}
	})
	ledger := &dataset.Ledger{}
	o := dataset.BatchOptions{Size: 4, Epochs: 1, Ledger: ledger, Augment: func(_ *rand.Rand, img image.Image) image.Image {
		if img.Bounds().Dx() == 6 {
			panic("no such step")
		}
		return img
	}}
	n := 0
	for b, err := range dataset.Batches(context.Background(), src, o) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(b.Pairs)
	}
	if n != 8 || ledger.Len() != 2 {
		t.Fatalf("%d pairs and %d bad samples, want 8 and 2", n, ledger.Len())
	}
	for i, want := range []struct{ key, reason string }{{"d", "no such tune"}, {"f", "no such step"}} {
		bad := ledger.Bad()[i]
		if bad.Key != want.key || !strings.Contains(bad.Reason, want.reason) {
			t.Errorf("bad sample %s: %s, want %s: %s", bad.Key, bad.Reason, want.key, want.reason)
		}
	}
}

// TestSourcePanics: a source that panics ends the sequence with an error.
func TestSourcePanics(t *testing.T) {
	src := dataset.NewIndexed(10, func(i int) dataset.Sample { panic("no such set") })
	for _, err := range dataset.Batches(context.Background(), src, dataset.BatchOptions{Size: 4, Epochs: 1}) {
		if err == nil || !strings.Contains(err.Error(), "no such set") {
			t.Errorf("got error %v, want no such set", err)
		}
	}
}
