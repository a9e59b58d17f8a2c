//go:build !amd64 || noasm

package vp8l

const hasAVX2, hasBMI2 = false, false

func literalsBMI2(r *reader, codes *group, pix *uint32, n int) int { panic("unreachable") }

func predictAVX2(mode uint32, row, above *uint32, n int) { panic("unreachable") }
