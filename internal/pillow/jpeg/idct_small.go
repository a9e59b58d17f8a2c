package jpeg

// The inverse DCTs of libjpeg's jidctred.c, which leave the highest frequencies out: 4×4, 2×2
// and 1×1 samples of a block.
const (
	c0211 = 1730  // 0.211164243
	c0509 = 4176  // 0.509795579
	c0601 = 4926  // 0.601344887
	c0720 = 5906  // 0.720959822
	c0850 = 6967  // 0.850430095
	c1061 = 8697  // 1.061594337
	c1272 = 10426 // 1.272758580
	c1451 = 11893 // 1.451774981
	c2172 = 17799 // 2.172734803
	c3624 = 29692 // 3.624509785
)

// smallDCT writes side×side samples of a block of dequantised coefficients.
func smallDCT(out []byte, stride, side int, block *[64]int16) {
	_ = out[(side-1)*(stride+1)]
	switch {
	case side == 1:
		out[0] = sample((int32(block[0]) + 1<<2) >> 3)
	case side == 2 && hasAVX2:
		inverseDCT2AVX2(&out[0], stride, block)
	case side == 2:
		inverseDCT2Go(out, stride, block)
	case hasAVX2:
		inverseDCT4AVX2(&out[0], stride, block)
	default:
		inverseDCT4Go(out, stride, block)
	}
}

func inverseDCT4Go(out []byte, stride int, block *[64]int16) {
	var mid [4][8]int32
	const first, second = constBits - passBits + 1, constBits + passBits + 3 + 1
	for _, x := range [...]uint{0, 1, 2, 3, 5, 6, 7} {
		v1, v3, v5, v7 := int32(block[(8+x)&63]), int32(block[(24+x)&63]), int32(block[(40+x)&63]), int32(block[(56+x)&63])
		e, z := int32(block[x])<<(constBits+1)+1<<(first-1), even4(int32(block[(16+x)&63]), int32(block[(48+x)&63]))
		near, far := near4(v1, v3, v5, v7), far4(v1, v3, v5, v7)
		mid[0][x], mid[3][x] = limit16((e+z+far)>>first), limit16((e+z-far)>>first)
		mid[1][x], mid[2][x] = limit16((e-z+near)>>first), limit16((e-z-near)>>first)
	}
	for y := range mid {
		m := &mid[y]
		e, z := m[0]<<(constBits+1)+1<<(second-1), even4(m[2], m[6])
		near, far := near4(m[1], m[3], m[5], m[7]), far4(m[1], m[3], m[5], m[7])
		row := out[y*stride:][:4]
		row[0], row[3] = sample((e+z+far)>>second), sample((e+z-far)>>second)
		row[1], row[2] = sample((e-z+near)>>second), sample((e-z-near)>>second)
	}
}

// The parts of the one-dimensional transform of inverseDCT4Go: of the even coefficients, and of
// the odd ones for the two results in the middle and for the outer two.

func even4(v2, v6 int32) int32 { return v2*c1847 - v6*c0765 }

func near4(v1, v3, v5, v7 int32) int32 { return v1*c1061 - v3*c2172 + v5*c1451 - v7*c0211 }

func far4(v1, v3, v5, v7 int32) int32 { return v1*c2562 + v3*c0899 - v5*c0601 - v7*c0509 }

func inverseDCT2Go(out []byte, stride int, block *[64]int16) {
	var mid [2][8]int32
	const first, second = constBits - passBits + 2, constBits + passBits + 3 + 2
	for _, x := range [...]uint{0, 1, 3, 5, 7} {
		e := int32(block[x])<<(constBits+2) + 1<<(first-1)
		o := odd2(int32(block[(8+x)&63]), int32(block[(24+x)&63]), int32(block[(40+x)&63]), int32(block[(56+x)&63]))
		mid[0][x], mid[1][x] = limit16((e+o)>>first), limit16((e-o)>>first)
	}
	for y := range mid {
		m := &mid[y]
		e, o := m[0]<<(constBits+2)+1<<(second-1), odd2(m[1], m[3], m[5], m[7])
		row := out[y*stride:][:2]
		row[0], row[1] = sample((e+o)>>second), sample((e-o)>>second)
	}
}

// odd2 is the part of the odd coefficients in the one-dimensional transform of inverseDCT2Go.
func odd2(v1, v3, v5, v7 int32) int32 { return v1*c3624 - v3*c1272 + v5*c0850 - v7*c0720 }
