// Package kernel holds the float32 primitives that the layers are made of:
// matrix products, activations, softmax, layer normalisation, reductions and
// AdamW's step. They work on plain slices, row-major, and know nothing of
// graphs or models.
//
// Every primitive has a version in plain Go, whose name ends in Go, which is
// its specification and runs where there is no assembly. An instruction set is a
// table of functions: AVX-512, AVX2 or plain Go is chosen when a program starts
// on amd64; on arm64 it is NEON. The build tag noasm turns all assembly off, and
// GODEBUG=cpu.avx512f=off (or cpu.avx2=off) one set of it.
//
// The assembly is package asm, which the program in _gen writes, with the
// structs that it reads; run it after a change there:
//
//	cd internal/kernel/_gen && go run .
//
// Lengths and strides are checked before any work; a slice that is too short is
// a bug of the caller and panics. All functions are safe for concurrent use on
// slices that do not overlap what another call writes.
//
// # The order of sums
//
// A result never depends on the number of cores, on the rows around its row, on
// where a slice lies in memory or on what else runs. AVX2, AVX-512 and NEON give
// the same bits; plain Go, which may not fuse multiplication and addition and
// takes exponentials in float64, differs in rounding. ARCHITECTURE.md draws the
// blocks of a product and states the order in which it, and every other
// reduction, is summed.
package kernel
