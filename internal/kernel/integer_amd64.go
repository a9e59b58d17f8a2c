//go:build amd64 && !noasm

package kernel

import (
	"golang.org/x/sys/cpu"

	"github.com/goclip/goclip/internal/kernel/asm"
)

var integersAVX2 = integerSet{1, integerTileAVX2, true}

// integersAVX512 are those of VNNI, where this machine multiplies bytes.
func integersAVX512() integerSet {
	if cpu.X86.HasAVX512VNNI {
		return integerSet{2, integerTileVNNI, true}
	}
	return integersAVX2
}

func integerTileAVX2(acc []int32, a []uint8, b []int8, width, rows, _ int) int {
	rows = min(rows, 4)
	do := [...]func(acc *int32, a *uint8, b *int8, lda, groups int){asm.IntegerTile1, asm.IntegerTile2, asm.IntegerTile3, asm.IntegerTile4}[rows-1]
	_ = acc[rows*panelCols-1]
	do(&acc[0], &a[0], &b[0], width, width/4)
	return rows
}

func integerTileVNNI(acc []int32, a []uint8, b []int8, width, rows, panels int) int {
	type tile = func(acc *int32, a *uint8, b *int8, lda, groups int)
	size, rows := 0, min(rows, 8)
	for size = 3; 1<<size > rows; size-- {
	}
	do := [...][2]tile{
		{asm.IntegerTile1x1VNNI, asm.IntegerTile1x2VNNI}, {asm.IntegerTile2x1VNNI, asm.IntegerTile2x2VNNI},
		{asm.IntegerTile4x1VNNI, asm.IntegerTile4x2VNNI}, {asm.IntegerTile8x1VNNI, asm.IntegerTile8x2VNNI},
	}[size][panels-1]
	_ = acc[(panels*panelCols)<<size-1]
	do(&acc[0], &a[0], &b[0], width, width/4)
	return 1 << size
}
