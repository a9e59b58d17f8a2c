package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/train"
)

// without is n drawn images, those but for some that cannot be decoded.
func without(t testing.TB, n int, bad ...int) *dataset.Indexed {
	t.Helper()
	src, err := shapes.Set{Seed: 1}.Train(n)
	check(t, err)
	return dataset.NewIndexed(n, func(i int) dataset.Sample {
		s := src.At(i)
		if slices.Contains(bad, i) {
			s.Decode = func() (image.Image, error) { return nil, errors.New("gone") }
		}
		return s
	})
}

// counted counts which images of a set are decoded.
func counted(src *dataset.Indexed, counts []atomic.Int64) *dataset.Indexed {
	return dataset.NewIndexed(src.Len(), func(i int) dataset.Sample {
		s := src.At(i)
		decode := s.Decode
		s.Decode = func() (image.Image, error) {
			counts[i].Add(1)
			return decode()
		}
		return s
	})
}

// TestRanksDecodeTheirOwn: an image is decoded by the rank that takes it through the towers, one that
// cannot be by all, and the bits are those of one rank that decodes everything.
func TestRanksDecodeTheirOwn(t *testing.T) {
	const samples, steps, size = 240, 20, 12
	for _, bad := range [][]int{nil, {3, 17, 80, 81, 82, 150, 203, 239}} {
		var want map[string][]byte
		for n := 1; n <= 4; n++ {
			dir := t.TempDir()
			run := plan(dir, steps)
			run.Batches.Size, run.Batches.Epochs, run.Batches.KeepLast = size, 1, true
			counts := make([][]atomic.Int64, n)
			for rank, err := range rankedOn(t, n, func(rank int) dataset.Source {
				counts[rank] = make([]atomic.Int64, samples)
				return counted(without(t, samples, bad...), counts[rank])
			}, run, 1, nil) {
				if err != nil {
					t.Fatalf("rank %d of %d: %v", rank, n, err)
				}
			}
			got := checkpointFiles(t, dir)
			if n == 1 {
				want = got
			}
			sameFiles(t, fmt.Sprintf("%d bad images on %d ranks", len(bad), n), got, want)

			for rank := range n {
				all := 0
				for i := range samples {
					switch k := int(counts[rank][i].Load()); {
					case slices.Contains(bad, i) && k != 1, k > 1:
						t.Errorf("%d bad images on %d ranks: rank %d decoded image %d %d times, want once", len(bad), n, rank, i, k)
					default:
						all += k
					}
				}
				// Behind a bad image each rank's pairs are others by one, in that batch, and in the
				// next two if they were decoded ahead; the last batch is smaller.
				least, most := samples/n, samples/n
				if len(bad) > 0 {
					least, most = (samples-len(bad))/n-size, most+3*len(bad)+size
				}
				if all < least || all > most {
					t.Errorf("%d bad images on %d ranks: rank %d decoded %d of %d, want %d to %d", len(bad), n, rank, all, samples, least, most)
				}
			}
		}
	}
}

// TestRanksResumeBehindBadImages: where many images are bad, a run goes on on another number of ranks
// to the bytes and the ledger of a whole one.
func TestRanksResumeBehindBadImages(t *testing.T) {
	var bad []int
	for i := range 90 {
		if i*i%7 < 2 {
			bad = append(bad, i)
		}
	}
	on := func(n, steps int, dir string) {
		t.Helper()
		check(t, errors.Join(rankedOn(t, n, func(int) dataset.Source { return without(t, 90, bad...) }, plan(dir, steps), 1, nil)...))
	}
	whole, dir := t.TempDir(), t.TempDir()
	on(1, 24, whole)
	for i, n := range []int{3, 2, 4, 1, 2} {
		on(n, []int{4, 9, 15, 17, 24}[i], dir)
	}
	name := "step-00000024.safetensors"
	if got, want := checkpointFiles(t, dir)[name], checkpointFiles(t, whole)[name]; got == nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of the run on several numbers of ranks differ from the %d of the whole one", len(got), len(want))
	}
}

// TestRanksOnShards: so it is with tars that every rank reads from front to back, spoilt in every way.
func TestRanksOnShards(t *testing.T) {
	pattern, spoilt := badShards(t, 800, 4)
	var want map[string][]byte
	for n := 1; n <= 3; n++ {
		dir := t.TempDir()
		run := plan(dir, 34) // one into the second epoch
		run.Batches.Size, run.Batches.Augment = 24, nil
		check(t, errors.Join(rankedOn(t, n, func(int) dataset.Source {
			set, err := dataset.Open(pattern, &dataset.Options{Buffer: 100})
			check(t, err)
			t.Cleanup(func() { set.Close() })
			return set
		}, run, 3, nil)...))
		got := checkpointFiles(t, dir)
		if n == 1 {
			want = got
		}
		sameFiles(t, fmt.Sprintf("%d ranks", n), got, want)
		for key := range spoilt {
			if last := got["step-00000034.safetensors"]; !bytes.Contains(last, []byte(`"key":"`+key+`"`)) {
				t.Errorf("%d ranks: the checkpoint's ledger lacks %s", n, key)
			}
		}
	}
}

// TestRanksShareInALoop: a loop of one's own takes the steps of Fit.
func TestRanksShareInALoop(t *testing.T) {
	dir := t.TempDir()
	check(t, errors.Join(ranked(t, 2, 3, dir, 1, nil)...))
	own := filepath.Join(t.TempDir(), "own")
	check(t, errors.Join(onRanks(2, func(r *train.LocalRank) error {
		m := model(t, 1)
		cfg := config(100)
		cfg.EMA, cfg.PatchDropout, cfg.Seed, cfg.MicroBatch, cfg.Ranks = 0.9, 0.25, runSeed, 1, r
		tr, err := train.New(m, cfg)
		if err != nil {
			return err
		}
		o := plan("", 3).Batches
		o.Share = tr.Share()
		for b, err := range dataset.Batches(context.Background(), drawn(t, 60), o) {
			if err == nil {
				_, err = tr.Step(context.Background(), b.Pairs)
			}
			if err != nil {
				return err
			}
			if tr.Steps() == 3 {
				return train.Checkpoints{Dir: own}.Save(tr, b.Next)
			}
		}
		return nil
	})...))
	name := "step-00000003.safetensors"
	sameFiles(t, "a loop of its own", tensorsIn(t, filepath.Join(own, name)), tensorsIn(t, filepath.Join(dir, name)))
	if tr, _ := trainer(t); tr.Share() != nil {
		t.Error("a trainer without ranks has a Share")
	}
}
