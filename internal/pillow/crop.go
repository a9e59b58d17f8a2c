package pillow

import "image"

// ResizedCrop cuts box, a part of img that has pixels, out of img and resizes
// it to width × height, with its alpha: torchvision's resized_crop of an RGBA
// image. What lies outside of the box has no influence.
func ResizedCrop(img *image.NRGBA, box image.Rectangle, width, height int, f Filter) *image.NRGBA {
	crop := img.SubImage(box).(*image.NRGBA)
	r := raster{mode: modeRGBA, width: box.Dx(), height: box.Dy(), stride: crop.Stride, pix: crop.Pix}
	dst := image.NewNRGBA(image.Rect(0, 0, width, height))
	if r.width == width && r.height == height {
		for y := range height {
			copy(dst.Pix[y*dst.Stride:][:dst.Stride], r.pix[y*r.stride:])
		}
		return dst
	}
	if r.opaque() {
		r.mode = modeRGB
	}
	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	rows := axis{in: r.height, scaled: height, count: height, size: height}
	cols := axis{in: r.width, scaled: width, count: width, size: width}
	r.resample(s, window{pix: dst.Pix, stride: dst.Stride, alpha: true}, rows, cols, f)
	return dst
}
