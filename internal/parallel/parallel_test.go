package parallel

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// noneLeft waits for the helpers to end, as they do when there is no work.
func noneLeft(t *testing.T) {
	t.Helper()
	for range 1000 {
		if crew.size.Load() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("a helper does not end")
}

// withProcs runs a test with GOMAXPROCS 1, 2 and 5.
func withProcs(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	was := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(was)
	for _, p := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(p)
		f(t)
	}
}

func TestForCallsEachOnce(t *testing.T) {
	withProcs(t, func(t *testing.T) {
		for _, n := range []int{-1, 0, 1, 2, 3, 100, 1000} {
			counts := make([]atomic.Int32, max(n, 0))
			var running, most atomic.Int32
			For(n, func(i int) {
				now := running.Add(1)
				for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
				}
				counts[i].Add(1)
				running.Add(-1)
			})
			for i := range counts {
				if c := counts[i].Load(); c != 1 {
					t.Fatalf("n %d: f(%d) was called %d times", n, i, c)
				}
			}
			if m := int(most.Load()); m > runtime.GOMAXPROCS(0) {
				t.Fatalf("n %d: %d at once, want at most %d", n, m, runtime.GOMAXPROCS(0))
			}
		}
	})
}

func TestForNestedAndConcurrent(t *testing.T) {
	withProcs(t, func(t *testing.T) {
		var calls atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				For(7, func(int) {
					For(5, func(int) {
						For(3, func(int) { calls.Add(1) })
					})
				})
			}()
		}
		wg.Wait()
		if got, want := calls.Load(), int64(8*7*5*3); got != want {
			t.Fatalf("%d calls, want %d", got, want)
		}
		noneLeft(t)
	})
}

// TestForPanic: the caller gets the panic's own value, after all work ended.
func TestForPanic(t *testing.T) {
	cause := errors.New("cause")
	withProcs(t, func(t *testing.T) {
		for _, n := range []int{1, 2, 50} {
			for _, at := range []int{0, n / 2, n - 1} {
				var running atomic.Int32
				func() {
					defer func() {
						if v := recover(); v != cause {
							t.Fatalf("n %d: recovered %v, want %v", n, v, cause)
						}
						if r := running.Load(); r != 0 {
							t.Fatalf("n %d: %d calls still run", n, r)
						}
					}()
					For(n, func(i int) {
						running.Add(1)
						defer running.Add(-1)
						if i == at {
							panic(cause)
						}
					})
				}()
			}
		}
		noneLeft(t)
	})
}

// TestForGoexit: a call that ends its goroutine, as a failing test does,
// neither hangs the caller nor passes for success.
func TestForGoexit(t *testing.T) {
	withProcs(t, func(t *testing.T) {
		ended := make(chan bool)
		go func() {
			defer close(ended)
			defer func() { recover() }()
			For(20, func(int) { runtime.Goexit() })
			ended <- true
		}()
		if <-ended {
			t.Fatal("For returned")
		}
		noneLeft(t)
	})
}

func BenchmarkFor(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		For(16, func(int) {})
	}
}
