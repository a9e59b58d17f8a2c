//go:build amd64 && !noasm

package vp8l

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

//go:noescape
func predictAVX2(mode uint32, row, above *uint32, n int)
