package nn

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// Embedding looks up rows: ids (B, L) int32 in table (V, W) → (B, L, W). An id
// outside [0, V) is an error of the run.
func Embedding(ids, table *G.Node) *G.Node {
	WantShape("token embedding", "ids", ids, -1, -1)
	WantShape("token embedding", "table", table, -1, -1)
	b, l := ids.Shape()[0], ids.Shape()[1]
	v, w := table.Shape()[0], table.Shape()[1]
	return Apply(Op{
		Name:  "token embedding",
		Shape: tensor.Shape{b, l, w}, // (B, L, W)
		Forward: func(y []float32, x Inputs) {
			table := x.F32(1)
			for i, id := range x.I32(0) {
				if id < 0 || int(id) >= v {
					Fail("token embedding", "id %d of sample %d at position %d is outside the vocabulary of %d", id, i/l, i%l, v)
				}
				copy(y[i*w:][:w], table[int(id)*w:])
			}
		},
		Backward: []Pullback{{}, Back(func(dt []float32, x Inputs, _, dy []float32) {
			spans(v, w, func(from, to int) { clear(dt[from*w : to*w]) })
			const strip = 128
			parallel.For((w+strip-1)/strip, func(s int) {
				from, n := s*strip, min(strip, w-s*strip)
				for i, id := range x.I32(0) {
					kernel.Axpy(dt[int(id)*w+from:][:n], 1, dy[i*w+from:][:n])
				}
			})
		})},
	}, ids, table)
}

// AddPositions adds row i of pos to token i: (B, L, W) + (≥L, W) → (B, L, W). The
// table may have a dimension of 1 in front, as timm's have.
func AddPositions(x, pos *G.Node) *G.Node {
	WantShape("positional embedding", "input", x, -1, -1, -1)
	s := x.Shape()
	b, l, w := s[0], s[1], s[2]
	if t := pos.Shape(); len(t) == 3 {
		WantShape("positional embedding", "table", pos, 1, -1, w)
	} else {
		WantShape("positional embedding", "table", pos, -1, w)
	}
	rows := size(pos.Shape()) / w
	if rows < l {
		Fail("positional embedding", "%d tokens, but %d positions", l, rows)
	}
	return Apply(Op{
		Name:  "positional embedding",
		Shape: s,
		Forward: func(y []float32, x Inputs) {
			kernel.AddRows(y, x.F32(0), x.F32(1)[:l*w], b, l*w)
		},
		Backward: []Pullback{Through(), Back(func(dpos []float32, _ Inputs, _, dy []float32) {
			kernel.ColSum(dpos[:l*w], dy, b, l*w)
			clear(dpos[l*w:])
		})},
	}, x, pos)
}

// Prepend puts the vector cls, (W), before each sample's tokens, or several, (1, R, W):
// (B, P, W) → (B, R+P, W).
func Prepend(cls, x *G.Node) *G.Node { return Insert(cls, x, 0) }

// Insert puts a vector, (W), before the token at a place of each sample, or several, (1,
// R, W): (B, P, W) → (B, R+P, W).
func Insert(rows, x *G.Node, at int) *G.Node {
	WantShape("class token", "input", x, -1, -1, -1)
	b, p, w := x.Shape()[0], x.Shape()[1], x.Shape()[2]
	if len(rows.Shape()) == 3 {
		WantShape("class token", "class embedding", rows, 1, -1, w)
	} else {
		WantShape("class token", "class embedding", rows, w)
	}
	if at < 0 || at > p {
		Fail("class token", "position %d of %d", at, p)
	}
	n, front, each := size(rows.Shape()), at*w, p*w // elements that are inserted, those in front, and a sample's
	return Apply(Op{
		Name:  "class token",
		Shape: tensor.Shape{b, p + n/w, w}, // (B, R+P, W)
		Forward: func(y []float32, x Inputs) {
			for i := range b {
				out, in := y[i*(n+each):][:n+each], x.F32(1)[i*each:][:each]
				copy(out, in[:front])
				copy(out[front:], x.F32(0))
				copy(out[front+n:], in[front:])
			}
		},
		Backward: []Pullback{
			Back(func(drows []float32, _ Inputs, _, dy []float32) {
				clear(drows)
				for i := range b {
					kernel.Axpy(drows, 1, dy[i*(n+each)+front:][:n])
				}
			}),
			Back(func(dx []float32, _ Inputs, _, dy []float32) {
				for i := range b {
					d, in := dx[i*each:][:each], dy[i*(n+each):][:n+each]
					copy(d, in[:front])
					copy(d[front:], in[front+n:])
				}
			}),
		},
	}, rows, x)
}

// NewPatchWeight is the weight of [PatchEmbed], (width, channels, size, size).
func NewPatchWeight(name string, width, channels, size int) *Param {
	p := NewParam(name, width, channels, size, size)
	p.patches = true
	return p
}

// PatchEmbed cuts images into square patches and projects each, a convolution
// whose stride is its kernel's size: pixels (B, 3, H, W), weight
// (width, 3, patch, patch), bias (width) or nil → (B, P, width), patches in row-major
// order. Rows and columns of pixels beyond the last whole patch are dropped.
func PatchEmbed(pixels *G.Node, weight, bias *Param) *G.Node {
	in := []*G.Node{pixels, weight.Node(pixels.Graph())}
	if bias != nil {
		in = append(in, bias.Node(pixels.Graph()))
	}
	return patchEmbed(weight, in...)
}

func patchEmbed(param *Param, in ...*G.Node) *G.Node {
	pixels, weight := in[0], in[1]
	WantShape("patch embedding", "pixels", pixels, -1, -1, -1, -1)
	WantShape("patch embedding", "weight", weight, -1, pixels.Shape()[1], -1, -1)
	s, ws := pixels.Shape(), weight.Shape()
	p := patches{b: s[0], c: s[1], h: s[2], w: s[3], size: ws[2]}
	if ws[3] != p.size || p.size < 1 || p.h < p.size || p.w < p.size {
		Fail("patch embedding", "weight %v does not cut pixels %v into square patches", ws, s)
	}
	n, k, width := p.count(), p.c*p.size*p.size, ws[0]
	if len(in) == 3 {
		WantShape("patch embedding", "bias", in[2], width)
	}
	var cols []float32 // the patches as rows, (B·P, c·size·size)
	op := Op{
		Name:  "patch embedding",
		Shape: tensor.Shape{p.b, n, width}, // (B, P, width)
		Forward: func(y []float32, x Inputs) {
			if cols == nil {
				cols = make([]float32, p.b*n*k)
			}
			p.cut(cols, x.F32(0))
			var bias []float32
			if len(x) == 3 {
				bias = x.F32(2)
			}
			multiply(param, kernel.NT, p.b*n, width, k, cols, x.F32(1), bias, y, nil)
		},
		Backward: []Pullback{
			Back(func(dx []float32, x Inputs, _, dy []float32) {
				d := make([]float32, p.b*n*k)
				kernel.Gemm(kernel.NN, p.b*n, k, width, 1, dy, width, x.F32(1), k, 0, d, k)
				p.paste(dx, d)
			}),
			Back(func(dw []float32, _ Inputs, _, dy []float32) {
				kernel.Gemm(kernel.TN, width, k, p.b*n, 1, dy, width, cols, k, 0, dw, k)
			}),
		},
	}
	if len(in) == 3 {
		op.joint = &joint{inputs: []int{1, 2}, reads: []int{}, fn: func(d [][]float32, _ Inputs, dy []float32, _ step) {
			kernel.GemmTNSum(width, k, p.b*n, dy, width, cols, k, d[0], k, d[1])
		}}
		op.Backward = append(op.Backward, Back(func(db []float32, _ Inputs, _, dy []float32) {
			kernel.ColSum(db, dy, p.b*n, width)
		}).Reads())
	}
	return Apply(op, in...)
}

// patches is the geometry of cutting (b, c, h, w) into squares.
type patches struct{ b, c, h, w, size int }

func (p patches) count() int { return (p.h / p.size) * (p.w / p.size) }

func (p patches) cut(rows, pixels []float32) {
	p.each(func(row, image int) { copy(rows[row:][:p.size], pixels[image:]) })
}

func (p patches) paste(pixels, rows []float32) {
	clear(pixels)
	p.each(func(row, image int) { copy(pixels[image:][:p.size], rows[row:]) })
}

// each visits the runs of size pixels that lie together in a patch and in the
// image, with the offset of each in the two.
func (p patches) each(f func(row, image int)) {
	s, gw := p.size, p.w/p.size
	parallel.For(p.b*p.count(), func(at int) {
		b, i := at/p.count(), at%p.count()
		top, left := i/gw*s, i%gw*s
		for c := range p.c {
			for y := range s {
				f(((at*p.c+c)*s+y)*s, ((b*p.c+c)*p.h+top+y)*p.w+left)
			}
		}
	})
}
