package convert

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// confine limits a process that has just begun. That the system does it for another
// process saves a program in between, at the price of the first instants.
func confine(pid int, l limits) {
	for resource, most := range map[int]uint64{
		unix.RLIMIT_AS: uint64(l.memory), unix.RLIMIT_FSIZE: uint64(l.file), unix.RLIMIT_CORE: 0,
		unix.RLIMIT_CPU: uint64(l.cpu/time.Second) + 1,
	} {
		// A process that has ended cannot be limited.
		_ = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil)
	}
}

// exceeded tells whether a limit has ended a process.
func exceeded(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && (status.Signal() == syscall.SIGXFSZ || status.Signal() == syscall.SIGXCPU)
}
