package jpeg

import "image"

// image converts the components to an image of which the first rows are known;
// the others are black, or without ink.
func (d *decoder) image(rows int) image.Image {
	rect := image.Rect(0, 0, d.width, d.height)
	if len(d.comps) == 1 {
		c := d.comps[0]
		clear(c.plane[rows*c.stride:])
		return &image.Gray{Pix: c.plane, Stride: c.stride, Rect: rect}
	}
	p := &Planes{rect: rect, convert: d.conversion(), rows: rows}
	for _, c := range d.comps {
		p.ups = append(p.ups, upsampler{
			plane: c.plane, stride: c.stride, width: c.width, height: c.height,
			hScale: d.hMax * d.whole / (c.h * c.side), vScale: d.vMax * d.whole / (c.v * c.side),
			repeats: d.whole == 1, // lossless, or a draft
		})
	}
	switch {
	case len(d.comps) == 3 && d.Planes:
		return p
	case len(d.comps) == 3:
		return p.RGBA()
	}
	pix := make([]byte, 4*d.width*d.height)
	line := p.Lines()
	for y := range rows {
		line(pix[4*y*d.width:], y, 0, d.width)
	}
	if len(d.comps) == 4 {
		return &image.CMYK{Pix: pix, Stride: 4 * d.width, Rect: rect}
	}
	return &image.NRGBA{Pix: pix, Stride: 4 * d.width, Rect: rect}
}

// conversion returns what makes a row of pixels from rows of samples, guessing
// the file's colours as libjpeg does, which converts no lossless ones. Four
// components are then taken to be inverted inks, as Adobe writes them and Pillow
// reads them.
func (d *decoder) conversion() func(dst []byte, rows *[4][]byte) {
	c := d.comps
	if len(c) == 2 {
		return rowGrayAlpha
	}
	ids := string([]byte{c[0].id, c[1].id, c[2].id})
	switch {
	case d.Colour == Direct && len(c) == 4:
		return rowInks
	case d.Colour == Direct:
		return rowRGB
	case d.Colour == YCbCr:
		return rowYCC
	case len(c) == 4 && d.adobe && d.transform != 0:
		return rowYCCK
	case len(c) == 4:
		return rowCMYK
	case d.kind == lossless:
		return rowRGB
	case d.jfif:
		return rowYCC
	case d.adobe && d.transform == 0, !d.adobe && ids == "RGB":
		return rowRGB
	}
	return rowYCC
}

func rowYCC(dst []byte, rows *[4][]byte) { convertRow(dst, rows[0], rows[1], rows[2]) }

func rowRGB(dst []byte, rows *[4][]byte) {
	for i, r := range rows[0] {
		dst[4*i], dst[4*i+1], dst[4*i+2], dst[4*i+3] = r, rows[1][i], rows[2][i], 255
	}
}

func rowGrayAlpha(dst []byte, rows *[4][]byte) {
	for i, v := range rows[0] {
		dst[4*i], dst[4*i+1], dst[4*i+2], dst[4*i+3] = v, v, v, rows[1][i]
	}
}

func rowInks(dst []byte, rows *[4][]byte) { weave(dst, rows, 0) }

func rowCMYK(dst []byte, rows *[4][]byte) { weave(dst, rows, 255) }

// weave joins four rows of samples to pixels, with bits of each flipped.
func weave(dst []byte, rows *[4][]byte, flip byte) {
	n := len(rows[0])
	dst = dst[:4*n]
	done := n &^ 15
	if !hasAVX2 {
		done = 0
	}
	if done > 0 {
		weaveAVX2(&dst[0], &rows[0][:n][0], &rows[1][:n][0], &rows[2][:n][0], &rows[3][:n][0], 0x0101010101010101*uint64(flip), done/16)
	}
	weaveGo(dst[4*done:], rows, flip, done)
}

// weaveGo is what weave computes, from a sample on.
func weaveGo(dst []byte, rows *[4][]byte, flip byte, from int) {
	for i := from; len(dst) > 0; i++ {
		for c := range rows {
			dst[c] = rows[c][i] ^ flip
		}
		dst = dst[4:]
	}
}

// rowYCCK: the inverted inks are as YCbCr is to RGB.
func rowYCCK(dst []byte, rows *[4][]byte) {
	convertRow(dst, rows[0], rows[1], rows[2])
	for i, k := range rows[3] {
		dst[4*i+3] = 255 - k
	}
}

// RGB converts an image that another decoder made as [Decode] converts its
// own. It begins on a whole chroma sample.
func RGB(img *image.YCbCr) *image.RGBA {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	h, v := Subsampling(img.SubsampleRatio)
	at := img.COffset(img.Rect.Min.X, img.Rect.Min.Y)
	cWidth, cHeight := (width+h-1)/h, (height+v-1)/v
	cb := newUpsampler(img.Cb[at:], img.CStride, cWidth, cHeight, h, v)
	cr := newUpsampler(img.Cr[at:], img.CStride, cWidth, cHeight, h, v)
	for y := range height {
		luma := img.Y[img.YOffset(img.Rect.Min.X, img.Rect.Min.Y+y):][:width]
		convertRow(out.Pix[y*out.Stride:][:4*width], luma, cb.row(y)[:width], cr.row(y)[:width])
	}
	return out
}

// Subsampling returns how many luma samples a chroma sample serves, across and
// down.
func Subsampling(r image.YCbCrSubsampleRatio) (h, v int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// convertRow turns a row of full-range YCbCr to opaque RGBA. The constants are
// JFIF's 1.402, 0.71414, 0.34414 and 1.772 times 1<<16, each product rounded
// where libjpeg's tables round it.
func convertRow(dst, luma, cb, cr []byte) {
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	dst = dst[:4*len(luma)]
	if n := len(luma) &^ 15; hasAVX2 && n > 0 {
		convertRowAVX2(&dst[0], &luma[0], &cb[0], &cr[0], n/16)
		dst, luma, cb, cr = dst[4*n:], luma[n:], cb[n:], cr[n:]
	}
	convertRowGo(dst, luma, cb, cr)
}

// convertRowGo is what convertRow computes.
func convertRowGo(dst, luma, cb, cr []byte) {
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
