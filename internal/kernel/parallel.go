package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// helpers counts the goroutines that Parallel has running beside its callers,
// in the whole process. It stays below GOMAXPROCS, so a Parallel inside a
// Parallel, or beside another, finds no helper left and runs on its own
// goroutine instead of crowding the cores.
var helpers atomic.Int64

// Parallel calls f(i) for every i in [0, n), on at most GOMAXPROCS goroutines,
// and returns when all calls are done. The calls come in no particular order.
// Where one panics, the calls not yet begun are dropped and the panic is raised
// again in the caller, with its own value. Parallel may be nested and may be
// called from many goroutines at once.
func Parallel(n int, f func(i int)) {
	want := min(n, runtime.GOMAXPROCS(0)) - 1
	if want <= 0 {
		for i := range n {
			f(i)
		}
		return
	}
	j := job{n: int64(n), f: f}
	for started := 0; started < want && takeHelper(int64(runtime.GOMAXPROCS(0))); started++ {
		j.running.Add(1)
		go j.help()
	}
	j.work()
	j.running.Wait()
	if p := j.panicked.Load(); p != nil {
		panic(p.value)
	}
}

// takeHelper reserves one helper where fewer than procs-1 are running.
func takeHelper(procs int64) bool {
	if helpers.Add(1) < procs {
		return true
	}
	helpers.Add(-1)
	return false
}

// job is one call of Parallel.
type job struct {
	n        int64
	f        func(int)
	next     atomic.Int64
	running  sync.WaitGroup
	panicked atomic.Pointer[caught]
}

type caught struct{ value any }

func (j *job) help() {
	defer j.running.Done()
	defer helpers.Add(-1)
	j.work()
}

func (j *job) work() {
	done := false
	defer func() {
		if !done {
			j.next.Store(j.n)
			v := recover()
			if v == nil {
				v = "kernel: a call of Parallel's function ended its goroutine"
			}
			j.panicked.CompareAndSwap(nil, &caught{v})
		}
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
