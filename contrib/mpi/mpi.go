// Package mpi trains one model in many processes, on one machine or on many, that an MPI
// launcher has started: [Open] gives the ranks that package train takes.
//
// The library is found when the program runs, Open MPI's or one with MPICH's binary interface
// (MPICH, Intel MPI, MVAPICH): one binary serves both, and is built without cgo.
package mpi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/goclip/goclip/train"
)

// Options say how [Open] finds MPI. The zero value is right where mpirun started the program.
type Options struct {
	// Library is the path of the MPI library; empty means that of the launcher, by the name that
	// the system's loader knows. It has to be the launcher's: processes do not find each other
	// through another.
	Library string
	// Environ is where the launcher is looked for; nil means the process's environment.
	Environ []string
}

// Launched tells whether an MPI launcher has started this process.
func Launched() bool {
	_, ok := launcher(os.Environ())
	return ok
}

// launcher tells it by a variable that it sets for each process.
func launcher(environ []string) (k kind, ok bool) {
	for _, v := range environ {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "OMPI_COMM_WORLD_SIZE":
			return openMPI, true // also where one of MPICH's was inherited
		case "PMI_SIZE", "PMI_RANK":
			k, ok = mpich, true
		}
	}
	return k, ok
}

// World is the processes that a launcher has started, of which this is one. It implements
// [train.Ranks]. Whoever calls its methods, one thread alone calls MPI.
type World struct {
	rank, size int
	lib        *library
	mu         sync.Mutex
	calls      chan call         // nil when closed
	left       []*runtime.Pinner // of messages that were given up, to which MPI may still write
}

var _ train.Ranks = (*World)(nil)

// call is work for the thread.
type call struct {
	do   func() error
	done chan<- error
}

// Open joins the processes that the launcher has started, and returns when all are there. A
// process can do so once, and should call Close before it ends, else the launcher takes it for
// dead and ends the others.
func Open(o Options) (*World, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	k, launched := launcher(o.Environ)
	if !launched {
		return nil, errors.New("mpi: no MPI launcher has started this process, as it has none of OMPI_COMM_WORLD_SIZE, PMI_SIZE and PMI_RANK in its environment: start it by mpirun")
	}
	if err := keepSignals(); err != nil {
		return nil, fmt.Errorf("mpi: %w", err)
	}
	w := &World{calls: make(chan call)}
	opened := make(chan error)
	go w.thread(k, o.Library, opened)
	if err := <-opened; err != nil {
		return nil, fmt.Errorf("mpi: %w", err)
	}
	return w, nil
}

// keepSignals has Open MPI, and UCX below MPICH, not put handlers of theirs in the place of
// Go's, for which a nil pointer is no end.
func keepSignals() error {
	for _, v := range [][2]string{{"OMPI_MCA_opal_signal", ""}, {"UCX_HANDLE_ERRORS", "none"}, {"UCX_ERROR_SIGNALS", ""}} {
		if _, set := os.LookupEnv(v[0]); !set {
			if err := os.Setenv(v[0], v[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// thread makes all calls of MPI. It is never unlocked, so that the thread ends with it.
func (w *World) thread(k kind, path string, opened chan<- error) {
	runtime.LockOSThread()
	calls := w.calls
	var err error
	if w.lib, err = load(k, path); err == nil {
		w.rank, w.size, err = w.lib.begin()
	}
	if opened <- err; err != nil {
		return
	}
	for c := range calls {
		c.done <- c.do()
	}
}

// Rank implements [train.Ranks].
func (w *World) Rank() int {
	if w == nil {
		return 0
	}
	return w.rank
}

// Size implements [train.Ranks].
func (w *World) Size() int {
	if w == nil {
		return 0
	}
	return w.size
}

// String is such as "Open MPI (libmpi.so.40), rank 2 of 4".
func (w *World) String() string {
	if w == nil || w.lib == nil {
		return "no MPI"
	}
	return fmt.Sprintf("%v (%s), rank %d of %d", w.lib.kind, w.lib.path, w.rank, w.size)
}

var errClosed = errors.New("mpi: the World is closed")

// on has the thread do something.
func (w *World) on(do func() error) error {
	if w == nil {
		return errClosed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls == nil {
		return errClosed
	}
	done := make(chan error)
	w.calls <- call{do, done}
	return <-done
}

// Close leaves MPI; it waits until all processes do so.
func (w *World) Close() error {
	err := w.on(w.leave)
	if errors.Is(err, errClosed) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.calls)
	w.calls = nil
	return err
}

// leave ends MPI once all processes want to. In MPI_Finalize of MPICH, UCX over TCP asks every
// other process whether all has arrived, and answers the others only until its own answers are
// there. One that had them early, from a process still on its way out of the barrier, would go on
// and leave that one without an answer, forever. So nobody asks before all are out.
func (w *World) leave() error {
	if w.left == nil {
		if err := failed("MPI_Barrier", w.lib.barrier(w.lib.world)); err != nil {
			return err
		}
		if w.lib.kind == mpich {
			time.Sleep(200 * time.Millisecond)
		}
	}
	return failed("MPI_Finalize", w.lib.finalize())
}

func failed(name string, code int32) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("mpi: %s: error %d", name, code)
}

// most is how many numbers go in one message of MPI: few, so that one after the other arrives,
// by which it is seen that the other rank is at work.
const most = 64 << 10

// Exchange implements [train.Ranks]. Where ctx ends first, the messages that are on their way
// are left there: the processes can then do no more than end.
func (w *World) Exchange(ctx context.Context, send, receive []train.Message) error {
	for _, list := range [][]train.Message{send, receive} {
		for _, m := range list {
			if m.Rank < 0 || m.Rank >= w.Size() || m.Rank == w.rank {
				return fmt.Errorf("mpi: a message between rank %d and rank %d of %d", w.Rank(), m.Rank, w.Size())
			}
		}
	}
	return w.on(func() error { return w.exchange(ctx, send, receive) })
}

// exchange posts all messages, in parts, and asks for them until they are there: in between
// the core is free for others, as it would not be while a library waits by itself.
func (w *World) exchange(ctx context.Context, send, receive []train.Message) error {
	pins := new(runtime.Pinner)
	requests, n := make([]byte, w.lib.requestSize*uintptr(parts(send)+parts(receive))), int32(0)
	post := func(name string, with func(unsafe.Pointer, int32, uintptr, int32, int32, uintptr, unsafe.Pointer) int32, list []train.Message) error {
		for _, m := range list {
			if len(m.Data) == 0 {
				continue
			}
			pins.Pin(&m.Data[0])
			for from := 0; from < len(m.Data); from += most {
				length := min(most, len(m.Data)-from)
				code := with(unsafe.Pointer(&m.Data[from]), int32(length), w.lib.float, int32(m.Rank), 0, w.lib.world, unsafe.Pointer(&requests[uintptr(n)*w.lib.requestSize]))
				if code != 0 {
					return failed(name, code)
				}
				n++
			}
		}
		return nil
	}
	if len(requests) == 0 {
		return nil
	}
	pins.Pin(&requests[0])
	err := post("MPI_Irecv", w.lib.irecv, receive)
	if err == nil {
		err = post("MPI_Isend", w.lib.isend, send)
	}
	if err == nil {
		err = w.wait(ctx, n, unsafe.Pointer(&requests[0]))
	}
	if err != nil {
		w.left = append(w.left, pins)
		return err
	}
	pins.Unpin()
	return nil
}

// parts counts the messages of MPI.
func parts(list []train.Message) (n int) {
	for _, m := range list {
		n += (len(m.Data) + most - 1) / most
	}
	return n
}

// wait asks until all requests are done: at once, as long as some are from time to time; then less
// and less often.
func (w *World) wait(ctx context.Context, n int32, requests unsafe.Pointer) error {
	const patience, shortest, longest = time.Millisecond, 20 * time.Microsecond, time.Millisecond
	which := make([]int32, n)
	pause, last := shortest, time.Now()
	for left := n; left > 0; {
		var done int32
		if code := w.lib.testSome(n, requests, &done, unsafe.Pointer(&which[0]), w.lib.noStatuses); code != 0 {
			return failed("MPI_Testsome", code)
		}
		if done != 0 {
			if left -= done; done < 0 { // MPI_UNDEFINED: it has no more
				return nil
			}
			pause, last = shortest, time.Now()
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Since(last) < patience {
			runtime.Gosched()
			continue
		}
		time.Sleep(pause)
		pause = min(longest, pause+pause/8)
	}
	return nil
}
