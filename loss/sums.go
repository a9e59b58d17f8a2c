package loss

import (
	"math"
	"slices"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

const (
	columnStrip = 128 // texts that one task looks at
	rowBlock    = 64  // exponentials of a text that are added up in float32
	// lowest is what largest similarities are no lower than, so that where all are aside their
	// exponentials are 0.
	lowest = -1e30
)

// sums is ln Σ exp of the logits of each image and of each text, without a bias. What is
// aside is not in it.
type sums struct {
	image, text []float64
	// Of the texts so far: Σ exp(logit − top).
	top, sum []float64
	// Of the tile and the block at hand.
	tops, exps []float32
}

func newSums(b, n int) *sums {
	s := &sums{image: make([]float64, b), text: make([]float64, n), top: make([]float64, n), sum: make([]float64, n), tops: make([]float32, n), exps: make([]float32, n)}
	for j := range s.top {
		s.top[j] = math.Inf(-1)
	}
	return s
}

// sums goes over all panels.
func (c *contrast) sums(also func(first, rows int, sim []float32)) *sums {
	s := newSums(c.b, c.n)
	for first := 0; first < c.b; first += c.panel {
		rows, sim := c.similarities(first)
		s.add(first, rows, sim, c.scale)
		if also != nil {
			also(first, rows, sim)
		}
	}
	s.end()
	return s
}

// end takes the logarithms of the texts' sums.
func (s *sums) end() {
	for j := range s.text {
		s.text[j] = s.top[j] + math.Log(s.sum[j])
	}
}

// add takes a panel of similarities into account.
func (s *sums) add(first, rows int, sim []float32, scale float32) {
	s.rows(first, rows, len(s.text), sim, scale)
	s.all(sim, scale)
}

// rows is add for the images.
func (s *sums) rows(first, rows, n int, sim []float32, scale float32) {
	parallel.For(rows, func(r int) {
		row := sim[r*n:][:n]
		top := scale * max(kernel.Max(row), lowest)
		s.image[first+r] = float64(top) + math.Log(kernel.ScaledExpSum(row, scale, top))
	})
}

// all is add for the texts.
func (s *sums) all(sim []float32, scale float32) {
	n := len(s.text)
	parallel.For((n+columnStrip-1)/columnStrip, func(strip int) {
		from := strip * columnStrip
		s.columns(from, min(n, from+columnStrip), sim, scale)
	})
}

// columns is add for the texts [from, to).
func (s *sums) columns(from, to int, sim []float32, scale float32) {
	n := len(s.text)
	top, exp := s.tops[from:to], s.exps[from:to]
	for part := range slices.Chunk(sim, tile*n) {
		for j := range top {
			top[j] = lowest
		}
		for row := range slices.Chunk(part, n) {
			kernel.MaxEach(top, row[from:to])
		}
		for j := range top {
			top[j] *= scale
		}
		for block := range slices.Chunk(part, rowBlock*n) {
			clear(exp)
			for row := range slices.Chunk(block, n) {
				kernel.AddScaledExp(exp, row[from:to], top, scale)
			}
			s.join(from, top, exp)
		}
	}
}

// join adds Σ exp(logit − top) of texts from the given one on.
func (s *sums) join(from int, top, sum []float32) {
	for i, v := range top {
		j, t := from+i, float64(v)
		switch old := s.top[j]; {
		case t == old:
			s.sum[j] += float64(sum[i])
		case t > old:
			s.sum[j] = s.sum[j]*math.Exp(old-t) + float64(sum[i])
			s.top[j] = t
		default: // NaN, too
			s.sum[j] += float64(sum[i]) * math.Exp(t-old)
		}
	}
}

// split is x as two numbers, which Chosen subtracts one after the other.
func split(x float64) (hi, lo float32) {
	hi = float32(x)
	if lo = float32(x - float64(hi)); math.IsInf(float64(hi), 0) {
		lo = 0
	}
	return hi, lo
}

// softplus is ln(1 + eˣ).
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// sigmoid is 1/(1 + e⁻ˣ).
func sigmoid(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}
