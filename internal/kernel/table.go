package kernel

import (
	"fmt"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// table is an instruction set: the function that it has for everything that
// kernels compute. The plain Go functions, whose names end in Go, are the
// specification; where a set has nothing of its own, its table says so by naming
// them or another set's.
//
// What goes through a function value escapes, so slices of a caller's stack
// would be moved to the heap. None are: operands are tensors, tiles have their
// arguments from a pool of workers, and code that keeps an array on its stack, as
// packing does, is an entry that calls the assembly by name.
type table struct {
	name string

	// Of every element.
	exp              func(dst, x []float32)
	add, mul         func(dst, a, b []float32)
	axpy             func(dst []float32, alpha float32, x []float32)
	scale            func(dst []float32, by float32)
	activate         byActivation
	activateBackward byActivationBackward
	adamW            func(p, g, m, v []float32, s asm.AdamWScalars)

	// Of a row.
	softmax           func(dst, x []float32)
	softmaxBackward   func(dx, p, dp []float32, scale float32)
	layerNorm         func(dst, x, gamma, beta []float32, eps float32) (mean, rstd float32)
	layerNormBackward func(dx, x, dy, gamma []float32, mean, rstd float32)

	// Sums.
	dot             func(a, b []float32) float32
	dots            func(dst, queries, rows []float32, dim, n int) (done int)
	dotWide         func(a, b []float32) float64
	sumSquares      func(x []float32) float64
	finite          func(x []float32) bool
	addColumns      func(dst, x []float32, rows, ld int)
	addProducts     func(dst, x, y []float32, rows, ldx, ldy int)
	layerNormParams func(dgamma, dbeta, x, dy, mean, rstd []float32, ld int)

	// Of similarities.
	max          func(x []float32) float32
	maxEach      func(dst, x []float32)
	scaledExpSum func(x []float32, scale, top float32) float32
	addScaledExp func(sum, x, top []float32, scale float32)
	chosen       func(p, x, his, los []float32, scale, hi, lo float32) float32
	logistic     func(p, x []float32, scale, bias float32) (loss, sum, dot float32)

	// Of a depthwise convolution: one output, and four side by side.
	taps, taps4 func(dst, x, w, bias []float32, s asm.Taps)

	// Products of integers.
	integers    integerSet
	byteDots    func(first, second []int32, a []uint8, b []int8, width int)
	quantizeRow func(dst []uint8, x []float32) float32
	deviation   func(x []uint8) int
	dequantize  func(c []float32, acc, shift []int32, scale, bias []float32, s float32)

	// Matrix products.
	tiles       *asm.TileSet
	transpose   func(dst []float32, width int, src []float32, ld, rows, cols int)
	copyRows    func(dst []float32, width int, src []float32, ld, rows, cols int)
	packColumns func(dst []float32, cols, pitch int, src []float32, ld, m, k int)

	// Halves to floats.
	widenFloat16, widenBFloat16 func(dst []float32, src []uint16)
}

type (
	byActivation         [activations]func(dst, x []float32)
	byActivationBackward [activations]func(dx, x, dy []float32)
)

// portable is plain Go.
var portable = table{
	name:             "go",
	exp:              expGo,
	add:              addGo,
	mul:              mulGo,
	axpy:             axpyGo,
	scale:            scaleGo,
	activate:         byActivation{GELU: geluGo, GELUTanh: geluTanhGo, QuickGELU: quickGELUGo, SiLU: siluGo},
	activateBackward: byActivationBackward{GELU: geluBackwardGo, GELUTanh: geluTanhBackwardGo, QuickGELU: quickGELUBackwardGo, SiLU: siluBackwardGo},
	adamW:            adamWGo,

	softmax:           softmaxGo,
	softmaxBackward:   softmaxBackwardGo,
	layerNorm:         layerNormGo,
	layerNormBackward: layerNormBackwardGo,

	dot:             dotGo,
	dots:            dotsGo,
	dotWide:         dotWideGo,
	sumSquares:      sumSquaresGo,
	finite:          finiteGo,
	addColumns:      addColumnsGo,
	addProducts:     addProductsGo,
	layerNormParams: layerNormParamsGo,

	max:          maxGo,
	maxEach:      maxEachGo,
	scaledExpSum: scaledExpSumGo,
	addScaledExp: addScaledExpGo,
	chosen:       chosenGo,
	logistic:     logisticGo,

	taps:  tapsGo,
	taps4: taps4Go,

	integers:    integersGo,
	byteDots:    byteDotsGo,
	quantizeRow: quantizeRowGo,
	deviation:   deviationGo,
	dequantize:  dequantizeGo,

	tiles:       &tilesGo,
	transpose:   transposeGo,
	copyRows:    copyRowsGo,
	packColumns: packColumnsGo,

	widenFloat16:  widenFloat16Go,
	widenBFloat16: widenBFloat16Go,
}

func (t *table) String() string { return t.name }

// isa is the set in use: the best of this machine, unless a test says otherwise.
var isa = available[len(available)-1]

// ISA names the instruction set that the kernels use: "avx512", "avx2", "neon"
// or "go".
func ISA() string { return isa.name }

// ForceISA makes the kernels use the named instruction set until restore is
// called, or returns an error where this machine lacks it. It is for tests, and
// must not be called while kernels run.
func ForceISA(name string) (restore func(), err error) {
	was := isa
	for _, t := range available {
		if t.name == name {
			isa = t
			return func() { isa = was }, nil
		}
	}
	return nil, fmt.Errorf("kernel: instruction set %q, this build on this machine has %v", name, available)
}
