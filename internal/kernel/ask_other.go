//go:build !amd64 || noasm

package kernel

func ask(x *float32, ld, rows, n int) {}
