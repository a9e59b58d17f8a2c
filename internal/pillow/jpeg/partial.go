package jpeg

import "image"

// partial returns what is left of an image: with several scans nothing.
func (d *decoder) partial() image.Image {
	for i := len(d.comps); i < d.layers; i++ { // the header is damaged, too
		c := &component{h: 1, v: 1, side: 1, width: d.width, height: d.height, stride: d.width}
		c.plane = make([]byte, d.width*d.height)
		d.hMax, d.vMax, d.whole = 1, 1, 1
		d.comps = append(d.comps, c)
	}
	if !d.single {
		return d.image(0)
	}
	return d.image(d.rowsOut())
}

// rowsOut returns how many rows of pixels libjpeg gives before the file ends in
// the only scan: where it interpolates between rows, it wants to see one more.
func (d *decoder) rowsOut() int {
	rows := d.rowsRead * d.whole * d.vMax
	for _, c := range d.comps {
		if d.kind != lossless && c.side == d.whole && 2*c.v == d.vMax && (c.h == d.hMax || 2*c.h == d.hMax && c.width > 2) {
			rows -= d.vMax
			break
		}
	}
	return min(max(rows, 0), d.height)
}

// ended is the error where the file ends between data.
func (d *decoder) ended() error {
	if d.scans > 0 {
		return &CutOffError{Part: 1, All: 1, Scan: d.scans}
	}
	return &CutOffError{All: 1}
}
