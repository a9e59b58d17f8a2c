package kernel

import "github.com/goclip/goclip/internal/kernel/asm"

// stream is lines of the cache, so many bytes apart, that a core asks for while it computes.
type stream struct {
	at          *float32
	line, lines int
}

// beside has the panels of x ask for s: each for a line for every other k, the first
// for its first lines, the last for its last.
func (s stream) beside(x *asm.Tile) {
	x.Ahead, x.Line, x.Turn, x.Step = distance(x.A, s.at), s.line, 0, -x.Panel
	if more := s.lines - x.K/2; more > 0 && x.Panels > 1 {
		x.Step += blocks(more, x.Panels-1) * s.line
	}
}

// region is a block of an operand: columns of lines, so many bytes apart.
type region struct {
	stream
	column, columns int
}

// share appends to so many streams' columns the part that one of some passes asks for.
func (r region) share(to []stream, pass, of int) []stream {
	for c := r.columns * pass / of; c < r.columns*(pass+1)/of && len(to) < cap(to); c++ {
		to = append(to, stream{skip(r.at, c*r.column), r.line, r.lines})
	}
	return to
}

// ahead is what is asked for beside the panel of B at column q, of a block of m rows of C from i
// and n columns from j, while its rows from r on are computed: from weights that are read
// once the next panel; otherwise, in all panels but the first, beside which the tiles ask for their own A,
// the next block of B, and of an A that lies transposed, whose rows are too far apart to be told by the core.
func (p *product) ahead(to []stream, i, m, j, n, k0, r, q int) []stream {
	if next := p.next(m, k0, j, n, q); next != nil {
		return append(to, stream{&next[0], 64, len(next) / 16})
	}
	cols := p.table().tiles.Cols
	pass, of, after := q/cols-1, blocks(n, cols)-1, k0+kBlock
	if pass < 0 {
		return to
	}
	k, last := min(kBlock, p.to-after), r+blockRows >= m
	if last && k > 0 {
		to = p.regionB(j, n, after, k).share(to, pass, of)
	}
	switch {
	case !p.aT || p.stripA != nil:
	case !last:
		to = p.regionA(i+r+blockRows, min(blockRows, m-r-blockRows), k0, min(kBlock, p.to-k0)).share(to, pass, of)
	case k > 0:
		to = p.regionA(i, min(blockRows, m), after, k).share(to, pass, of)
	}
	return to
}

// regionA is k rows from k0, and m columns from i, of a transposed A.
func (p *product) regionA(i, m, k0, k int) region {
	return region{stream{&p.a[k0*p.lda+i], 4 * p.lda, k}, 64, blocks(m, 16)}
}

// regionB is k rows from k0, and n columns from j, of op(B).
func (p *product) regionB(j, n, k0, k int) region {
	switch {
	case p.packed != nil && p.packed.halves != nil:
		return region{}
	case p.packed != nil:
		all := blocks(roundUp(n, p.table().tiles.Lanes)*k, 16)
		return region{stream{&p.packed.panel(k0, j)[0], 64, kBlock}, 64 * kBlock, blocks(all, kBlock)}
	case p.bT:
		return region{stream{&p.b[j*p.ldb+k0], 4 * p.ldb, n}, 64, blocks(k, 16)}
	default:
		return region{stream{&p.b[k0*p.ldb+j], 4 * p.ldb, k}, 64, blocks(n, 16)}
	}
}
