// Package parallel runs the iterations of a loop on all cores, without the cost of
// waking a goroutine for each.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// For calls f(i) for every i in [0, n), on at most GOMAXPROCS goroutines,
// and returns when all calls are done. The calls come in no particular order.
// Where one panics, the calls not yet begun are dropped and the panic is raised
// again in the caller, with its own value. For may be nested and may be
// called from many goroutines at once: what finds no core free runs on its
// caller's goroutine.
func For(n int, f func(i int)) {
	helpers := min(n, runtime.GOMAXPROCS(0)) - 1
	if helpers <= 0 {
		for i := range n {
			f(i)
		}
		return
	}
	j := newJob(n, f)
	offer(j, helpers)
	j.work()
	j.close()
	withdraw(j)
	if p := j.panicked.Load(); p != nil {
		panic(p.value)
	}
}

// job is one call of For.
type job struct {
	n        int64
	f        func(int)
	next     atomic.Int64
	panicked atomic.Pointer[caught]
	outer    *job // what was on offer before

	mu     sync.Mutex
	inside atomic.Int64 // helpers at work; changed under mu
	closed bool
	left   sync.Cond
}

type caught struct{ value any }

func newJob(n int, f func(int)) *job {
	j := &job{n: int64(n), f: f}
	j.left.L = &j.mu
	return j
}

func (j *job) work() {
	done := false
	defer func() {
		if done {
			return
		}
		j.next.Store(j.n)
		v := recover()
		if v == nil {
			v = "parallel: a call of For's function ended its goroutine"
		}
		j.panicked.CompareAndSwap(nil, &caught{v})
	}()
	for {
		i := j.next.Add(1) - 1
		if i >= j.n {
			break
		}
		j.f(int(i))
	}
	done = true
}

// help works on j where there is work left, and reports whether there was.
func (j *job) help() bool {
	if j.next.Load() >= j.n || !j.enter() {
		return false
	}
	defer j.leave() // even where f ends the goroutine
	j.work()
	return true
}

func (j *job) enter() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.closed {
		j.inside.Add(1)
	}
	return !j.closed
}

func (j *job) leave() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.inside.Add(-1) == 0 {
		j.left.Signal()
	}
}

// close returns when all helpers have left, and lets in no others.
func (j *job) close() {
	linger(func() bool { return j.inside.Load() == 0 })
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	for j.inside.Load() > 0 {
		j.left.Wait()
	}
}
