//go:build arm64 && !noasm

package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

// Every arm64 has NEON.
var available = []*table{&portable, &neon}

var neon = table{
	name:             "neon",
	exp:              asm.Exp,
	add:              asm.Add,
	mul:              asm.Mul,
	axpy:             asm.Axpy,
	scale:            asm.Scale,
	activate:         byActivation{GELU: asm.GELU, GELUTanh: asm.GELUTanh, QuickGELU: asm.QuickGELU, SiLU: asm.SiLU},
	activateBackward: byActivationBackward{GELU: asm.GELUGrad, GELUTanh: asm.GELUTanhGrad, QuickGELU: asm.QuickGELUGrad, SiLU: asm.SiLUGrad},
	adamW:            asm.AdamW,

	softmax:           softmaxPasses,
	softmaxBackward:   softmaxBackwardPasses,
	layerNorm:         layerNormPasses,
	layerNormBackward: layerNormBackwardPasses,

	dot:             asm.Dot,
	dots:            dotsByDot,
	dotWide:         dotWideGo,    // no NEON: float64, two to a vector
	sumSquares:      sumSquaresGo, // no NEON: float64, two to a vector
	finite:          finiteSum,
	addColumns:      asm.AddColumns,
	addProducts:     asm.AddProducts,
	layerNormParams: asm.NormalizeParams,

	max:          asm.Max,
	maxEach:      asm.MaxEach,
	scaledExpSum: asm.ScaledExpSum,
	addScaledExp: asm.AddScaledExp,
	chosen:       asm.Chosen,
	logistic:     asm.Logistic,

	taps:  asm.Taps1,
	taps4: asm.Taps4,

	integers:    integersNEON(), // where bytes are multiplied four at a time
	byteDots:    byteDotsNEON(), // where integers are
	quantizeRow: quantizeRowBy32,
	deviation:   deviationBy32,
	dequantize:  dequantizeBy8,

	tiles:       &asm.Tiles,
	transpose:   transposeGo,   // no NEON: moves elements, computes nothing
	copyRows:    copyRowsGo,    // no NEON: the runtime's copy
	packColumns: packColumnsGo, // no NEON: the runtime's copy

	widenFloat16:  widenFloat16By8,
	widenBFloat16: widenBFloat16By8,
}
