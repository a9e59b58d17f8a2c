package index

import (
	"fmt"
	"math"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// byteRows are rows x of a file as bytes c, each 128 more than an integer from -127 to 127:
//
//	x = centre + step·(c-128) + e, with ‖e‖ ≤ wrong
//
// The centre is the mean of the rows, since embeddings lie in a cone, and a few of their
// numbers are large in all of them: around the mean they are small.
type byteRows struct {
	width int       // of a row: its numbers, filled up to a multiple of four
	codes []uint8   // (N, width)
	steps []float32 // (N)
	wrong []float32 // (N)

	centre []float32 // (D)
	length float64   // of the centre
	worst  float64   // largest of wrong
}

// mostBytes is the dimension up to which sums of products of bytes stay in 32 bits.
const mostBytes = 1 << 15

// bytesOf rounds rows, each at row(buffer, i), which may use the buffer.
func bytesOf(n, dim int, row func(buffer []float32, i int) []float32) *byteRows {
	b := &byteRows{width: kernel.RowBytes(dim), steps: make([]float32, n), wrong: make([]float32, n), centre: mean(n, dim, row)}
	b.codes = make([]uint8, n*b.width)
	parallel.For((n+block-1)/block, func(t int) {
		buffer := make([]float32, dim)
		for i := t * block; i < min(n, (t+1)*block); i++ {
			b.round(i, row(buffer, i))
		}
	})
	b.known()
	return b
}

// mean has one order of summation, by blocks of rows.
func mean(n, dim int, row func(buffer []float32, i int) []float32) []float32 {
	sums := make([][]float64, (n+scanned-1)/scanned)
	parallel.For(len(sums), func(t int) {
		sums[t] = make([]float64, dim)
		buffer := make([]float32, dim)
		for i := t * scanned; i < min(n, (t+1)*scanned); i++ {
			for j, v := range row(buffer, i) {
				sums[t][j] += float64(v)
			}
		}
	})
	whole, centre := make([]float64, dim), make([]float32, dim)
	for _, s := range sums {
		for j, v := range s {
			whole[j] += v
		}
	}
	for j, v := range whole {
		centre[j] = float32(v / float64(max(n, 1)))
	}
	return centre
}

func (b *byteRows) round(i int, row []float32) {
	codes := b.codes[i*b.width:][:b.width]
	var largest float64
	for j, v := range row {
		largest = max(largest, math.Abs(float64(v)-float64(b.centre[j])))
	}
	step := float32(largest / 127)
	inverse := 0.0
	if step > 1e-30 {
		inverse = 1 / float64(step)
	}
	for j, v := range row {
		c := math.RoundToEven((float64(v) - float64(b.centre[j])) * inverse)
		codes[j] = uint8(128 + min(max(c, -127), 127))
	}
	for j := len(row); j < b.width; j++ {
		codes[j] = 128
	}
	b.steps[i] = step
	b.wrong[i] = above(b.distance(i, row))
}

// above is a float32 that is larger.
func above(v float64) float32 { return math.Nextafter32(float32(v*(1+1e-6)), 2) }

// distance is of a row from what its bytes say.
func (b *byteRows) distance(i int, row []float32) float64 {
	codes, step, sum := b.codes[i*b.width:][:b.width], float64(b.steps[i]), 0.0
	for j, v := range row {
		d := float64(v) - float64(b.centre[j]) - step*float64(int(codes[j])-128)
		sum += d * d
	}
	return math.Sqrt(sum)
}

// known works out what a search needs of all rows.
func (b *byteRows) known() {
	b.length, b.worst = 0, 0
	for _, v := range b.centre {
		b.length += float64(v) * float64(v)
	}
	b.length = math.Sqrt(b.length)
	for _, w := range b.wrong {
		b.worst = max(b.worst, float64(w))
	}
}

// verify is an error where a bound does not hold, without which a search would not be exact.
func (b *byteRows) verify(row func(i int) []float32, name func(i int) string) error {
	n := len(b.steps)
	first := make([]int, (n+scanned-1)/scanned)
	parallel.For(len(first), func(t int) {
		first[t] = -1
		for i := t * scanned; i < min(n, (t+1)*scanned); i++ {
			if d := b.distance(i, row(i)); !(d <= float64(b.wrong[i])) || math.IsInf(float64(b.wrong[i]), 0) {
				first[t] = i
				return
			}
		}
	})
	for _, i := range first {
		if i >= 0 {
			return fmt.Errorf("the bytes of %q are %.4g from its embedding, want at most %.4g", name(i), b.distance(i, row(i)), b.wrong[i])
		}
	}
	return nil
}
