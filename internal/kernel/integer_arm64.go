//go:build arm64 && !noasm

package kernel

import (
	"golang.org/x/sys/cpu"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// integersNEON are those of SDOT, where this machine has it.
func integersNEON() integerSet {
	if cpu.ARM64.HasASIMDDP {
		return integerSet{1, integerTileNEON, true}
	}
	return integersGo
}

func integerTileNEON(acc []int32, a []uint8, b []int8, width, rows, _ int) int {
	rows = min(rows, 4)
	do := [...]func(acc *int32, a *uint8, b *int8, lda, groups int){asm.IntegerTile1, asm.IntegerTile2, asm.IntegerTile3, asm.IntegerTile4}[rows-1]
	_ = acc[rows*panelCols-1]
	do(&acc[0], &a[0], &b[0], width, width/4)
	return rows
}
