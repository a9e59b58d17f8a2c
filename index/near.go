package index

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/unitrows"
)

// A search of rows that have bytes beside them reads the bytes of all rows, and of few rows
// the numbers, for the same hits and scores as reading all numbers. For a query q, rounded
// to q̂ in two levels of 127 steps, and a row x = μ + s·c + e of [byteRows],
//
//	q·x - (q·μ + q̂·s·c) = q·e + (q-q̂)·s·c
//
// which by Cauchy and Schwarz is at most ‖q‖·‖e‖ + ‖q-q̂‖·‖s·c‖ in magnitude, where
// ‖s·c‖ ≤ ‖x‖ + ‖μ‖ + ‖e‖. The left side's product is one of integers, exact but for
// float32 roundings of it and of the score itself, for which there is a share of 2^-24 (see
// slack). With this margin m a row's score, as [Index.Search] computes it, lies within m of
// its estimate. The k-th largest of estimate - m over the rows that may be found is therefore
// not above the k-th best score: k rows score as much. So no row with a smaller estimate + m
// is among the best k, whatever its key, and all others have their scores computed, in the
// order of estimate + m, until k are better than what is left could be.

// few is how many queries are compared by their columns, with which each row is multiplied;
// of more, rows are with sixteen columns at a time.
const few = 4

// asked are queries, as rows that are bytes are compared with them.
type asked struct {
	n, dim  int
	queries []float32
	columns *kernel.Quantized // of each query its rounding, then that of what it left over
	flat    *kernel.Columns   // the same of few queries, nil for more
	length  []float64         // ‖q‖
	rest    []float64         // ‖q-q̂‖
}

func ask(queries []float32, dim int) *asked {
	n := len(queries) / dim
	a := &asked{n: n, dim: dim, queries: queries, length: make([]float64, n), rest: make([]float64, n)}
	matrix := make([]float32, 2*n*dim)
	first := kernel.Quantize(kernel.NT, n, dim, queries, dim)
	var column []int8
	for q := range n {
		query := queries[q*dim:][:dim]
		copy(matrix[2*q*dim:], query)
		var scale float32
		scale, column = first.Column(column[:0], q)
		for i, v := range query {
			matrix[(2*q+1)*dim+i] = float32(float64(v) - float64(scale)*float64(column[i]))
		}
	}
	a.columns = kernel.Quantize(kernel.NT, 2*n, dim, matrix, dim)
	if n <= few {
		a.flat = a.columns.Columns()
	}
	var left []int8
	for q := range n {
		var s, t float32
		s, column = a.columns.Column(column[:0], 2*q)
		t, left = a.columns.Column(left[:0], 2*q+1)
		var whole, rest float64
		for i, v := range queries[q*dim:][:dim] {
			d := float64(v) - float64(s)*float64(column[i]) - float64(t)*float64(left[i])
			whole, rest = whole+float64(v)*float64(v), rest+d*d
		}
		a.length[q], a.rest[q] = math.Sqrt(whole), math.Sqrt(rest)
	}
	return a
}

// against is what a part's rows are compared with: what the centre adds to each column, and
// the margins, of which a row's own is length·wrong + slack.
type against struct{ bias, length, slack []float32 }

func (a *asked) against(b *byteRows) against {
	g := against{make([]float32, 2*a.n), make([]float32, a.n), make([]float32, a.n)}
	// The longest s·c; also what each product's magnitude is below, but for a factor of 13 in all:
	// three roundings of either level, of which the first may be longer than the query by
	// √D/126 of it, and of the three sums. [kernel.Dot] is off by D/32+8 roundings.
	longest := 1 + 2*unitrows.Tolerance + b.length + b.worst
	rounded := 0x1p-24 * (float64(a.dim)/16 + 64) * longest
	for q := range a.n {
		var with float64
		for i, v := range a.queries[q*a.dim:][:a.dim] {
			with += float64(v) * float64(b.centre[i])
		}
		g.bias[2*q] = float32(with)
		g.length[q] = above(a.length[q])
		g.slack[q] = above(a.rest[q]*longest + rounded)
	}
	return g
}

// estimate multiplies rows with all columns; the numbers of neighbouring rows, and of columns, are
// then so far apart.
func (a *asked) estimate(to []float32, codes []uint8, steps, bias []float32) (row, column int) {
	if a.flat != nil {
		kernel.DotsColumns(to, codes, steps, a.flat, bias)
		return 1, len(steps)
	}
	kernel.DotsQuantized(to, codes, steps, a.columns, bias)
	return 2 * a.n, 1
}

// nearest is what is known of one query's best rows while it is searched for.
type nearest struct {
	mu    sync.Mutex
	lower ranking // the best k estimates less their margins
	rows  []near  // those that may be among the best
}

type near struct {
	upper float32 // which the score is not above
	row   int
}

// floor is what the best k scores are not below.
func (r ranking) floor(k int) float32 {
	if len(r) < k {
		return float32(math.Inf(-1))
	}
	return r[0].score
}

// scanBytes looks at consecutive rows of a part for each query.
func (x *Index) scanBytes(all []nearest, a *asked, p *part, g against, from, to, k int, keep func(Entry) bool) {
	here, floors := make([]nearest, a.n), make([]float32, a.n)
	for q := range all {
		all[q].mu.Lock()
		floors[q] = all[q].lower.floor(k)
		all[q].mu.Unlock()
	}
	estimates := make([]float32, block*2*a.n)
	for ; from < to; from += block {
		n := min(block, to-from)
		at := from - p.first
		row, column := a.estimate(estimates[:n*2*a.n], p.bytes.codes[at*p.bytes.width:][:n*p.bytes.width], p.bytes.steps[at:][:n], g.bias)
		for i := range n {
			if x.gone[from+i] {
				continue
			}
			wrong := p.bytes.wrong[at+i]
			for q, floor := range floors {
				of := estimates[i*row+2*q*column:]
				about, margin := of[0]+of[column], g.length[q]*wrong+g.slack[q]
				if about+margin < floor || keep != nil && !keep(x.entries[from+i]) { // as nearly all are
					continue
				}
				here[q].rows = append(here[q].rows, near{about + margin, from + i})
				if c := (candidate{score: about - margin}); here[q].lower.admits(c, k) {
					here[q].lower.take(c, k)
					floors[q] = max(floor, here[q].lower.floor(k))
				}
			}
		}
	}
	for q := range all {
		all[q].add(&here[q], k)
	}
}

// add joins what a task found to what the others did.
func (n *nearest) add(other *nearest, k int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range other.lower {
		if n.lower.admits(c, k) {
			n.lower.take(c, k)
		}
	}
	floor := n.lower.floor(k)
	for _, r := range other.rows {
		if !(r.upper < floor) {
			n.rows = append(n.rows, r)
		}
	}
}

// score adds the best of what is near to those of other parts.
func (x *Index) score(best *ranking, query []float32, rows []near, k int) {
	slices.SortFunc(rows, func(a, b near) int {
		return cmp.Or(cmp.Compare(b.upper, a.upper), cmp.Compare(a.row, b.row))
	})
	buffer, seen := make([]float32, x.dim), int64(0)
	for _, r := range rows {
		if len(*best) == k && r.upper < (*best)[0].score {
			break
		}
		seen++
		c := candidate{kernel.Dot(query, x.rowInto(buffer, r.row)), r.row, x.entries[r.row].Key}
		if best.admits(c, k) {
			best.take(c, k)
		}
	}
	x.scored.Add(seen)
}
