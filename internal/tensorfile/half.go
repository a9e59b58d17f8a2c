package tensorfile

import "math"

// Float16 returns the float32 equal to the IEEE 754 half-precision number with
// bits h. A NaN keeps its sign and payload.
func Float16(h uint16) float32 {
	// Exponent and fraction moved to their float32 places stand for the value
	// times 2⁻¹¹²; the product is exact, also for subnormals.
	x := uint32(h&0x7fff) << 13
	b := math.Float32bits(math.Float32frombits(x) * 0x1p112)
	if x >= 0x7c00<<13 { // infinity or NaN
		b = x | 0x7f800000
	}
	return math.Float32frombits(b | uint32(h&0x8000)<<16)
}

// ToFloat16 returns the bits of the half-precision number nearest to f, ties to
// even; beyond 65504 by half a unit or more that is an infinity. A NaN stays
// one, made quiet.
func ToFloat16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00 | uint16(b>>13&0x3ff)
	case b >= 0x477ff000: // 65520, halfway to the next power of two
		return sign | 0x7c00
	case b < 0x38800000: // below 2⁻¹⁴ the step is 2⁻²⁴, as in float32 between 0.5 and 1
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-0x3f000000)
	}
	b -= 112 << 23
	return sign | uint16((b+0xfff+b>>13&1)>>13)
}

// BFloat16 returns the float32 equal to the bfloat16 number with bits h.
func BFloat16(h uint16) float32 {
	return math.Float32frombits(uint32(h) << 16)
}

// ToBFloat16 returns the bits of the bfloat16 number nearest to f, ties to even.
// A NaN stays one, made quiet.
func ToBFloat16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
