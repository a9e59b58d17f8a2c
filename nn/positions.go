package nn

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// AddCountedPositions adds to each token the row of a table for its place among the
// tokens that are not padding, as RoBERTa does: row pad + 1 to the first of them, and row
// pad to padding. (B, L, W), (B, L) int32, (R, W) → (B, L, W).
func AddCountedPositions(x, ids, table *G.Node, pad int32) *G.Node {
	b, l, w := tokens("positional embedding", x)
	WantShape("positional embedding", "ids", ids, b, l)
	WantShape("positional embedding", "table", table, -1, w)
	rows := table.Shape()[0]
	// each visits the tokens with their rows.
	each := func(ids []int32, f func(token, row int)) {
		for i := range b {
			n := int(pad)
			for t, id := range ids[i*l:][:l] {
				row := int(pad)
				if id != pad {
					n++
					row = n
				}
				if row < 0 || row >= rows {
					Fail("positional embedding", "position %d of sample %d is outside the table's %d rows", row, i, rows)
				}
				f(i*l+t, row)
			}
		}
	}
	return Apply(Op{
		Name:  "positional embedding",
		Shape: tensor.Shape{b, l, w},
		Forward: func(y []float32, x Inputs) {
			in, table := x.F32(0), x.F32(2)
			each(x.I32(1), func(t, row int) { kernel.Add(y[t*w:][:w], in[t*w:][:w], table[row*w:][:w]) })
		},
		Backward: []Pullback{Through(), {}, Back(func(dt []float32, x Inputs, _, dy []float32) {
			clear(dt)
			each(x.I32(1), func(t, row int) { kernel.Axpy(dt[row*w:][:w], 1, dy[t*w:][:w]) })
		}).Reads(1)},
	}, x, ids, table)
}

// Sinusoids is the table of fixed positions of fairseq and M2M-100, (R, W) with an even
// W: row p has sin(p·f) and then cos(p·f) of the frequencies f = 10000^(−j/(W/2−1)). The
// row of padding is zeros.
func Sinusoids(rows, width, pad int) []float32 {
	half := width / 2
	step := float32(math.Log(10000)) / float32(max(half-1, 1))
	table := make([]float32, rows*width)
	for p := range rows {
		if p == pad {
			continue
		}
		for j := range half {
			frequency := float32(math.Exp(float64(-step * float32(j))))
			sin, cos := math.Sincos(float64(float32(p) * frequency))
			table[p*width+j], table[p*width+half+j] = float32(sin), float32(cos)
		}
	}
	return table
}

// AddKinds adds to each token the row of a table that types says, or row 0 where types is
// nil: (B, L, W), (B, L) int32, (T, W) → (B, L, W).
func AddKinds(x, types, table *G.Node) *G.Node {
	b, l, w := tokens("token types", x)
	WantShape("token types", "table", table, -1, w)
	rows := table.Shape()[0]
	in, back := []*G.Node{x, table}, []Pullback{Through(), {}}
	if types != nil {
		WantShape("token types", "types", types, b, l)
		in, back = append(in, types), append(back, Pullback{})
	}
	kind := func(x Inputs, t int) int {
		if types == nil {
			return 0
		}
		k := int(x.I32(2)[t])
		if k < 0 || k >= rows {
			Fail("token types", "type %d of sample %d is outside the table's %d rows", k, t/l, rows)
		}
		return k
	}
	back[1] = Back(func(dt []float32, x Inputs, _, dy []float32) {
		clear(dt)
		for t := range b * l {
			kernel.Axpy(dt[kind(x, t)*w:][:w], 1, dy[t*w:][:w])
		}
	})
	return Apply(Op{
		Name:  "token types",
		Shape: tensor.Shape{b, l, w},
		Forward: func(y []float32, x Inputs) {
			for t := range b * l {
				kernel.Add(y[t*w:][:w], x.F32(0)[t*w:][:w], x.F32(1)[kind(x, t)*w:][:w])
			}
		},
		Backward: back,
	}, in...)
}

// DistanceBuckets is a bias of attention's scores from the distance of query and key, as
// T5 has it (Raffel et al., 2020, section 2.1): distances share rows of a table, the more
// of them the further away, up to furthest; keys behind the query have the other half of
// the rows. (N, H) → (H, L, L).
func DistanceBuckets(table *G.Node, length, furthest int) *G.Node {
	WantShape("distance buckets", "table", table, -1, -1)
	n, heads := table.Shape()[0], table.Shape()[1]
	if n < 4 || n%2 != 0 || length < 1 || furthest <= n/4 {
		Fail("distance buckets", "%d rows for %d tokens up to distance %d", n, length, furthest)
	}
	row := make([]int, 2*length-1) // of key − query + L − 1
	for i := range row {
		row[i] = bucket(i-length+1, n/2, furthest)
	}
	each := func(f func(at, row int)) {
		for i := range length {
			for j := range length {
				f(i*length+j, row[j-i+length-1])
			}
		}
	}
	return Apply(Op{
		Name:  "distance buckets",
		Shape: tensor.Shape{heads, length, length}, // (H, L, L)
		Forward: func(y []float32, x Inputs) {
			table := x.F32(0)
			parallel.For(heads, func(h int) {
				y := y[h*length*length:]
				each(func(at, row int) { y[at] = table[row*heads+h] })
			})
		},
		Backward: []Pullback{Back(func(dt []float32, _ Inputs, _, dy []float32) {
			clear(dt)
			parallel.For(heads, func(h int) {
				dy := dy[h*length*length:]
				each(func(at, row int) { dt[row*heads+h] += dy[at] })
			})
		}).Reads()},
	}, table)
}

// bucket is the row for a key so far behind its query, of n for either direction: half of
// them are exact, the others grow evenly in the logarithm.
func bucket(distance, n, furthest int) int {
	first := 0
	if distance > 0 {
		first = n
	}
	exact, d := n/2, max(distance, -distance)
	if d < exact {
		return first + d
	}
	grown := math.Log(float64(d)/float64(exact)) / math.Log(float64(furthest)/float64(exact)) * float64(n-exact)
	return first + min(exact+int(grown+1e-6), n-1) // a power of two is exactly where its row begins
}
