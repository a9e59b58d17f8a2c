//go:build !amd64 || noasm

package vp8l

const hasAVX2 = false

func predictAVX2(mode uint32, row, above *uint32, n int) { panic("unreachable") }
