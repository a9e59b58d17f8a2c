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
	sums           []int16 // two rows mixed 3:1
	out            []byte
}

func newUpsampler(plane []byte, stride, width, height, hScale, vScale int) *upsampler {
	return &upsampler{
		plane: plane, stride: stride, width: width, height: height, hScale: hScale, vScale: vScale,
		sums: make([]int16, width), out: make([]byte, width*hScale),
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
		doubleRow(u.out, row)
	case u.hScale == 2 && u.vScale == 2 && u.width > 2:
		for i := range u.sums {
			u.sums[i] = 3*int16(row[i]) + int16(other[i])
		}
		doubleSums(u.out, u.sums)
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

// doubleRow is libjpeg's h2v1_fancy_upsample.
func doubleRow(out, row []byte) {
	n := len(row)
	out = out[:2*n]
	out[0], out[2*n-1] = row[0], row[n-1]
	for i := 1; i < n; i++ {
		a, b := int16(row[i-1]), int16(row[i])
		out[2*i-1] = byte((3*a + b + 2) >> 2)
		out[2*i] = byte((3*b + a + 1) >> 2)
	}
}

// doubleSums is the horizontal half of libjpeg's h2v2_fancy_upsample.
func doubleSums(out []byte, sums []int16) {
	n := len(sums)
	out = out[:2*n]
	out[0], out[2*n-1] = byte((4*sums[0]+8)>>4), byte((4*sums[n-1]+7)>>4)
	for i := 1; i < n; i++ {
		a, b := sums[i-1], sums[i]
		out[2*i-1] = byte((3*a + b + 7) >> 4)
		out[2*i] = byte((3*b + a + 8) >> 4)
	}
}
