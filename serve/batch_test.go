package serve

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// counted is a batcher that only counts: an input's row is its id.
func counted(t *testing.T, size int, wait time.Duration) (b *batcher, sizes func() []int, hold chan struct{}) {
	var mu sync.Mutex
	var all []int
	hold = make(chan struct{})
	b = newBatcher(size, wait, func(_ context.Context, jobs []*job) error {
		<-hold
		for _, j := range jobs {
			j.row = []float32{float32(j.ids[0])}
		}
		return nil
	}, func(n int, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, n)
	})
	t.Cleanup(b.close)
	return b, func() []int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}, hold
}

// TestBatchesFill: what waits while a pass runs shares the next ones, whose sizes are few.
func TestBatchesFill(t *testing.T) {
	b, sizes, hold := counted(t, 8, time.Hour)
	var wg sync.WaitGroup
	b.expected.Add(1 + 8 + 8 + 7)
	for i := range 1 + 8 + 8 + 7 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer b.expected.Add(-1)
			row, err := b.do(t.Context(), input{ids: []int32{int32(i)}})
			if err != nil || row[0] != float32(i) {
				t.Errorf("input %d: got %v, %v", i, row, err)
			}
		}()
	}
	close(hold)
	wg.Wait()
	for _, n := range sizes() {
		if !slices.Contains([]int{1, 2, 4, 8}, n) {
			t.Errorf("got passes of %v, want sizes 1, 2, 4 and 8", sizes())
		}
	}
	if full := slices.Index(sizes(), 8); full < 0 {
		t.Errorf("got passes of %v, want full ones", sizes())
	}
}

// TestDeadline: an input does not wait for others for longer than it may, and not at all
// where there are none.
func TestDeadline(t *testing.T) {
	b, _, hold := counted(t, 8, 20*time.Millisecond)
	close(hold)
	b.expected.Store(2) // of which one never comes
	if _, err := b.do(t.Context(), input{ids: []int32{1}}); err != nil {
		t.Error(err)
	}
	alone, _, hold := counted(t, 8, time.Hour)
	close(hold)
	alone.expected.Store(1)
	if _, err := alone.do(t.Context(), input{ids: []int32{1}}); err != nil {
		t.Error(err)
	}
}

// TestGoneIsDropped: nobody's input is in no pass, and a pass that nobody waits for ends.
func TestGoneIsDropped(t *testing.T) {
	b, sizes, hold := counted(t, 8, time.Millisecond)
	first := make(chan error)
	go func() {
		_, err := b.do(t.Context(), input{ids: []int32{0}})
		first <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	for range 3 {
		go func() {
			_, err := b.do(ctx, input{ids: []int32{1}})
			gone <- err
		}()
	}
	cancel()
	for range 3 {
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
	}
	close(hold)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := b.do(t.Context(), input{ids: []int32{2}}); err != nil {
		t.Error(err)
	}
	sum := 0
	for _, n := range sizes() {
		sum += n
	}
	// One of those that left may have been in the first pass, before it did.
	if sum > 2+3 || len(sizes()) > 3 {
		t.Errorf("got passes of %v", sizes())
	}

	ended := make(chan struct{})
	endless := newBatcher(8, time.Millisecond, func(ctx context.Context, jobs []*job) error {
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}, func(int, time.Duration) {})
	defer endless.close()
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := endless.do(ctx, input{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-ended
}

// TestPassPanics: what goes wrong in a pass is an error of its inputs, not the end.
func TestPassPanics(t *testing.T) {
	b := newBatcher(2, time.Millisecond, func(_ context.Context, jobs []*job) error {
		if jobs[0].ids[0] == 0 {
			panic("no")
		}
		return nil
	}, func(int, time.Duration) {})
	defer b.close()
	if _, err := b.do(t.Context(), input{ids: []int32{0}}); err == nil || !strings.Contains(err.Error(), "panic") {
		t.Errorf("got %v", err)
	}
	if _, err := b.do(t.Context(), input{ids: []int32{1}}); err != nil {
		t.Error(err)
	}
}
