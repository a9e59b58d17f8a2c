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
	switch side {
	case 1:
		out[0] = sample((int32(block[0]) + 1<<2) >> 3)
	case 2:
		inverseDCT2(out, stride, block)
	default:
		inverseDCT4(out, stride, block)
	}
}

func inverseDCT4(out []byte, stride int, block *[64]int16) {
	var mid [4][8]int32
	const first, second = constBits - passBits + 1, constBits + passBits + 3 + 1
	for x := range 8 {
		if x == 4 {
			continue
		}
		at := func(i int) int32 { return int32(block[8*i+x]) }
		for y, v := range transform4(at(0), at(1), at(2), at(3), at(5), at(6), at(7)) {
			mid[y][x] = limit16((v + 1<<(first-1)) >> first)
		}
	}
	for y := range mid {
		m := &mid[y]
		row := out[y*stride:][:4]
		for x, v := range transform4(m[0], m[1], m[2], m[3], m[5], m[6], m[7]) {
			row[x] = sample((v + 1<<(second-1)) >> second)
		}
	}
}

// transform4 is the one-dimensional transform of inverseDCT4, without its descaling.
func transform4(v0, v1, v2, v3, v5, v6, v7 int32) [4]int32 {
	t0, t2 := v0<<(constBits+1), v2*c1847-v6*c0765
	e0, e1 := t0+t2, t0-t2
	o1 := -v7*c0211 + v5*c1451 - v3*c2172 + v1*c1061
	o0 := -v7*c0509 - v5*c0601 + v3*c0899 + v1*c2562
	return [4]int32{e0 + o0, e1 + o1, e1 - o1, e0 - o0}
}

func inverseDCT2(out []byte, stride int, block *[64]int16) {
	var mid [2][8]int32
	const first, second = constBits - passBits + 2, constBits + passBits + 3 + 2
	for _, x := range [...]int{0, 1, 3, 5, 7} {
		at := func(i int) int32 { return int32(block[8*i+x]) }
		for y, v := range transform2(at(0), at(1), at(3), at(5), at(7)) {
			mid[y][x] = limit16((v + 1<<(first-1)) >> first)
		}
	}
	for y := range mid {
		m := &mid[y]
		row := out[y*stride:][:2]
		for x, v := range transform2(m[0], m[1], m[3], m[5], m[7]) {
			row[x] = sample((v + 1<<(second-1)) >> second)
		}
	}
}

// transform2 is the one-dimensional transform of inverseDCT2, without its descaling.
func transform2(v0, v1, v3, v5, v7 int32) [2]int32 {
	e := v0 << (constBits + 2)
	o := -v7*c0720 + v5*c0850 - v3*c1272 + v1*c3624
	return [2]int32{e + o, e - o}
}
