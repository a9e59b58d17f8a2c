// Package kernel holds the float32 primitives that the layers are made of:
// matrix products, activations, softmax, layer normalisation, reductions and
// AdamW's step. They work on plain slices, row-major, and know nothing of
// graphs or models.
//
// Every primitive has a version in plain Go, whose name ends in Go, which is
// its specification and runs where there is no assembly. On amd64, AVX-512, AVX2
// or plain Go is chosen at run time; on arm64 it is NEON. The build tag noasm
// turns all assembly off, and GODEBUG=cpu.avx512f=off (or cpu.avx2=off) one set
// of it. The assembly is written by the program in _gen; run it after a change
// there:
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
// takes exponentials in float64, differs in rounding.
//
// An element of a product C = alpha·A·B + bias + beta·C is summed over blocks of
// 256 k. Within a block the sum is one chain, from 0 and upwards in k, of fused
// multiply-adds; the block's sum joins C in one more:
//
//	        k = 0 … 255           k = 256 … 511          k = 512 … 599
//	C[i,j] ─┐
//	        ├─ s ← fma(a,b,s) …   s ← fma(a,b,s) …       s ← fma(a,b,s) …
//	bias[j] ┘         │                   │                      │
//	   └──────────► fma(alpha,s,·) ──► fma(alpha,s,·) ───► fma(alpha,s,·) = C[i,j]
//
// C where beta is 1, then the bias where there is one, come first; where there
// is neither, the first block's sum is multiplied by alpha and stored. No tile,
// edge or task changes that chain, so Gemm, GemmSerial, GemmBias and GemmPacked
// agree bit for bit, and products of 0 at the end of k change nothing.
//
// Reductions keep 32 partial sums (16 in Softmax and LayerNormBackward): element
// i belongs to sum i mod 32, and the sums are joined in halves. Columns are added
// in blocks of 64 rows, and then the blocks. Slices are cut every 16,384 elements:
// into tasks for the cores, and because the runtime cannot preempt assembly.
//
// # Blocks and panels
//
// The products follow Goto & van de Geijn (2008) and BLIS (Van Zee & van de Geijn
// 2015), with the innermost loop in assembly:
//
//	                    ◄── 192 columns: a task ──►
//	                    ┌──────┬──────┬─────┬──────┐ ▲
//	       B, k×n       │ 48   │ 48   │     │      │ 256 k: packed by the core
//	                    │ wide │      │     │      │ ▼ that is about to use it
//	                    └──────┴──────┴─────┴──────┘
//	  ◄─ 256 k ─►
//	▲ ┌──────────┐ ▲    ┌──────┬──────┬─────┬──────┐
//	│ │ 8 rows   │ 192  │ tile │      │     │      │  C, m×n
//	│ ├──────────┤ rows ├──────┼──────┼─────┼──────┤
//	│ │ 8 rows   │ │    │      │      │     │      │
//	▼ └──────────┘ ▼    └──────┴──────┴─────┴──────┘
//	A, m×k: a strip of up to 2 Mi elements is packed at a time, by all cores
//
// A tile of C (8×48 with AVX-512, 6×16 with AVX2, 8×12 with NEON, 2×4 in Go) stays in registers
// while k goes up. Each step loads one row of a panel of B and multiplies it by
// the elements of a column of a panel of A. Packing puts both in the order in
// which they are read. 192×256 of A and 256×192 of B, 192 KiB each, stay in a
// core's second-level cache. GemmSerial reads A where it is and packs B in the
// same blocks. Tiles with fewer rows, and with fewer vectors of columns, do the
// edges.
package kernel
