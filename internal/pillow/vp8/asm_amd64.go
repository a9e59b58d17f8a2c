//go:build amd64 && !noasm

package vp8

import "golang.org/x/sys/cpu"

var hasAVX2 = cpu.X86.HasAVX2

//go:noescape
func smoothRowsAVX2(a, b *uint8, stride int, limit, inside, high uint8, inner bool)

//go:noescape
func smoothColumnsAVX2(a, b *uint8, stride int, limit, inside, high uint8, inner bool)
