package kernel

import (
	"fmt"

	"github.com/goclip/goclip/internal/kernel/asm"
)

// Kernel2D is the kernel of a depthwise convolution, and how it meets images whose
// channels come last.
type Kernel2D struct {
	Rows, Cols int // of the kernel
	Channels   int
	Pitch      int // elements from one row of an image to the next
	Stride     int // pixels between what two outputs side by side see
}

// Depthwise computes outputs side by side, dst (N, Channels): for each output the bias,
// (Channels), and to it the sum over the kernel, in row-major order, of what it sees in x times
// the weight, (Rows, Cols, Channels). The first output sees x from its beginning.
func Depthwise(dst, x, weight, bias []float32, k Kernel2D) {
	c := k.Channels
	if c < 1 || k.Rows < 1 || k.Cols < 1 || k.Stride < 1 || k.Pitch < 0 || len(dst)%c != 0 {
		panic(fmt.Sprintf("kernel: depthwise %+v for %d elements", k, len(dst)))
	}
	checkLen("weight", weight, k.Rows*k.Cols*c)
	checkLen("bias", bias, c)
	n := len(dst) / c
	if n == 0 {
		return
	}
	checkAtLeast("x", x, ((n-1)*k.Stride+k.Cols)*c+(k.Rows-1)*k.Pitch)
	step := k.Stride * c
	s := asm.Taps{Rows: k.Rows, Cols: k.Cols, Channels: c, Pitch: 4 * k.Pitch, Step: 4 * step}
	i := 0
	for ; i+4 <= n; i += 4 {
		isa.taps4(dst[i*c:][:4*c], x[i*step:], weight, bias, s)
	}
	for ; i < n; i++ {
		isa.taps(dst[i*c:][:c], x[i*step:], weight, bias, s)
	}
}

func tapsGo(dst, x, w, bias []float32, s asm.Taps) {
	c := s.Channels
	copy(dst[:c], bias)
	for r := range s.Rows {
		for t := range s.Cols {
			x, w := x[r*s.Pitch/4+t*c:][:c], w[(r*s.Cols+t)*c:][:c]
			for j, v := range x {
				dst[j] += float32(v * w[j]) // rounded twice, on arm64 too
			}
		}
	}
}

func taps4Go(dst, x, w, bias []float32, s asm.Taps) {
	for i := range 4 {
		tapsGo(dst[i*s.Channels:][:s.Channels], x[i*s.Step/4:], w, bias, s)
	}
}

// AddProducts computes dst[j] += Σ_i x[i·ldx+j]·y[i·ldy+j] over so many rows i, in
// ascending order.
func AddProducts(dst, x, y []float32, rows, ldx, ldy int) {
	if rows == 0 {
		return
	}
	checkAtLeast("x", x, (rows-1)*ldx+len(dst))
	checkAtLeast("y", y, (rows-1)*ldy+len(dst))
	isa.addProducts(dst, x, y, rows, ldx, ldy)
}

func addProductsGo(dst, x, y []float32, rows, ldx, ldy int) {
	for i := range rows {
		x, y := x[i*ldx:][:len(dst)], y[i*ldy:][:len(dst)]
		for j, v := range x {
			dst[j] += float32(v * y[j])
		}
	}
}
