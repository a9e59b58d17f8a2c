package sweep

import (
	"context"
	"errors"
	"image"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
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

// TestBits: embeddings have the bits of EncodeImages, whatever was left out before them; pictures
// are there where they are asked for, and samples no longer hold their files.
func TestBits(t *testing.T) {
	whole := tower(t)
	patches := whole.Config()
	patches.Vision = vision.NaFlex{
		ImageSize: [2]int{8, 12}, PatchSize: 4, PositionGrid: [2]int{2, 2}, Width: 16, Layers: 2, Heads: 2, EmbedDim: 16,
		Activation: nn.GELU, NormEps: 1e-6, Interpolation: vision.Bilinear, Pool: vision.PoolMap, NoProjection: true,
	}
	patches.Preprocess = &vision.Preprocess{
		PatchSize: 4, MaxPatches: 12, Resize: vision.ResizeSquash, Interpolation: vision.Bilinear, Std: [3]float32{1, 1, 1},
	}
	grids, err := encoder.New(patches, nil, 5)
	if err != nil {
		t.Fatal(err)
	}
	picture := func(i int) image.Image {
		if i%50 == 6 {
			return image.NewGray(image.Rect(0, 0, 1, 1<<20)) // too thin to be scaled, but not for patches
		}
		img := image.NewGray(image.Rect(0, 0, 9+i%7, 30-i%11))
		for j := range img.Pix {
			img.Pix[j] = byte(j*j + 31*i)
		}
		return img
	}
	src := dataset.NewIndexed(2*most+9, func(i int) dataset.Sample {
		return dataset.Sample{Key: strconv.Itoa(i), Decode: func() (image.Image, error) {
			if i%10 == 3 {
				return nil, errors.New("spoilt")
			}
			return picture(i), nil
		}}
	})
	for name, m := range map[string]*encoder.Model{"pixels": whole, "patches": grids} {
		for _, pictures := range []bool{false, true} {
			var skipped []error
			n, at, each := 0, -1, Each
			if pictures {
				each = EachPicture
			}
			err := each(t.Context(), m, src, &skipped, func(s dataset.Sample, p dataset.Pair, e *encoder.Embeddings) {
				i, _ := strconv.Atoi(s.Key)
				want, err := m.EncodeImages(t.Context(), picture(i))
				if err != nil || i <= at {
					t.Fatalf("%s: image %d after %d: %v", name, i, at, err)
				}
				at = i
				if !slices.Equal(e.Data, want.Data) {
					t.Errorf("%s: image %d has the embedding %g, want %g", name, i, e.Data, want.Data)
				}
				if s.Decode != nil || p.Key != s.Key || (p.Image != nil) != pictures {
					t.Errorf("%s: image %d of pair %s has a Decode: %t, a picture: %t", name, i, p.Key, s.Decode != nil, p.Image != nil)
				}
				n++
			})
			if want := (2*most+9)/10*9 - 3; err != nil || n < want || n+len(skipped) != src.Len() {
				t.Errorf("%s: %v after %d images and %d that were skipped, want %d or more and %d in all", name, err, n, len(skipped), want, src.Len())
			}
		}
	}
}

// TestPicturesGo: however many images there are, those that are in memory are the ones that
// are being decoded.
func TestPicturesGo(t *testing.T) {
	var alive, highest atomic.Int64
	src := dataset.NewIndexed(2*most, func(i int) dataset.Sample {
		return dataset.Sample{Key: strconv.Itoa(i), Decode: func() (image.Image, error) {
			runtime.GC()
			img := image.NewGray(image.Rect(0, 0, 300, 300))
			runtime.AddCleanup(img, func(int) { alive.Add(-1) }, 0)
			if n := alive.Add(1); n > highest.Load() {
				highest.Store(n)
			}
			return img, nil
		}}
	})
	var skipped []error
	err := Each(t.Context(), tower(t), src, &skipped, func(dataset.Sample, dataset.Pair, *encoder.Embeddings) {})
	if most := int64(3 * ahead); err != nil || len(skipped) > 0 || highest.Load() > most {
		t.Errorf("%v, %d skipped, %d pictures in memory at once, want at most %d", err, len(skipped), highest.Load(), most)
	}
}
