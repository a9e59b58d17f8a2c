package kernel

import "golang.org/x/sys/unix"

const largePage = 2 << 20

// wantLargePages is advice: its failure changes no result. The large pages at both ends are asked for too,
// since what is made next lies there, most often more of the kind, and a page that has been
// touched stays as it is.
func wantLargePages(at, size uintptr) {
	from, to := at&^(largePage-1), (at+size+largePage-1)&^(largePage-1)
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_HUGEPAGE)
}
