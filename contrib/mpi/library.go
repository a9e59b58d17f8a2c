package mpi

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// kind is a binary interface: which numbers stand for what.
type kind int

const (
	openMPI kind = iota
	mpich
)

func (k kind) String() string { return [...]string{"Open MPI", "MPICH"}[k] }

// names are those under which the loader looks for a library.
func (k kind) names() []string {
	if k == openMPI {
		return []string{"libmpi.so.40", "libmpi.40.dylib"}
	}
	return []string{"libmpich.so.12", "libmpi.so.12", "libmpi.12.dylib"} // Debian's, the interface's, macOS's
}

// library is the calls of MPI that are needed. It must be used by one thread.
type library struct {
	kind kind
	path string

	world, float uintptr // MPI_COMM_WORLD, MPI_FLOAT
	noStatuses   uintptr // MPI_STATUSES_IGNORE
	requestSize  uintptr // of an MPI_Request, in bytes
	sum, in      uintptr // MPI_SUM, MPI_IN_PLACE
	initThread   func(argc, argv uintptr, required int32, provided *int32) int32
	rank, size   func(comm uintptr, to *int32) int32
	isend, irecv func(data unsafe.Pointer, n int32, kind uintptr, rank, tag int32, comm uintptr, request unsafe.Pointer) int32
	testSome     func(n int32, requests unsafe.Pointer, done *int32, which unsafe.Pointer, statuses uintptr) int32
	allReduce    func(in uintptr, data unsafe.Pointer, n int32, kind, op, comm uintptr) int32
	barrier      func(comm uintptr) int32
	finalize     func() int32
	version      func(text *byte, n *int32) int32
}

// load opens the library at a path, or the first of the kind that the system finds.
func load(k kind, path string) (*library, error) {
	names := k.names()
	if path != "" {
		names = []string{path}
	}
	var wrong []string
	for _, name := range names {
		handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL) // Open MPI's own parts look for its symbols
		if err == nil {
			l := &library{kind: k, path: name}
			return l, l.bind(handle)
		}
		wrong = append(wrong, err.Error())
	}
	return nil, fmt.Errorf("the launcher is %v's, but its library cannot be loaded: %s", k, strings.Join(wrong, "; "))
}

// bind looks the calls up. Open MPI's handles are addresses of its variables, MPICH's are
// numbers that its header fixes.
func (l *library) bind(handle uintptr) error {
	var missing []string
	find := func(name string) uintptr {
		address, err := purego.Dlsym(handle, name)
		if err != nil {
			missing = append(missing, name)
		}
		return address
	}
	if l.kind == openMPI {
		l.world, l.float, l.sum = find("ompi_mpi_comm_world"), find("ompi_mpi_float"), find("ompi_mpi_op_sum")
		l.in, l.noStatuses, l.requestSize = 1, 0, unsafe.Sizeof(uintptr(0))
	} else {
		l.world, l.float, l.sum = 0x44000000, 0x4c00040a, 0x58000003
		l.in, l.noStatuses, l.requestSize = ^uintptr(0), 1, 4
	}
	for name, call := range map[string]any{
		"MPI_Init_thread": &l.initThread, "MPI_Comm_rank": &l.rank, "MPI_Comm_size": &l.size, "MPI_Isend": &l.isend, "MPI_Irecv": &l.irecv,
		"MPI_Testsome": &l.testSome, "MPI_Allreduce": &l.allReduce, "MPI_Barrier": &l.barrier, "MPI_Finalize": &l.finalize, "MPI_Get_library_version": &l.version,
	} {
		if address := find(name); address != 0 {
			purego.RegisterFunc(call, address)
		}
	}
	if missing != nil {
		return fmt.Errorf("%s is no library of %v: it lacks %s", l.path, l.kind, strings.Join(missing, ", "))
	}
	return nil
}

const funneled = 1 // MPI_THREAD_FUNNELED: one thread makes all calls

// begin starts MPI and returns which process this is.
func (l *library) begin() (rank, size int, err error) {
	var level, r, n int32
	if code := l.initThread(0, 0, funneled, &level); code != 0 || level < funneled {
		return 0, 0, fmt.Errorf("MPI_Init_thread: error %d, thread level %d, want %d", code, level, funneled)
	}
	if code := l.rank(l.world, &r); code != 0 {
		return 0, 0, fmt.Errorf("MPI_Comm_rank: error %d", code)
	}
	if code := l.size(l.world, &n); code != 0 {
		return 0, 0, fmt.Errorf("MPI_Comm_size: error %d", code)
	}
	if r < 0 || r >= n {
		return 0, 0, errors.New("MPI has no place for this process")
	}
	return int(r), int(n), nil
}
