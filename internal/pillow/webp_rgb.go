package pillow

import "image"

// videoRGB converts VP8's planes, whose luma is 16 to 235 and whose chroma is
// of half width and height, to opaque RGBA as libwebp does: chroma is
// interpolated with weights 9:3:3:1, colour converted in 14-bit fixed point.
func videoRGB(img *image.YCbCr) []byte {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	pix := make([]byte, 4*width*height)
	cWidth, cHeight := (width+1)/2, (height+1)/2
	cb, cr := make([]byte, 2*cWidth), make([]byte, 2*cWidth)
	for y := range height {
		near := y / 2
		far := min(max(near-1+2*(y%2), 0), cHeight-1)
		quadRow(cb, img.Cb[near*img.CStride:][:cWidth], img.Cb[far*img.CStride:][:cWidth])
		quadRow(cr, img.Cr[near*img.CStride:][:cWidth], img.Cr[far*img.CStride:][:cWidth])
		out := pix[4*y*width:][:4*width]
		for x, l := range img.Y[y*img.YStride:][:width] {
			luma, u, v := int32(l)*19077>>8, int32(cb[x]), int32(cr[x])
			out[4*x] = clip8((luma + v*26149>>8 - 14234) >> 6)
			out[4*x+1] = clip8((luma - u*6419>>8 - v*13320>>8 + 8708) >> 6)
			out[4*x+2] = clip8((luma + u*33050>>8 - 17685) >> 6)
			out[4*x+3] = 255
		}
	}
	return pix
}

// quadRow doubles a row of chroma, rounding twice as libwebp does.
func quadRow(out, near, far []byte) {
	n := len(near)
	out[0] = uint8((3*int32(near[0]) + int32(far[0]) + 2) >> 2)
	out[2*n-1] = uint8((3*int32(near[n-1]) + int32(far[n-1]) + 2) >> 2)
	for i := 1; i < n; i++ {
		n0, n1, f0, f1 := int32(near[i-1]), int32(near[i]), int32(far[i-1]), int32(far[i])
		sum := n0 + n1 + f0 + f1 + 8
		out[2*i-1] = uint8(((sum+2*(n1+f0))>>3 + n0) >> 1)
		out[2*i] = uint8(((sum+2*(n0+f1))>>3 + n1) >> 1)
	}
}
