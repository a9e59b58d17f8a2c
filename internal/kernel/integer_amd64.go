//go:build amd64 && !noasm

package kernel

import (
	"golang.org/x/sys/cpu"

	"github.com/goclip/goclip/internal/kernel/asm"
)

var integersAVX2 = integerSet{func(w *integerWorker) { w.tiles(&asm.IntegerTiles) }, true}

// integersAVX512 are those of VNNI, where this machine multiplies bytes.
func integersAVX512() integerSet {
	if cpu.X86.HasAVX512VNNI {
		return integerSet{func(w *integerWorker) { w.tiles(&asm.IntegerTilesVNNI) }, true}
	}
	return integersAVX2
}
