//go:build unix

package kernel

import "golang.org/x/sys/unix"

func reserve(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

// release gives memory back that reserve returned, which cannot fail.
func release(m []byte) { _ = unix.Munmap(m) }
