package kernel

import (
	"math"
	"runtime"
	"sync"

	"github.com/goclip/goclip/internal/kernel/asm"
	"github.com/goclip/goclip/internal/parallel"
)

// GemmQuantized computes C = A·op(B) + bias with integers: each row of A, m×k, is rounded to
// integers from -127 to 127 times a scale, products are summed exactly, and the sum is
// multiplied by both scales. Numbers that stand far out of a row, which would leave few steps
// for the others, are multiplied as they are and added one after another (Dettmers et al.,
// 2022, LLM.int8()). So an element depends on its row and its column alone, and is
// the same bits on every instruction set. A row with a number that is not finite gives NaN.
// The bias has n elements; nil is none.
func GemmQuantized(m int, a []float32, lda int, b *Quantized, bias []float32, c []float32, ldc int) {
	GemmQuantizedThen(m, a, lda, b, bias, c, ldc, nil)
}

// GemmQuantizedThen is [GemmQuantized], and what comes next of each block of C.
func GemmQuantizedThen(m int, a []float32, lda int, b *Quantized, bias []float32, c []float32, ldc int, then Then) {
	checkMatrix("a", a, m, b.k, lda)
	checkMatrix("c", c, m, b.n, ldc)
	checkBias(bias, b.n)
	if m == 0 || b.n == 0 {
		return
	}
	if bias == nil {
		bias = b.none
	}
	width := roundUp(b.k, 4)
	rows := quantizedPool.Get().(*quantizedRows)
	rows.reserve(m, width)
	each := evenly(m, 16)
	parallel.For(blocks(m, each), func(t int) {
		spare := sparePool.Get().(*spareRow)
		for i := t * each; i < min(m, t*each+each); i++ {
			rows.row(i, width, a[i*lda:][:b.k], b.shrink, spare)
		}
		sparePool.Put(spare)
	})
	p := integerProduct{rows: rows, width: width, b: b, bias: bias, c: c, ldc: ldc, m: m, then: then}
	down, across := integerCut(m, b.n)
	parallel.For(blocks(m, down)*blocks(b.n, across), func(t int) {
		i, j := t%blocks(m, down)*down, t/blocks(m, down)*across
		p.block(i, min(m, i+down), j, min(b.n, j+across))
	})
	quantizedPool.Put(rows)
}

// A task's part of C at most: its columns of B stay in a core's cache.
const (
	integerRows = 64
	integerCols = 256
)

// integerCut chooses the rows and columns of a task: those with which the cores are busy
// for the least time, and of these the most columns.
func integerCut(m, n int) (rows, cols int) {
	procs := runtime.GOMAXPROCS(0)
	down := blocks(m, integerRows)
	rows = blocks(m, down)
	best := math.MaxInt
	for c := integerCols; c >= integerStrip; c -= integerStrip {
		if time := blocks(down*blocks(n, c), procs) * c; time < best {
			best, cols = time, c
		}
	}
	return rows, cols
}

type integerProduct struct {
	rows  *quantizedRows
	width int
	b     *Quantized
	bias  []float32
	c     []float32
	ldc   int
	m     int
	then  Then
}

// integerStrip is how many columns are computed at once.
const integerStrip = 2 * panelCols

// integerStripOf is a strip of C: the sums of the rows of a, width bytes apart and one for each of rows,
// with each column of some panels of b, less that column's shift, times both scales, and the bias.
type integerStripOf struct {
	panels            int
	a                 []uint8
	width             int
	b                 []int8
	shift             []int32
	scale, bias, rows []float32
	c                 []float32
	ldc               int
}

// integerSet is what multiplies integers.
type integerSet struct {
	strip func(w *integerWorker)
	fast  bool // faster than floats
}

var integersGo = integerSet{integerStripGo, false}

// integerWorker is what a goroutine needs for a block of C.
type integerWorker struct {
	integerStripOf
	args asm.IntegerTile
	edge [integerRows * integerStrip]float32 // of a C whose last panel is not full
	over [integerStrip]float32               // of its bias
	odd  [integerRows]int
}

var integerWorkers = sync.Pool{New: func() any { return new(integerWorker) }}

// block computes rows i0 to i1 and columns j0 to j1 of C.
func (p *integerProduct) block(i0, i1, j0, j1 int) {
	w := integerWorkers.Get().(*integerWorker)
	odd := w.odd[:0] // rows that have outliers
	for i := i0; i < i1; i++ {
		if len(p.rows.outliers[i]) > 0 {
			odd = append(odd, i)
		}
	}
	for j := j0; j < j1; j += integerStrip {
		cols := min(integerStrip, j1-j)
		w.integerStripOf = integerStripOf{
			panels: blocks(cols, panelCols), a: p.rows.data[i0*p.width:], width: p.width, b: p.b.data[j*p.width:],
			shift: p.b.shift[j:], scale: p.b.scale[j:], bias: p.bias[j:], rows: p.rows.scale[i0:i1], c: p.c[i0*p.ldc+j:], ldc: p.ldc,
		}
		whole := cols%panelCols == 0
		if !whole {
			copy(w.over[:], p.bias[j:j+cols])
			w.bias, w.c, w.ldc = w.over[:], w.edge[:], integerStrip
		}
		isa.integers.strip(w)
		for i := i0; !whole && i < i1; i++ {
			copy(p.c[i*p.ldc+j:][:cols], w.edge[(i-i0)*integerStrip:])
		}
		for _, i := range odd {
			for _, o := range p.rows.outliers[i] {
				p.b.add(p.c[i*p.ldc+j:][:cols], j, o)
			}
		}
	}
	w.integerStripOf = integerStripOf{}
	integerWorkers.Put(w)
	if p.then != nil {
		p.then(i0, i1-i0, j0, j1-j0)
	}
}

func integerStripGo(w *integerWorker) {
	var sums [panelCols]int32
	for r, s := range w.rows {
		for q := range w.panels {
			clear(sums[:])
			panel := w.b[q*panelCols*w.width:]
			for g := 0; g < w.width; g += 4 {
				x := w.a[r*w.width+g:][:4]
				x0, x1, x2, x3 := int32(x[0]), int32(x[1]), int32(x[2]), int32(x[3])
				w := panel[g*panelCols:][:4*panelCols]
				for j := range sums {
					sums[j] += x0*int32(w[4*j]) + x1*int32(w[4*j+1]) + x2*int32(w[4*j+2]) + x3*int32(w[4*j+3])
				}
			}
			at := q * panelCols
			dequantizeGo(w.c[r*w.ldc+at:][:panelCols], sums[:], w.shift[at:], w.scale[at:], w.bias[at:], s)
		}
	}
}

// dequantizeGo is c = (acc-shift)·(s·scale) + bias, in three roundings.
func dequantizeGo(c []float32, acc, shift []int32, scale, bias []float32, s float32) {
	for j := range c {
		c[j] = float32(float32(acc[j]-shift[j])*float32(s*scale[j])) + bias[j]
	}
}
