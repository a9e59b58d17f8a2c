//go:build !linux

package kernel

func wantLargePages(at, size uintptr) {}
