package encoder_test

import (
	"context"
	"errors"
	"image"
	"slices"
	"testing"

	"github.com/goclip/goclip/encoder"
)

// TestEachCostsNoOther: an image that cannot be used has an error and a row of zeros,
// and the others have the bits that they have alone.
func TestEachCostsNoOther(t *testing.T) {
	m := model(t, config())
	imgs := someImages(5)
	want, err := m.EncodeImages(context.Background(), imgs...)
	check(t, err)
	bad := []image.Image{imgs[0], hostile{}, imgs[2], nil, imgs[4]}
	got, faults, err := m.EncodeEachImage(context.Background(), len(bad), func(i int) (image.Image, error) { return bad[i], nil })
	check(t, err)
	for i := range bad {
		var fault *encoder.ImageError
		switch broken := i == 1 || i == 3; {
		case errors.As(faults[i], &fault) != broken || broken && fault.Index != i:
			t.Errorf("image %d: got error %v", i, faults[i])
		case broken && slices.ContainsFunc(got.Row(i), func(v float32) bool { return v != 0 }):
			t.Errorf("image %d has a row", i)
		case !broken && !slices.Equal(got.Row(i), want.Row(i)):
			t.Errorf("image %d has other bits than alone", i)
		}
	}
	_, _, err = m.EncodeEachImage(context.Background(), 2, nil)
	fails(t, "2 images, opened by a function that is there: false", err)
	words, wrong, err := m.EncodeEachText(context.Background(), "a", "b")
	if err != nil || words.N != 2 || len(wrong) != 2 || wrong[0] != nil {
		t.Errorf("got %v, errors %v, %v", words, wrong, err)
	}
}
