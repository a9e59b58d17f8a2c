package jpeg

// upsampler makes rows of a component at the image's full width. Where the
// component has half the width or height, samples are interpolated with
// weights 3:1 ("fancy upsampling"); where it has less, they are repeated.
type upsampler struct {
	plane          []byte
	stride         int
	width, height  int // of the component
	hScale, vScale int
	repeats        bool    // never interpolates
	sums           []int16 // two rows mixed 3:1, and before and behind them the first and the last again
	out            []byte
}

func newUpsampler(plane []byte, stride, width, height, hScale, vScale int) *upsampler {
	return &upsampler{
		plane: plane, stride: stride, width: width, height: height, hScale: hScale, vScale: vScale,
		sums: make([]int16, width+2), out: make([]byte, width*hScale),
	}
}

// row returns row y of the image; it holds until the next call.
func (u *upsampler) row(y int) []byte {
	near := min(y/u.vScale, u.height-1)
	row := u.plane[near*u.stride:][:u.width]
	if u.hScale == 1 && u.vScale == 1 {
		return row
	}
	far := near - 1
	if y%2 == 1 {
		far = near + 1
	}
	other := u.plane[min(max(far, 0), u.height-1)*u.stride:][:u.width]
	switch {
	case u.repeats:
		u.repeat(row)
	case u.hScale == 1 && u.vScale == 2:
		mixRows(u.out, row, other, y)
	case u.hScale == 2 && u.vScale == 1 && u.width > 2:
		u.double(row, row, 4, 8)
	case u.hScale == 2 && u.vScale == 2 && u.width > 2:
		u.double(row, other, 8, 7)
	default:
		u.repeat(row)
	}
	return u.out
}

func (u *upsampler) repeat(row []byte) {
	for i := range u.out {
		u.out[i] = row[i/u.hScale]
	}
}

// mixRows is libjpeg's h1v2_fancy_upsample.
func mixRows(out, row, other []byte, y int) {
	bias := 1 + int16(y&1)
	for i := range out {
		out[i] = byte((3*int16(row[i]) + int16(other[i]) + bias) >> 2)
	}
}

// double is libjpeg's h2v2_fancy_upsample, with these biases of the even and the odd samples:
// 8 and 7; and h2v1_fancy_upsample where both rows are one, with 4 and 8.
func (u *upsampler) double(row, other []byte, even, odd int16) {
	n := len(row)
	mixBytes(u.sums[1:n+1], row, other)
	u.sums[0], u.sums[n+1] = u.sums[1], u.sums[n]
	doubleSums(u.out[:2*n], u.sums, even, odd)
}

// mixBytes computes sums = 3·row + other.
func mixBytes(sums []int16, row, other []byte) {
	row, other = row[:len(sums)], other[:len(sums)]
	if n := len(sums) &^ 15; hasAVX2 && n > 0 {
		mixBytesAVX2(&sums[0], &row[0], &other[0], n/16)
		sums, row, other = sums[n:], row[n:], other[n:]
	}
	mixBytesGo(sums, row, other)
}

// mixBytesGo is what mixBytes computes.
func mixBytesGo(sums []int16, row, other []byte) {
	row, other = row[:len(sums)], other[:len(sums)]
	for i := range sums {
		sums[i] = 3*int16(row[i]) + int16(other[i])
	}
}

// doubleSums makes two samples of each sum but the first and the last: three quarters of
// it, and a quarter of the one before or behind it.
func doubleSums(out []byte, sums []int16, even, odd int16) {
	_ = sums[len(out)/2+1]
	if n := len(out) / 2 &^ 15; hasAVX2 && n > 0 {
		doubleSumsAVX2(&out[0], &sums[0], even, odd, n/16)
		out, sums = out[2*n:], sums[n:]
	}
	doubleSumsGo(out, sums, even, odd)
}

// doubleSumsGo is what doubleSums computes.
func doubleSumsGo(out []byte, sums []int16, even, odd int16) {
	for i := 0; i+1 < len(out); i += 2 {
		s := sums[i/2 : i/2+3 : i/2+3]
		out[i] = byte((3*s[1] + s[0] + even) >> 4)
		out[i+1] = byte((3*s[1] + s[2] + odd) >> 4)
	}
}
