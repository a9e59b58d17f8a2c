package sweep

import (
	"context"
	"errors"
	"image"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

func tower(t *testing.T) *encoder.Model {
	t.Helper()
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 12, Layers: 1, Heads: 3, EmbedDim: 4,
			Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(16),
	}, nil, 5)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// source calls decoding with the number of each sample that is decoded.
func source(n int, decoding func(i int) error) dataset.Source {
	return dataset.NewIndexed(n, func(i int) dataset.Sample {
		return dataset.Sample{Key: strconv.Itoa(i), Decode: func() (image.Image, error) {
			return image.NewRGBA(image.Rect(0, 0, 20, 20)), decoding(i)
		}}
	})
}

// TestDecodesAhead: images of a second batch are decoded before the first has been used,
// and all come out in order, without those that cannot be read.
func TestDecodesAhead(t *testing.T) {
	const n = 3*most + 5
	begun, once := make(chan struct{}), sync.Once{}
	src := source(n, func(i int) error {
		if i >= most {
			once.Do(func() { close(begun) })
		}
		if i%50 == 7 {
			return errors.New("spoilt")
		}
		return nil
	})
	var skipped []error
	at := 0
	err := Each(t.Context(), tower(t), src, &skipped, func(s dataset.Sample, _ dataset.Pair, _ *encoder.Embeddings) {
		if at == 0 {
			select {
			case <-begun:
			case <-time.After(time.Minute):
				t.Error("nothing was decoded while the first batch was encoded")
			}
		}
		if at%50 == 7 {
			at++
		}
		if s.Key != strconv.Itoa(at) {
			t.Errorf("sample %s, want %d", s.Key, at)
		}
		at++
	})
	if err != nil || at != n || len(skipped) != 4 {
		t.Errorf("%v after %d samples, %d skipped, want %d and 4", err, at, len(skipped), n)
	}
}

// TestEnds: a context that ends while images are decoded is the error, and a source's
// panic another.
func TestEnds(t *testing.T) {
	m := tower(t)
	ctx, cancel := context.WithCancel(t.Context())
	var skipped []error
	use := func(dataset.Sample, dataset.Pair, *encoder.Embeddings) {}
	err := Each(ctx, m, source(1000, func(i int) error {
		if i == 100 {
			cancel()
		}
		return nil
	}), &skipped, use)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	broken := dataset.NewIndexed(3, func(int) dataset.Sample { panic("broken") })
	if err := Each(t.Context(), m, broken, &skipped, use); err == nil {
		t.Error("a source that panics is no error")
	}
}
