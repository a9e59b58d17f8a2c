//go:build !linux

package kernel

func huge[T any]([]T) {}
