package parallel

import (
	"runtime"
	"sync/atomic"
	"time"
)

// crew is the goroutines that For has beside its callers, fewer than
// GOMAXPROCS in the whole process. They look at one place for work: the job
// begun last. A helper without any ends after a while.
var crew struct {
	size  atomic.Int64
	board atomic.Pointer[job]
}

// patience is how long a goroutine looks for more work, or for the end of it,
// before it sleeps. Waking one takes up to 100 µs on a virtual machine, as long
// as a small product.
const patience = 200 * time.Microsecond

// offer puts j on the board and has up to so many helpers look at it.
func offer(j *job, helpers int) {
	j.outer = crew.board.Swap(j)
	for ; helpers > 0 && hire(); helpers-- {
		go serve()
	}
}

// withdraw takes j off the board, for the job that it was begun in, if any.
func withdraw(j *job) {
	crew.board.CompareAndSwap(j, j.outer)
	j.outer = nil
}

// hire reserves a place in the crew.
func hire() bool {
	if crew.size.Add(1) < int64(runtime.GOMAXPROCS(0)) {
		return true
	}
	crew.size.Add(-1)
	return false
}

func serve() {
	defer crew.size.Add(-1)
	for linger(func() bool {
		j := crew.board.Load()
		return j != nil && j.help()
	}) {
	}
}

// linger calls ready until it is true or patience is over, and lets other
// goroutines run meanwhile.
func linger(ready func() bool) bool {
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		for range 100 {
			if ready() {
				return true
			}
		}
		if time.Now().After(end) {
			return false
		}
	}
}
