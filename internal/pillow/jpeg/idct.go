package jpeg

import "encoding/binary"

// The inverse DCT of Loeffler, Ligtenberg and Moschytz (ICASSP 1989) in the
// fixed point of libjpeg's jidctint.c: constants times 1<<13, two more bits kept
// between the passes. What exceeds 16 bits, which only damaged files do, wraps or
// is limited where libjpeg-turbo's vector code wraps or limits it.
const (
	constBits = 13
	passBits  = 2

	c0298 = 2446  // 0.298631336
	c0390 = 3196  // 0.390180644
	c0541 = 4433  // 0.541196100
	c0765 = 6270  // 0.765366865
	c0899 = 7373  // 0.899976223
	c1175 = 9633  // 1.175875602
	c1501 = 12299 // 1.501321110
	c1847 = 15137 // 1.847759065
	c1961 = 16069 // 1.961570560
	c2053 = 16819 // 2.053119869
	c2562 = 20995 // 2.562915447
	c3072 = 25172 // 3.072711026
)

// inverseDCT writes the 8×8 samples of a block of dequantised coefficients, in
// natural order, to out.
func inverseDCT(out []byte, stride int, block *[64]int16) {
	_ = out[7*stride+7]
	if hasAVX2 {
		inverseDCTAVX2(&out[0], stride, block)
		return
	}
	inverseDCTGo(out, stride, block)
}

// inverseDCTGo is what inverseDCT computes.
func inverseDCTGo(out []byte, stride int, block *[64]int16) {
	var mid [64]int32
	flat := isZero(block[8:])
	for x := range 8 {
		var v [8]int32
		for i := range v {
			v[i] = int32(block[8*i+x])
		}
		if flat {
			dc := wrap16(v[0] << passBits)
			for i := range v {
				mid[8*i+x] = dc
			}
			continue
		}
		transform(&v)
		const round = 1 << (constBits - passBits - 1)
		for i := range v {
			mid[8*i+x] = limit16((v[i] + round) >> (constBits - passBits))
		}
	}
	for y := range 8 {
		v := *(*[8]int32)(mid[8*y:])
		transform(&v)
		row := out[y*stride:][:8]
		const shift = constBits + passBits + 3
		for i := range row {
			row[i] = sample((v[i] + 1<<(shift-1)) >> shift)
		}
	}
}

func isZero(coefs []int16) bool {
	for _, v := range coefs {
		if v != 0 {
			return false
		}
	}
	return true
}

// transform is the one-dimensional transform, without its descaling.
func transform(v *[8]int32) {
	z := (v[2] + v[6]) * c0541
	t2, t3 := z-v[6]*c1847, z+v[2]*c0765
	t0, t1 := wrap16(v[0]+v[4])<<constBits, wrap16(v[0]-v[4])<<constBits
	e0, e1, e2, e3 := t0+t3, t1+t2, t1-t2, t0-t3

	o0, o1, o2, o3 := v[7], v[5], v[3], v[1]
	z1, z2, z3, z4 := o0+o3, o1+o2, wrap16(o0+o2), wrap16(o1+o3)
	z5 := (z3 + z4) * c1175
	z1, z2, z3, z4 = z1*-c0899, z2*-c2562, z5-z3*c1961, z5-z4*c0390
	o0 = o0*c0298 + z1 + z3
	o1 = o1*c2053 + z2 + z4
	o2 = o2*c3072 + z2 + z3
	o3 = o3*c1501 + z1 + z4

	v[0], v[7] = e0+o3, e0-o3
	v[1], v[6] = e1+o2, e1-o2
	v[2], v[5] = e2+o1, e2-o1
	v[3], v[4] = e3+o0, e3-o0
}

// fillBlock is inverseDCT of a block that has only a DC coefficient.
func fillBlock(out []byte, stride int, dc int16) {
	v := sample((wrap16(int32(dc)<<passBits) + 1<<(passBits+2)) >> (passBits + 3))
	for y := range 8 {
		binary.LittleEndian.PutUint64(out[y*stride:], uint64(v)*0x0101010101010101)
	}
}

func wrap16(v int32) int32 { return int32(int16(v)) }

func limit16(v int32) int32 { return min(max(v, -1<<15), 1<<15-1) }

// sample shifts a level to 0…255.
func sample(v int32) byte { return clip8(v + 128) }

func clip8(v int32) byte {
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}
