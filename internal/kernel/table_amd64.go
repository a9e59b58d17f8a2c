//go:build amd64 && !noasm

package kernel

import (
	"golang.org/x/sys/cpu"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// available lists the sets of this machine, the best last.
var available = func() []*table {
	sets := []*table{&portable}
	if x := &cpu.X86; x.HasAVX2 && x.HasFMA {
		sets = append(sets, &avx2)
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL {
			sets = append(sets, &avx512)
		}
	}
	return sets
}()

var avx2 = table{
	name:             "avx2",
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
	dots:            dotsBy3,
	dotWide:         asm.DotWide,
	sumSquares:      asm.SumSquares,
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

	integers:    integersAVX2,
	byteDots:    byteDotsBy4,
	quantizeRow: quantizeRowBy32,
	deviation:   deviationBy32,
	dequantize:  dequantizeBy8,

	tiles:       &asm.Tiles,
	transpose:   transposeBy8,
	copyRows:    copyRowsBy8,
	packColumns: packColumnsBy6,

	widenFloat16:  widenFloat16F16C(),
	widenBFloat16: widenBFloat16By8,
}

// avx512 has functions of its own where arithmetic is the limit. The others are
// AVX2's: where memory is, wider vectors gain nothing.
var avx512 = table{
	name:             "avx512",
	exp:              asm.ExpAVX512,
	add:              asm.Add,   // AVX2
	mul:              asm.Mul,   // AVX2
	axpy:             asm.Axpy,  // AVX2
	scale:            asm.Scale, // AVX2
	activate:         byActivation{GELU: asm.GELUAVX512, GELUTanh: asm.GELUTanhAVX512, QuickGELU: asm.QuickGELUAVX512, SiLU: asm.SiLUAVX512},
	activateBackward: byActivationBackward{GELU: asm.GELUGradAVX512, GELUTanh: asm.GELUTanhGradAVX512, QuickGELU: asm.QuickGELUGradAVX512, SiLU: asm.SiLUGradAVX512},
	adamW:            asm.AdamW, // AVX2

	softmax:           softmaxPassesAVX512,
	softmaxBackward:   softmaxBackwardPasses,   // AVX2
	layerNorm:         layerNormPasses,         // AVX2
	layerNormBackward: layerNormBackwardPasses, // AVX2

	dot:             asm.Dot, // AVX2
	dots:            dotsBy6,
	dotWide:         asm.DotWide,         // AVX2
	sumSquares:      asm.SumSquares,      // AVX2
	finite:          finiteSum,           // AVX2
	addColumns:      asm.AddColumns,      // AVX2
	addProducts:     asm.AddProducts,     // AVX2
	layerNormParams: asm.NormalizeParams, // AVX2

	max:          asm.Max,     // AVX2
	maxEach:      asm.MaxEach, // AVX2
	scaledExpSum: asm.ScaledExpSumAVX512,
	addScaledExp: asm.AddScaledExpAVX512,
	chosen:       asm.ChosenAVX512,
	logistic:     asm.LogisticAVX512,

	taps:  asm.Taps1AVX512,
	taps4: asm.Taps4AVX512,

	integers:    integersAVX512(), // with VNNI or without
	byteDots:    byteDotsAVX512(), // with VNNI or without
	quantizeRow: quantizeRowBy32,  // AVX2
	deviation:   deviationBy32,    // AVX2
	dequantize:  dequantizeBy8,    // AVX2

	tiles:       &asm.TilesAVX512,
	transpose:   transposeBy8,   // AVX2
	copyRows:    copyRowsBy8,    // AVX2
	packColumns: packColumnsBy8, // AVX2

	widenFloat16:  widenFloat16F16C(), // AVX2, which comes with F16C
	widenBFloat16: widenBFloat16By8,   // AVX2
}
