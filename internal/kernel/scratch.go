package kernel

import (
	"sync"
	"weak"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// scratch lends the memory that operands are packed into. A block that is not
// lent is held weakly, so that the garbage collector takes back what nothing
// has used since its last run; a program in a steady state allocates nothing.
var scratch pool

type pool struct {
	mu   sync.Mutex
	free []weak.Pointer[block]
}

type block struct {
	data []float32
	self weak.Pointer[block]
}

// get lends a block of at least n floats: the smallest that is free, or a new one.
func (p *pool) get(n int) *block {
	p.mu.Lock()
	var best *block
	kept := p.free[:0]
	for _, w := range p.free {
		b := w.Value()
		if b == nil {
			continue
		}
		if len(b.data) >= n && (best == nil || len(b.data) < len(best.data)) {
			b, best = best, b
		}
		if b != nil {
			kept = append(kept, b.self)
		}
	}
	clear(p.free[len(kept):])
	p.free = kept
	p.mu.Unlock()
	if best == nil {
		best = &block{data: aligned(n)}
		best.self = weak.Make(best)
	}
	return best
}

func (p *pool) put(b *block) {
	p.mu.Lock()
	p.free = append(p.free, b.self)
	p.mu.Unlock()
}

// worker is what a goroutine needs beside it for a block of C.
type worker struct {
	args asm.Tile
	b    []float32 // packed panels of B
}

var workers = sync.Pool{New: func() any { return &worker{b: aligned(kBlock * blockCols)} }}
