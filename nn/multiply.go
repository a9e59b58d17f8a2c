package nn

import "github.com/goclip/goclip/internal/kernel"

// multiply is y = x·op(w) + bias, (rows, k) × (k, n), and what comes next of each block of y. w are the
// values of a parameter, which may have them in another form; p is nil for those of other nodes.
func multiply(p *Param, l kernel.Layout, rows, n, k int, x, w, bias, y []float32, then kernel.Then) {
	switch {
	case p.Quantized():
		p.convert(l, n, k, func(ld int) { p.quantized = kernel.QuantizeWeights(l, n, k, p.Data, ld) })
		kernel.GemmQuantizedThen(rows, x, k, p.quantized, bias, y, n, then)
	case p == nil || !p.mapped:
		kernel.GemmBiasThen(l, rows, n, k, x, k, w, rowLen(l, n, k), bias, y, n, then)
	case !p.read.Swap(true):
		kernel.GemmBiasThen(l, rows, n, k, x, k, w, rowLen(l, n, k), bias, y, n, then)
		p.Release()
	default:
		p.convert(l, n, k, func(ld int) { p.packed = kernel.Pack(l, n, k, p.Data, ld) })
		kernel.GemmPackedThen(rows, 1, x, k, p.packed, bias, 0, y, n, then)
	}
}
