package vp8

// How blocks are predicted; all ways but the first four are of 4×4 blocks (11.2).
const (
	average = iota
	trueMotion
	vertical
	horizontal
	rightDown
	verticalRight
	leftDown
	verticalLeft
	horizontalDown
	horizontalUp
)

func wholeMode(b *boolReader) uint8 {
	if b.bit(156) {
		if b.bit(128) {
			return trueMotion
		}
		return horizontal
	}
	if b.bit(163) {
		return vertical
	}
	return average
}

func chromaMode(b *boolReader) uint8 {
	switch {
	case !b.bit(142):
		return average
	case !b.bit(114):
		return vertical
	case b.bit(183):
		return trueMotion
	}
	return horizontal
}

func partMode(b *boolReader, p string) uint8 {
	switch {
	case !b.bit(p[0]):
		return average
	case !b.bit(p[1]):
		return trueMotion
	case !b.bit(p[2]):
		return vertical
	case !b.bit(p[3]):
		switch {
		case !b.bit(p[4]):
			return horizontal
		case !b.bit(p[5]):
			return rightDown
		}
		return verticalRight
	case !b.bit(p[6]):
		return leftDown
	case !b.bit(p[7]):
		return verticalLeft
	case !b.bit(p[8]):
		return horizontalDown
	}
	return horizontalUp
}

// predictWhole predicts size×size samples from those above and to the left (12.2), which
// averages know to be missing.
func predictWhole(p *plane, at, size int, mode uint8, left, above bool) {
	up := p.pix[at-p.stride:][:size]
	switch mode {
	case average:
		sum, n := 0, 0
		if above {
			for _, v := range up {
				sum += int(v)
			}
			n += size
		}
		if left {
			for y := range size {
				sum += int(p.pix[at+y*p.stride-1])
			}
			n += size
		}
		v := byte(128)
		if n > 0 {
			v = byte((sum + n/2) / n)
		}
		for y := range size {
			row := p.pix[at+y*p.stride:][:size]
			for x := range row {
				row[x] = v
			}
		}
	case trueMotion:
		corner := int32(p.pix[at-p.stride-1])
		for y := range size {
			d := int32(p.pix[at+y*p.stride-1]) - corner
			row := p.pix[at+y*p.stride:][:len(up)]
			for x, v := range up {
				row[x] = clip(int32(v) + d)
			}
		}
	case vertical:
		for y := range size {
			copy(p.pix[at+y*p.stride:], up)
		}
	case horizontal:
		for y := range size {
			v := p.pix[at+y*p.stride-1]
			row := p.pix[at+y*p.stride:][:size]
			for x := range row {
				row[x] = v
			}
		}
	}
}

// parts predicts the 4×4 blocks of a macroblock one after another, and adds to each what
// was coded of it. Those at its right see the samples above the macroblock to the right.
func (d *decoder) parts(at, x, y int, modes *[16]uint8, counts *[24]uint8) {
	p := &d.luma
	var beyond [4]byte
	copy(beyond[:], p.pix[at-p.stride+16:])
	if y > 0 && x == d.across-1 {
		last := p.pix[at-p.stride+15]
		beyond = [4]byte{last, last, last, last}
	}
	for i := range 16 {
		to := at + 4*(i/4*p.stride+i%4)
		// The samples around: those to the left from the lowest up, the corner, and above.
		var e [13]int32
		for j := range 4 {
			e[3-j] = int32(p.pix[to+j*p.stride-1])
		}
		above := (*[9]byte)(p.pix[to-p.stride-1:])
		for j, v := range above {
			e[4+j] = int32(v)
		}
		if i%4 == 3 {
			for j, v := range beyond {
				e[9+j] = int32(v)
			}
		}
		predictPart(p, to, modes[i], &e)
		d.add(p, to, i, counts[i])
	}
}

// predictPart predicts 4×4 samples (12.3).
func predictPart(p *plane, at int, mode uint8, e *[13]int32) {
	three := func(i int) byte { return byte((e[i-1] + 2*e[i] + e[i+1] + 2) >> 2) }
	two := func(i int) byte { return byte((e[i] + e[i+1] + 1) >> 1) }
	var out [4][4]byte
	switch mode {
	case average:
		sum := int32(4)
		for i := range 4 {
			sum += e[i] + e[5+i]
		}
		v := byte(sum >> 3)
		row := [4]byte{v, v, v, v}
		out = [4][4]byte{row, row, row, row}
	case trueMotion:
		for y := range 4 {
			for x := range 4 {
				out[y][x] = clip(e[3-y] + e[5+x] - e[4])
			}
		}
	case vertical:
		row := [4]byte{three(5), three(6), three(7), three(8)}
		out = [4][4]byte{row, row, row, row}
	case horizontal:
		last := byte((e[1] + 3*e[0] + 2) >> 2)
		for y, v := range [4]byte{three(3), three(2), three(1), last} {
			out[y] = [4]byte{v, v, v, v}
		}
	case rightDown:
		d := [7]byte{three(1), three(2), three(3), three(4), three(5), three(6), three(7)}
		for y := range 4 {
			out[y] = [4]byte(d[3-y:])
		}
	case leftDown:
		d := [7]byte{three(6), three(7), three(8), three(9), three(10), three(11), byte((e[11] + 3*e[12] + 2) >> 2)}
		for y := range 4 {
			out[y] = [4]byte(d[y:])
		}
	case verticalRight:
		out[0] = [4]byte{two(4), two(5), two(6), two(7)}
		out[1] = [4]byte{three(4), three(5), three(6), three(7)}
		out[2] = [4]byte{three(3), out[0][0], out[0][1], out[0][2]}
		out[3] = [4]byte{three(2), out[1][0], out[1][1], out[1][2]}
	case verticalLeft:
		out[0] = [4]byte{two(5), two(6), two(7), two(8)}
		out[1] = [4]byte{three(6), three(7), three(8), three(9)}
		out[2] = [4]byte{out[0][1], out[0][2], out[0][3], three(10)}
		out[3] = [4]byte{out[1][1], out[1][2], out[1][3], three(11)}
	case horizontalDown:
		d := [10]byte{two(0), three(1), two(1), three(2), two(2), three(3), two(3), three(4), three(5), three(6)}
		for y := range 4 {
			out[y] = [4]byte(d[6-2*y:])
		}
	case horizontalUp:
		last := byte(e[0])
		d := [10]byte{two(2), three(2), two(1), three(1), two(0), byte((e[1] + 3*e[0] + 2) >> 2), last, last, last, last}
		for y := range 4 {
			out[y] = [4]byte(d[2*y:])
		}
	}
	for y := range out {
		*(*[4]byte)(p.pix[at+y*p.stride:]) = out[y]
	}
}
