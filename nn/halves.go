package nn

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
)

// Halvable tells whether p is the weight of a linear layer that can keep its numbers as
// halves: see [Param.KeepFloat16].
func (p *Param) Halvable() bool { return p != nil && p.matrix && !p.cut }

// KeepFloat16 makes the numbers with these bits, of IEEE 754's 16-bit format, p's weights,
// in half the memory that floats take: Data becomes nil. Products widen them and give the same
// bits as with floats of the same values. Such weights cannot be trained. p must be [Param.Halvable].
func (p *Param) KeepFloat16(bits []uint16) { p.keep(kernel.Float16, bits) }

// KeepBFloat16 is [Param.KeepFloat16] with the upper halves of float32 numbers.
func (p *Param) KeepBFloat16(bits []uint16) { p.keep(kernel.BFloat16, bits) }

func (p *Param) keep(f kernel.Half, bits []uint16) {
	if !p.Halvable() || len(bits) != p.Size() {
		Fail("parameter", "%s of shape %v cannot keep %d halves", p.Name, p.Shape, len(bits))
	}
	out := p.Shape[0]
	p.Data = nil
	p.halves = kernel.PackHalves(f, out, p.Size()/out, bits, p.Size()/out)
}

// Halves tells whether p keeps its numbers as halves.
func (p *Param) Halves() bool { return p != nil && p.halves != nil }

// BFloat16s tells whether the halves are bfloat16.
func (p *Param) BFloat16s() bool { return p.Halves() && p.halves.Half() == kernel.BFloat16 }

// Values are p's numbers: Data, or a copy made of halves.
func (p *Param) Values() []float32 {
	if p.Halves() {
		return p.halves.Unpack()
	}
	return p.Data
}

// projectHalves is project where the weight is kept as halves, which stand in no node.
func projectHalves(weight *Param, in ...*G.Node) *G.Node {
	xs := in[0].Shape()
	n := weight.Shape[0]
	if len(xs) < 2 || xs[len(xs)-1] != weight.Size()/n {
		Fail("linear", "input %v and weight %v", xs, weight.Shape)
	}
	rows, k := rowsOf(xs)
	product := func(y []float32, x Inputs, then kernel.Then) {
		var bias []float32
		if len(x) == 2 {
			bias = x.F32(1)
		}
		kernel.GemmPackedThen(rows, 1, x.F32(0), k, weight.halves, bias, 0, y, n, then)
	}
	back := []Pullback{Back(func(dx []float32, _ Inputs, _, dy []float32) {
		kernel.Gemm(kernel.NN, rows, k, n, 1, dy, n, weight.Values(), k, 0, dx, k)
	}).Reads()}
	if len(in) == 2 {
		WantShape("linear", "bias", in[1], n)
		back = append(back, Back(func(db []float32, _ Inputs, _, dy []float32) { kernel.ColSum(db, dy, rows, n) }).Reads())
	}
	return Apply(Op{
		Name:     fmt.Sprintf("linear of %s's halves", weight.Name),
		Shape:    withLast(xs, n),
		Forward:  func(y []float32, x Inputs) { product(y, x, nil) },
		parts:    func(y []float32, x Inputs, next step) { product(y, x, blocksOf(y, n, next)) },
		Backward: back,
	}, in...)
}
