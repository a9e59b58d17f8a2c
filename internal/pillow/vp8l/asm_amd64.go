//go:build amd64 && !noasm

package vp8l

import "golang.org/x/sys/cpu"

var (
	hasAVX2 = cpu.X86.HasAVX2
	hasBMI2 = cpu.X86.HasBMI2
)

//go:noescape
func literalsBMI2(r *reader, codes *group, pix *uint32, n int) int

//go:noescape
func predictAVX2(mode uint32, row, above *uint32, n int)
