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
		videoRow(pix[4*y*width:][:4*width], img.Y[y*img.YStride:][:width], cb, cr)
	}
	return pix
}

// videoRow converts a row whose chroma has as many samples as its luma, or more.
func videoRow(out, luma, cb, cr []byte) {
	n := len(luma)
	out, cb, cr = out[:4*n], cb[:n], cr[:n]
	if n &^= 15; hasAVX2 && n > 0 {
		videoRowAVX2(&out[0], &luma[0], &cb[0], &cr[0], n/16)
		out, luma, cb, cr = out[4*n:], luma[n:], cb[n:], cr[n:]
	}
	videoRowGo(out, luma, cb, cr)
}

// videoRowGo is what videoRow computes.
func videoRowGo(out, luma, cb, cr []byte) {
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	for x, l := range luma {
		luma, u, v := int32(l)*19077>>8, int32(cb[x]), int32(cr[x])
		p := (*[4]byte)(out[4*x:])
		p[0] = clip8((luma + v*26149>>8 - 14234) >> 6)
		p[1] = clip8((luma - u*6419>>8 - v*13320>>8 + 8708) >> 6)
		p[2] = clip8((luma + u*33050>>8 - 17685) >> 6)
		p[3] = 255
	}
}

// quadRow doubles a row of chroma, rounding twice as libwebp does.
func quadRow(out, near, far []byte) {
	n := len(near)
	out, far = out[:2*n], far[:n]
	out[0] = uint8((3*int32(near[0]) + int32(far[0]) + 2) >> 2)
	out[2*n-1] = uint8((3*int32(near[n-1]) + int32(far[n-1]) + 2) >> 2)
	out = out[1 : 2*n-1]
	if n := (n - 1) &^ 15; hasAVX2 && n > 0 {
		quadAVX2(&out[0], &near[0], &far[0], n/16)
		out, near, far = out[2*n:], near[n:], far[n:]
	}
	quadGo(out, near, far)
}

// quadGo makes two samples between any two that are beside each other.
func quadGo(out, near, far []byte) {
	far = far[:len(near)]
	for i := 1; i < len(near); i++ {
		n0, n1, f0, f1 := int32(near[i-1]), int32(near[i]), int32(far[i-1]), int32(far[i])
		sum := n0 + n1 + f0 + f1 + 8
		pair := (*[2]byte)(out[2*i-2:])
		pair[0] = uint8(((sum+2*(n1+f0))>>3 + n0) >> 1)
		pair[1] = uint8(((sum+2*(n0+f1))>>3 + n1) >> 1)
	}
}
