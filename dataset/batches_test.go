package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// numbered is n samples with one pixel each; those in bad cannot be decoded.
func numbered(n int, bad ...int) *Indexed {
	return NewIndexed(n, func(i int) Sample {
		return Sample{
			File: "numbered", Key: fmt.Sprint(i), Captions: []string{"one", "two", "three"},
			Decode: func() (image.Image, error) {
				if slices.Contains(bad, i) {
					return nil, errors.New("broken")
				}
				if i%7 == 0 { // so that workers overtake each other
					time.Sleep(time.Duration(i%3) * 100 * time.Microsecond)
				}
				img := image.NewRGBA(image.Rect(0, 0, 1, 1))
				img.Pix[0] = uint8(i)
				return img, nil
			},
		}
	})
}

// transcript is everything that can be seen of a sequence of batches.
func transcript(t *testing.T, src Source, o BatchOptions, limit int) (lines []string, cursors []Cursor) {
	t.Helper()
	for b, err := range Batches(context.Background(), src, o) {
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		fmt.Fprint(&text, b.Epoch)
		for _, p := range b.Pairs {
			fmt.Fprintf(&text, " %s=%s", p.Key, p.Caption)
			if img, ok := p.Image.(*image.RGBA); ok {
				fmt.Fprintf(&text, ":%x", img.Pix[:min(len(img.Pix), 64)])
			}
		}
		lines, cursors = append(lines, text.String()), append(cursors, b.Next)
		if len(lines) == limit {
			break
		}
	}
	return lines, cursors
}

func speckle(r *rand.Rand, img image.Image) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, 1, 1))
	out.Pix[0], out.Pix[1] = img.(*image.RGBA).Pix[0], uint8(r.IntN(256))
	return out
}

func TestBatchesSameForAnyParallelism(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	options := BatchOptions{Size: 8, Epochs: 3, Shuffle: true, Seed: 5, Augment: speckle, KeepLast: true}
	var want []string
	for _, c := range []struct{ procs, workers, prefetch int }{{1, 1, 1}, {1, 0, 0}, {2, 2, 3}, {4, 16, 64}, {4, 3, 1}} {
		runtime.GOMAXPROCS(c.procs)
		o := options
		o.Workers, o.Prefetch, o.Ledger = c.workers, c.prefetch, new(Ledger)
		got, _ := transcript(t, numbered(100, 3, 50, 51), o, -1)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: the sequence differs from that of one worker", c)
		}
		if o.Ledger.Len() != 3 {
			t.Errorf("%+v: %d bad samples, want 3", c, o.Ledger.Len())
		}
	}
	if len(want) != 3*13 {
		t.Errorf("%d batches, want 39: 97 samples by 8, three times", len(want))
	}
}

func TestBatchesCoverTheSetEachEpoch(t *testing.T) {
	o := BatchOptions{Size: 10, Epochs: 4, Shuffle: true, Seed: 9}
	captions := map[string]map[string]int{}
	orders := map[string]bool{}
	keys, epoch := map[string]int{}, 0
	var order []string
	for b, err := range Batches(context.Background(), numbered(100), o) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Epoch != epoch {
			t.Fatalf("epoch %d after %d", b.Epoch, epoch)
		}
		for _, p := range b.Pairs {
			keys[p.Key]++
			order = append(order, p.Key)
			if captions[p.Key] == nil {
				captions[p.Key] = map[string]int{}
			}
			captions[p.Key][p.Caption]++
		}
		if len(order) == 100 {
			if len(keys) != 100 {
				t.Errorf("epoch %d has %d different samples, want 100", epoch, len(keys))
			}
			orders[strings.Join(order, " ")] = true
			order, epoch = nil, epoch+1
			clear(keys)
		}
	}
	if len(orders) != 4 {
		t.Errorf("%d orders in 4 epochs, want 4", len(orders))
	}
	for key, count := range captions {
		if len(count) != 3 {
			t.Errorf("sample %s came with %d of its 3 captions in 4 epochs: %v", key, len(count), count)
		}
	}
}

func TestBatchesResume(t *testing.T) {
	src := numbered(50, 7, 8, 9, 49)
	for _, keep := range []bool{false, true} {
		o := BatchOptions{Size: 6, Epochs: 3, Shuffle: true, Seed: 2, Augment: speckle, KeepLast: keep, Ledger: new(Ledger)}
		want, cursors := transcript(t, src, o, -1)
		for i, c := range cursors {
			o.Start = c
			got, _ := transcript(t, src, o, -1)
			if !slices.Equal(got, want[i+1:]) {
				t.Fatalf("KeepLast %v: from cursor %+v the %d batches differ from the last %d of the whole run", keep, c, len(got), len(want)-i-1)
			}
		}
	}
}

func TestBatchesErrors(t *testing.T) {
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for _, c := range []struct {
		name string
		src  Source
		o    BatchOptions
		want string
	}{
		{"no size", numbered(10), BatchOptions{}, "dataset: batches: Size 0, want 1 or more"},
		{"empty set", numbered(0), BatchOptions{Size: 1}, "dataset: batches: the set is empty"},
		{"batch larger than set", numbered(10), BatchOptions{Size: 11}, "dataset: batches: a batch of 11, but the set has only 10 samples (KeepLast allows it)"},
		{"other seed", numbered(10), BatchOptions{Size: 2, Seed: 4, Start: Cursor{Epoch: 1, Seed: 3}}, "dataset: batches: the cursor is of seed 3, but Seed is 4"},
		{"cursor outside", numbered(10), BatchOptions{Size: 2, Start: Cursor{Position: 11}}, "dataset: batches: the cursor is at sample 11 of epoch 0, but the set has 10 samples"},
		{"no ledger", numbered(10, 4), BatchOptions{Size: 5}, "dataset: batches: numbered: 4: broken (with a Ledger it would be recorded and skipped)"},
		{"all bad", numbered(10, all...), BatchOptions{Size: 5, Ledger: new(Ledger)}, "dataset: batches: epoch 0 gave no batch of 5: of 10 samples 0 can be used; the first of the others: numbered: 0: broken"},
		{"all bad, kept", numbered(10, all...), BatchOptions{Size: 5, KeepLast: true, Ledger: new(Ledger)}, "dataset: batches: epoch 0 gave no batch of 5: of 10 samples 0 can be used; the first of the others: numbered: 0: broken"},
		{"too few good", numbered(10, 1, 2), BatchOptions{Size: 9, Ledger: new(Ledger)}, "dataset: batches: epoch 0 gave no batch of 9: of 10 samples 8 can be used; the first of the others: numbered: 1: broken"},
		{"ledger full", numbered(10, 1, 2), BatchOptions{Size: 5, Ledger: &Ledger{Limit: 1}}, "dataset: 2 bad samples, more than the limit of 1; the last is numbered: 2: broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got error
			for _, err := range Batches(context.Background(), c.src, c.o) {
				if err != nil {
					got = err
				}
			}
			if got == nil || got.Error() != c.want {
				t.Errorf("got  %v\nwant %s", got, c.want)
			}
		})
	}
}

// TestBatchesStop counts goroutines after loops that were left in three ways.
func TestBatchesStop(t *testing.T) {
	before := runtime.NumGoroutine()
	o := BatchOptions{Size: 4, Workers: 8, Prefetch: 32, Shuffle: true}
	for b, err := range Batches(context.Background(), numbered(1000), o) {
		if err != nil || b.Next.Position > 20 {
			break
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	for b, err := range Batches(ctx, numbered(1000), o) {
		last = err
		if b.Next.Position > 20 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("after the context's end: %v, want %v", last, context.Canceled)
	}
	o.Epochs = 1
	for _, err := range Batches(context.Background(), numbered(1000), o) {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantGoroutines(t, before)
}

// wantGoroutines waits for goroutines that have said that they are done, which
// the runtime counts until they have returned.
func wantGoroutines(t *testing.T, before int) {
	t.Helper()
	after := runtime.NumGoroutine()
	for end := time.Now().Add(10 * time.Second); after > before && time.Now().Before(end); after = runtime.NumGoroutine() {
		runtime.Gosched()
	}
	if after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

func TestBatchesPanicInLoopStopsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	func() {
		defer func() { recover() }()
		for range Batches(context.Background(), numbered(1000), BatchOptions{Size: 4, Workers: 8}) {
			panic("in the loop")
		}
	}()
	wantGoroutines(t, before)
}

// TestBatchesMemoryIsFlat goes through 50 times what may be in memory at once.
func TestBatchesMemoryIsFlat(t *testing.T) {
	const side = 256
	src := NewIndexed(600, func(i int) Sample {
		return Sample{Key: fmt.Sprint(i), Captions: []string{"x"}, Decode: func() (image.Image, error) {
			return image.NewRGBA(image.Rect(0, 0, side, side)), nil
		}}
	})
	var peak uint64
	n := 0
	for _, err := range Batches(context.Background(), src, BatchOptions{Size: 4, Prefetch: 4, Workers: 2, Epochs: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%25 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	// Batch, line and workers hold at most 4+4+2+1 images of 256 KiB; the
	// whole set would be 150 MiB.
	if limit := uint64(32 << 20); peak > limit {
		t.Errorf("%d MiB of heap, want at most %d", peak>>20, limit>>20)
	}
}
