//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
)

func pause(p *os.Process) error  { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }

// peakOf is the largest resident set of a process that ended, in MiB, 0 where the system
// counts in other units.
func peakOf(s *os.ProcessState) float64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" {
		return float64(u.Maxrss) / 1024
	}
	return 0
}
