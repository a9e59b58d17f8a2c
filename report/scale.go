package report

import (
	"math"
	"strconv"
)

// axis maps values to pixels of a drawing.
type axis struct {
	low, high float64 // values
	from, to  float64 // pixels
}

func (a axis) at(v float64) float64 {
	if a.high == a.low {
		return (a.from + a.to) / 2
	}
	return a.from + (v-a.low)/(a.high-a.low)*(a.to-a.from)
}

// tick is a mark on an axis.
type tick struct {
	At   float64
	Text string
}

// ticks returns about n marks at round values: 1, 2 or 5 times a power of ten.
func (a axis) ticks(n int) []tick {
	step := roundStep((a.high - a.low) / float64(n))
	if step == 0 {
		return []tick{{a.at(a.low), number(a.low)}}
	}
	var list []tick
	for k := math.Ceil(a.low/step - 1e-9); k*step <= a.high+step*1e-9; k++ {
		v := k*step + 0 // not −0
		list = append(list, tick{a.at(v), strconv.FormatFloat(v, 'f', decimals(step), 64)})
	}
	return list
}

// roundStep is the least of 1, 2, 5 times a power of ten that is at least min,
// and 0 where there is none.
func roundStep(min float64) float64 {
	if !(min > 0) || bad(min) {
		return 0
	}
	power := math.Pow(10, math.Floor(math.Log10(min)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= min*(1-1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// decimals is the number of digits after the point that a step shows.
func decimals(step float64) int {
	return int(math.Max(0, -math.Floor(math.Log10(step)+1e-9)))
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + "\u2009%" }
