package encoder_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goclip/goclip/encoder"
)

// TestEncodeImagesFunc gives what EncodeImages gives, opens each image once
// and at most one batch too early.
func TestEncodeImagesFunc(t *testing.T) {
	ctx := context.Background()
	const batch = 16
	m, err := encoder.Load(saved(t, storable(t), encoder.OpenCLIP), &encoder.Options{BatchSize: batch})
	check(t, err)
	for _, n := range []int{0, 1, batch, batch + 1, 3*batch + 7} {
		imgs := someImages(n)
		want, err := m.EncodeImages(ctx, imgs...)
		check(t, err)
		opened := make([]atomic.Int32, n)
		var most atomic.Int64
		got, err := m.EncodeImagesFunc(ctx, n, func(i int) (image.Image, error) {
			if opened[i].Add(1) > 1 {
				t.Errorf("%d images: number %d was opened again", n, i)
			}
			for seen := most.Load(); int64(i) > seen && !most.CompareAndSwap(seen, int64(i)); seen = most.Load() {
			}
			for j := range i/batch - 1 {
				for k := range batch {
					if opened[j*batch+k].Load() == 0 {
						t.Errorf("number %d was opened before number %d", i, j*batch+k)
					}
				}
			}
			return imgs[i], nil
		})
		check(t, err)
		same(t, fmt.Sprint(n, " embeddings"), got.Data, want.Data)
		if int(most.Load()) != max(n-1, 0) {
			t.Errorf("the last image opened was %d of %d", most.Load(), n)
		}
	}
}

// TestEncodeImagesFuncFails with every bad image of the batch by its number,
// and leaves nothing running.
func TestEncodeImagesFuncFails(t *testing.T) {
	m := model(t, config())
	imgs := someImages(100)
	broken := errors.New("broken")
	for _, bad := range []int{3, 40, 99} {
		var running atomic.Int32
		_, err := m.EncodeImagesFunc(context.Background(), len(imgs), func(i int) (image.Image, error) {
			running.Add(1)
			defer running.Add(-1)
			if i == bad {
				return nil, broken
			}
			return imgs[i], nil
		})
		if want := fmt.Sprintf("encoder: image %d: broken", bad); !errors.Is(err, broken) || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
		if r := running.Load(); r != 0 {
			t.Errorf("%d images are still being opened", r)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err := m.EncodeImagesFunc(ctx, len(imgs), func(i int) (image.Image, error) {
		if i == 40 {
			cancel()
		}
		return imgs[i], nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}
