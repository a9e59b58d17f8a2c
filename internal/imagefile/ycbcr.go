package imagefile

import "image"

// RGBFromYCbCr converts a picture as libjpeg does by default: chroma stored at
// half the width or height is interpolated with weights 3:1 ("fancy
// upsampling"), other ratios are repeated, and colour is converted in 16-bit
// fixed point. The result differs from libjpeg's only as img's planes do.
func RGBFromYCbCr(img *image.YCbCr) *image.RGBA {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	if width == 0 || height == 0 {
		return out
	}
	up := newUpsampler(img)
	for y := range height {
		cb, cr := up.row(y)
		i := img.YOffset(img.Rect.Min.X, img.Rect.Min.Y+y)
		convertRow(out.Pix[y*out.Stride:][:4*width], img.Y[i:i+width], cb, cr)
	}
	return out
}

// upsampler makes rows of chroma at full width.
type upsampler struct {
	width, height   int // of the picture
	hScale, vScale  int // luma samples per chroma sample
	cWidth, cHeight int
	stride, offset  int
	planes          [2][]byte
	sums            []int32 // two rows mixed 3:1
	out             [2][]byte
}

func newUpsampler(img *image.YCbCr) *upsampler {
	u := &upsampler{width: img.Rect.Dx(), height: img.Rect.Dy(), stride: img.CStride}
	u.hScale, u.vScale = 1, 1
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		u.hScale = 2
	case image.YCbCrSubsampleRatio420:
		u.hScale, u.vScale = 2, 2
	case image.YCbCrSubsampleRatio440:
		u.vScale = 2
	case image.YCbCrSubsampleRatio411:
		u.hScale = 4
	case image.YCbCrSubsampleRatio410:
		u.hScale, u.vScale = 4, 2
	}
	u.offset = img.COffset(img.Rect.Min.X, img.Rect.Min.Y)
	u.cWidth, u.cHeight = (u.width+u.hScale-1)/u.hScale, (u.height+u.vScale-1)/u.vScale
	u.planes = [2][]byte{img.Cb, img.Cr}
	u.sums = make([]int32, u.cWidth)
	for i := range u.out {
		u.out[i] = make([]byte, u.cWidth*u.hScale)
	}
	return u
}

// row returns the chroma of luma row y; the slices hold until the next call.
func (u *upsampler) row(y int) (cb, cr []byte) {
	for i, plane := range u.planes {
		u.plane(u.out[i], plane, y)
	}
	return u.out[0][:u.width], u.out[1][:u.width]
}

func (u *upsampler) plane(out, plane []byte, y int) {
	near := min(y/u.vScale, u.cHeight-1)
	far := near - 1
	if y%2 == 1 {
		far = near + 1
	}
	far = min(max(far, 0), u.cHeight-1)
	row := plane[u.offset+near*u.stride:][:u.cWidth]
	other := plane[u.offset+far*u.stride:][:u.cWidth]
	switch {
	case u.hScale == 1 && u.vScale == 1:
		copy(out, row)
	case u.hScale == 1 && u.vScale == 2:
		mixRows(out, row, other, y)
	case u.hScale == 2 && u.vScale == 1 && u.cWidth > 2:
		doubleRow(out, row)
	case u.hScale == 2 && u.vScale == 2 && u.cWidth > 2:
		for i := range u.sums {
			u.sums[i] = 3*int32(row[i]) + int32(other[i])
		}
		doubleSums(out, u.sums)
	default:
		for i := range out {
			out[i] = row[i/u.hScale]
		}
	}
}

// mixRows is libjpeg's h1v2_fancy_upsample.
func mixRows(out, row, other []byte, y int) {
	bias := 1 + int32(y&1)
	for i := range out {
		out[i] = uint8((3*int32(row[i]) + int32(other[i]) + bias) >> 2)
	}
}

// doubleRow is libjpeg's h2v1_fancy_upsample.
func doubleRow(out, row []byte) {
	n := len(row)
	out = out[:2*n]
	out[0], out[2*n-1] = row[0], row[n-1]
	for i := 1; i < n; i++ {
		a, b := int32(row[i-1]), int32(row[i])
		out[2*i-1] = uint8((3*a + b + 2) >> 2)
		out[2*i] = uint8((3*b + a + 1) >> 2)
	}
}

// doubleSums is the horizontal half of libjpeg's h2v2_fancy_upsample.
func doubleSums(out []byte, sums []int32) {
	n := len(sums)
	out = out[:2*n]
	out[0], out[2*n-1] = uint8((4*sums[0]+8)>>4), uint8((4*sums[n-1]+7)>>4)
	for i := 1; i < n; i++ {
		a, b := sums[i-1], sums[i]
		out[2*i-1] = uint8((3*a + b + 7) >> 4)
		out[2*i] = uint8((3*b + a + 8) >> 4)
	}
}

// convertRow turns a row of full-range YCbCr to opaque RGBA. The constants are
// JFIF's 1.402, 0.71414, 0.34414 and 1.772 times 1<<16, each product rounded
// where libjpeg's tables round it.
func convertRow(dst, luma, cb, cr []byte) {
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	dst = dst[:4*len(luma)]
	for i, l := range luma {
		y, b, r := int32(l), int32(cb[i])-128, int32(cr[i])-128
		d := dst[4*i : 4*i+4 : 4*i+4]
		d[0] = clip8(y + (91881*r+1<<15)>>16)
		d[1] = clip8(y + (-46802*r-22554*b+1<<15)>>16)
		d[2] = clip8(y + (116130*b+1<<15)>>16)
		d[3] = 255
	}
}

func clip8(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^(v >> 31))
	}
	return uint8(v)
}
