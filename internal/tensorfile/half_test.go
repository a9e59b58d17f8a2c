package tensorfile

import (
	"math"
	"testing"
)

// half is the value of a binary format with the given field widths, straight
// from the definition of IEEE 754.
func half(h uint16, exponent, fraction int) float64 {
	sign := 1.0
	if h>>15 != 0 {
		sign = -1
	}
	e := int(h>>fraction) & (1<<exponent - 1)
	m := float64(h&(1<<fraction-1)) / float64(int(1)<<fraction)
	bias := 1<<(exponent-1) - 1
	switch e {
	case 0:
		return sign * math.Ldexp(m, 1-bias)
	case 1<<exponent - 1:
		if m != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1+m, e-bias)
}

var halves = []struct {
	name               string
	exponent, fraction int
	from               func(uint16) float32
	to                 func(float32) uint16
	quiet              uint16
}{
	{"float16", 5, 10, Float16, ToFloat16, 0x200},
	{"bfloat16", 8, 7, BFloat16, ToBFloat16, 0x40},
}

// TestHalfValues: every half becomes the float32 of the same value and sign, and
// that becomes the same half again.
func TestHalfValues(t *testing.T) {
	for _, f := range halves {
		t.Run(f.name, func(t *testing.T) {
			for i := range 1 << 16 {
				h := uint16(i)
				got, want := float64(f.from(h)), half(h, f.exponent, f.fraction)
				back := h
				if math.IsNaN(want) {
					back |= f.quiet
				}
				if same := got == want || math.IsNaN(got) && math.IsNaN(want); !same || math.Signbit(got) != (h>>15 != 0) {
					t.Fatalf("%#04x: got %v, want %v", h, got, want)
				}
				if r := f.to(float32(got)); r != back {
					t.Fatalf("%#04x is %v and comes back as %#04x, want %#04x", h, got, r, back)
				}
			}
		})
	}
}

// TestHalfRounding: halfway between two neighbours the even one is chosen, a
// float32 step to either side the nearer one.
func TestHalfRounding(t *testing.T) {
	for _, f := range halves {
		t.Run(f.name, func(t *testing.T) {
			infinity := uint16(1<<f.exponent-1) << f.fraction
			for h := uint16(0); h < infinity; h++ {
				lo, hi := half(h, f.exponent, f.fraction), half(h+1, f.exponent, f.fraction)
				if h+1 == infinity { // rounded as if the next power of two could be had
					hi = 2*lo - half(h-1, f.exponent, f.fraction)
				}
				mid := float32((lo + hi) / 2) // exact in float32
				even := h + h&1
				for _, sign := range []float32{1, -1} {
					var bit uint16
					if sign < 0 {
						bit = 0x8000
					}
					below, above := math.Nextafter32(mid, 0), math.Nextafter32(mid, float32(math.Inf(1)))
					for _, c := range []struct {
						f    float32
						want uint16
					}{{mid, even}, {below, h}, {above, h + 1}} {
						if got := f.to(sign * c.f); got != c.want|bit {
							t.Fatalf("%v: got %#04x, want %#04x", sign*c.f, got, c.want|bit)
						}
					}
				}
			}
		})
	}
}
