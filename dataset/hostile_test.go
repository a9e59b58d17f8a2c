package dataset_test

import (
	"image"
	"image/color"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
)

// shapeless is an image that does not know its size, from its second question on.
type shapeless struct {
	image.Image
	left *int
}

func (s shapeless) Bounds() image.Rectangle {
	if *s.left--; *s.left < 0 {
		panic("no bounds")
	}
	return image.Rect(0, 0, 2, 2)
}
func (shapeless) ColorModel() color.Model { return color.RGBAModel }
func (shapeless) At(int, int) color.Color { return color.Black }

// TestShapelessImages: a panic of an image's Bounds, decoded or augmented, makes that
// sample bad, and ends neither the program nor the sequence.
func TestShapelessImages(t *testing.T) {
	sound := image.NewRGBA(image.Rect(0, 0, 2, 2))
	src := dataset.NewIndexed(6, func(i int) dataset.Sample {
		return dataset.Sample{Key: string(rune('a' + i)), Captions: []string{"a"}, Decode: func() (image.Image, error) {
			if i == 1 {
				return shapeless{left: new(int)}, nil
			}
			return sound, nil
		}}
	})
	n := 0
	ledger := &dataset.Ledger{}
	augment := func(_ *rand.Rand, img image.Image) image.Image {
		if n++; n == 2 {
			return shapeless{left: new(int)}
		}
		return img
	}
	good := 0
	for batch, err := range dataset.Batches(t.Context(), src, dataset.BatchOptions{Size: 2, Epochs: 1, Ledger: ledger, Augment: augment, Workers: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		good += len(batch.Pairs)
	}
	bad := ledger.Bad()
	if good != 4 || len(bad) != 2 {
		t.Fatalf("%d pairs and %d bad samples, want 4 and 2", good, len(bad))
	}
	for _, b := range bad {
		if !strings.Contains(b.Reason, "panic: no bounds") {
			t.Errorf("got %s, want its panic", b)
		}
	}
	if _, err := src.At(1).Pair(0); err == nil {
		t.Errorf("got error %v, want a panic", err)
	}
}
