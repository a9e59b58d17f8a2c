package kernel

import (
	"math"
	"sync/atomic"
)

// AllFinite reports whether x holds no NaN and no infinity.
func AllFinite(x []float32) bool {
	var bad atomic.Bool
	chunks(len(x), func(i, j int) {
		if !bad.Load() && !isa.finite(x[i:j]) {
			bad.Store(true)
		}
	})
	return !bad.Load()
}

func finiteGo(x []float32) bool {
	for _, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}
