//go:build arm64 && !noasm

package kernel

import (
	"golang.org/x/sys/cpu"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// integersNEON are those of SDOT, where this machine has it.
func integersNEON() integerSet {
	if cpu.ARM64.HasASIMDDP {
		return integerSet{func(w *integerWorker) { w.tiles(&asm.IntegerTiles) }, true}
	}
	return integersGo
}
