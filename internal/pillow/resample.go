package pillow

import "math"

// kernel is an interpolation filter as a function, zero beyond support.
type kernel struct {
	support float64
	at      func(x float64) float64
}

// kernel returns the function that f names. Here and below, the conversions to
// float64 forbid fused multiply-add, so that every architecture gets Pillow's
// coefficients.
func (f Filter) kernel() kernel {
	switch f {
	case Bilinear:
		return kernel{1, func(x float64) float64 { return max(1-math.Abs(x), 0) }}
	case Lanczos:
		return kernel{3, func(x float64) float64 {
			if -3 <= x && x < 3 {
				return float64(sinc(x) * sinc(x/3))
			}
			return 0
		}}
	case Box:
		return kernel{0.5, func(x float64) float64 {
			if -0.5 < x && x <= 0.5 {
				return 1
			}
			return 0
		}}
	case Hamming:
		return kernel{1, func(x float64) float64 {
			if x = math.Abs(x); x >= 1 {
				return 0
			}
			return float64(sinc(x) * (0.54 + float64(0.46*math.Cos(x*math.Pi))))
		}}
	}
	return kernel{2, func(x float64) float64 {
		const a = -0.5
		switch x = math.Abs(x); {
		case x < 1:
			return float64(float64((float64((a+2)*x)-(a+3))*x)*x) + 1
		case x < 2:
			return (float64((float64((x-5)*x)+8)*x) - 4) * a
		}
		return 0
	}}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// coefficients holds, for each pixel seen along an axis, the source pixels it
// is made of and their weights.
type coefficients struct {
	from    []int     // first source pixel of each
	offset  []int     // weights[offset[i]:offset[i+1]] belong to pixel i
	weights []float64 // sum to 1
}

// set computes the coefficients of a as Pillow's precompute_coeffs does; the
// order of the operations matters. Where nothing is scaled, each pixel is itself.
func (c *coefficients) set(a axis, k kernel) {
	c.from, c.offset, c.weights = c.from[:0], append(c.offset[:0], 0), c.weights[:0]
	if !a.scales() {
		for i := range a.count {
			c.from, c.offset, c.weights = append(c.from, a.first+i), append(c.offset, i+1), append(c.weights, 1)
		}
		return
	}
	scale := float64(a.in) / float64(a.scaled)
	stretch := max(scale, 1)
	support := float64(k.support * stretch)
	inverse := 1 / stretch
	for i := a.first; i < a.first+a.count; i++ {
		centre := float64((float64(i) + 0.5) * scale)
		from := max(int(centre-support+0.5), 0)
		to := min(int(centre+support+0.5), a.in)
		sum, start := 0.0, len(c.weights)
		for x := from; x < to; x++ {
			w := k.at(float64((float64(x) - centre + 0.5) * inverse))
			c.weights = append(c.weights, w)
			sum += w
		}
		if sum != 0 {
			for j := start; j < len(c.weights); j++ {
				c.weights[j] /= sum
			}
		}
		c.from, c.offset = append(c.from, from), append(c.offset, len(c.weights))
	}
}

// fixed appends all weights in fixed point.
func (c *coefficients) fixed(dst []int32) []int32 {
	for _, w := range c.weights {
		dst = append(dst, fixed(w))
	}
	return dst
}

func fixed(w float64) int32 {
	return int32(float64(w*(1<<precision)) + math.Copysign(0.5, w))
}

// set computes the coefficients of both directions, and returns the columns of
// the source that are seen.
func (s *scratch) set(rows, cols axis, f Filter) (firstCol, lastCol int) {
	k := f.kernel()
	s.rows.set(rows, k)
	s.cols.set(cols, k)
	_, last := s.cols.span(cols.count - 1)
	return s.cols.from[0], last
}

// span returns the source pixels that pixel i is made of.
func (c *coefficients) span(i int) (from, to int) {
	return c.from[i], c.from[i] + c.offset[i+1] - c.offset[i]
}

// ring holds the last rows of the first pass, as many as the second can need.
type ring[T any] struct {
	rows  []T
	width int
	size  int // in rows
	ready int // rows below this one have been computed
}

// newRing takes its memory from buf.
func newRing[T any](buf *[]T, rows *coefficients, width int) *ring[T] {
	g := &ring[T]{width: width}
	for i := range rows.from {
		g.size = max(g.size, rows.offset[i+1]-rows.offset[i])
	}
	*buf = resized(*buf, g.size*width)
	g.rows = *buf
	return g
}

func (g *ring[T]) row(y int) []T {
	i := y % g.size * g.width
	return g.rows[i : i+g.width : i+g.width]
}

// advance computes, by first, the rows that pixel i of the second pass is made
// of and that the ring does not hold yet. It returns the first of them all.
func (g *ring[T]) advance(rows *coefficients, i int, first func(row []T, y int)) (from int) {
	from, to := rows.span(i)
	for y := max(from, g.ready); y < to; y++ {
		first(g.row(y), y)
	}
	g.ready = to
	return from
}
