package pillow

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
)

// readRaw reads uncompressed strips or tiles as Pillow does: each from its offset
// on as far as its pixels need, whatever its length is said to be. There may be
// too few, or more, which then begin at the top again; or of planes at the next.
func (t *tiffFile) readRaw(l *tiffLayout, target *tiffTarget) error {
	first := 0
	if t.across == t.width && t.down == t.height && !t.planar {
		first = t.offsets.count - 1 // each covers the image
	}
	stored := t.bits * t.samples // of a pixel
	if t.planar {
		stored = t.bits
	}
	x, y, plane := 0, 0, 0
	var lost error // the first strip that is cut off, behind which others may lie
	for i := first; i < t.offsets.count; i++ {
		if plane > 0 && plane >= l.planes && t.planar {
			break
		}
		width, height := min(t.across, t.width-x), min(t.down, t.height-y)
		row := rowBytes(width, l.bits)
		stride := row
		if width < t.across {
			if stride = int(int64(t.across) * int64(stored) / 8); stride < row {
				return fmt.Errorf("rows of %d bytes, want %d", stride, row)
			}
		}
		data := t.from(t.offsets.at(i))
		for v := range height {
			if len(data) < row {
				if lost == nil {
					lost = cutOff(y+v, t.height)
				}
				if !target.forgiving {
					return lost
				}
				break
			}
			line := data[:row]
			if t.reversed && !t.planar {
				line = reverseBits(line)
			}
			target.put(plane, y+v, x, line, width)
			data = data[min(stride, len(data)):]
		}
		if x += t.across; x < t.width {
			continue
		}
		x = 0
		if y += t.down; y >= t.height {
			y = 0
			plane++
		}
	}
	return lost
}

// from returns the file from an offset on.
func (t *tiffFile) from(offset float64) []byte {
	if !(offset >= 0 && offset < float64(len(t.data))) {
		return nil
	}
	return t.data[int(offset):]
}

func reverseBits(data []byte) []byte {
	out := make([]byte, len(data))
	for i, v := range data {
		out[i] = bits.Reverse8(v)
	}
	return out
}

// chunk returns the compressed data of a strip or tile.
func (t *tiffFile) chunk(i int) ([]byte, error) {
	if i >= t.offsets.count {
		return nil, fmt.Errorf("%d strips or tiles, want more than %d", t.offsets.count, i)
	}
	data := t.from(t.offsets.at(i))
	if i < t.size.count {
		data = data[:int(min(max(t.size.at(i), 0), float64(len(data))))]
	}
	if t.reversed && t.compression != tiffJPEG {
		data = reverseBits(data)
	}
	return data, nil
}

// readPacked reads compressed strips or tiles.
func (t *tiffFile) readPacked(l *tiffLayout, target *tiffTarget) error {
	d, err := t.decoder(l)
	if err != nil {
		return err
	}
	if t.photometric == photoYCbCr && t.samples == 3 && t.compression != tiffJPEG && !t.planar {
		return t.readYCbCr(d, target)
	}
	row := make([]byte, rowBytes(t.across, l.bits))
	if l.convert != nil {
		return t.readYCbCrPlanes(d, l, row, target)
	}
	return t.eachChunk(l.planes, func(plane, index, x, y, width, height int) error {
		data, err := t.chunk(index)
		if err != nil {
			return err
		}
		if err := d.open(data); err != nil {
			return damaged(y, t.height, err)
		}
		ended := false // with fewer rows, but in order
		for v := range height {
			if ended {
				clear(row)
			} else {
				err = d.row(row)
			}
			if errors.Is(err, io.EOF) {
				ended, err = true, nil
			}
			if err == nil {
				err = t.unpredict(row, l)
			}
			if err != nil {
				return damaged(y+v, t.height, err)
			}
			target.put(plane, y+v, x, row, width)
		}
		return nil
	})
}

// eachChunk calls f for each strip or tile, with the part of the image in it.
func (t *tiffFile) eachChunk(planes int, f func(plane, index, x, y, width, height int) error) error {
	columns, rows := t.chunks()
	for plane := range planes {
		for j := range rows {
			for i := range columns {
				x, y := i*t.across, j*t.down
				index := (plane*rows+j)*columns + i
				if err := f(plane, index, x, y, min(t.across, t.width-x), min(t.down, t.height-y)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// unpredict undoes what a row was changed by before it was compressed.
func (t *tiffFile) unpredict(row []byte, l *tiffLayout) error {
	if t.predictor == 1 || !t.compression.predicts() {
		return nil
	}
	samples := t.samples
	if t.planar {
		samples = 1
	}
	switch {
	case t.predictor == 3 && t.format == sampleFloat && t.bits == 32:
		t.unpredictFloats(row, samples)
	case t.predictor != 2:
		return fmt.Errorf("predictor %d of %d bits", t.predictor, t.bits)
	case t.bits == 8:
		for i := samples; i < len(row); i++ {
			row[i] += row[i-samples]
		}
	case t.bits == 16:
		for i := 2 * samples; i+2 <= len(row); i += 2 {
			t.order.PutUint16(row[i:], t.order.Uint16(row[i:])+t.order.Uint16(row[i-2*samples:]))
		}
	case t.bits == 32:
		for i := 4 * samples; i+4 <= len(row); i += 4 {
			t.order.PutUint32(row[i:], t.order.Uint32(row[i:])+t.order.Uint32(row[i-4*samples:]))
		}
	default:
		return fmt.Errorf("predictor 2 of %d bits", t.bits)
	}
	return nil
}

// unpredictFloats is for differences of bytes that were sorted: first the highest
// of each float, last the lowest (Adobe's TIFF technical note 3).
func (t *tiffFile) unpredictFloats(row []byte, samples int) {
	for i := samples; i < len(row); i++ {
		row[i] += row[i-samples]
	}
	sorted := append([]byte(nil), row...)
	n := len(row) / 4
	for i := range n {
		v := uint32(sorted[i])<<24 | uint32(sorted[n+i])<<16 | uint32(sorted[2*n+i])<<8 | uint32(sorted[3*n+i])
		t.order.PutUint32(row[4*i:], v)
	}
}

// readYCbCr reads YCbCr that is no JPEG, in units of some luma samples and one
// of each chroma, which libtiff repeats. It goes to the target as RGB.
func (t *tiffFile) readYCbCr(d chunkDecoder, target *tiffTarget) error {
	h, v := t.subsampling()
	if !(h == 1 || h == 2 || h == 4) || !(v == 1 || v == 2 || v == 4) || h < v && (h != 1 || v != 2) {
		return fmt.Errorf("chroma sampled %d×%d", h, v)
	}
	convert, err := t.weights()
	if err != nil {
		return err
	}
	unit := h*v + 2
	row := make([]byte, (t.across+h-1)/h*unit)
	rgb := make([]byte, 3*t.across)
	return t.eachChunk(1, func(_, index, x, y, width, height int) error {
		// Of a strip libtiff reads as many times the bytes of a row as it has rows, and rounds those down.
		left := (height + v - 1) / v * v * (len(row) / v)
		if t.tiled {
			left = math.MaxInt
		}
		data, err := t.chunk(index)
		if err != nil {
			return err
		}
		next := t.forgiven(d, index, data, row, t.chunkRows(height)/v)
		for j := 0; j < height; j += v {
			if err := next(unit == 3); err != nil {
				return damaged(y+j, t.height, err)
			}
			clear(row[min(left, len(row)):])
			left -= min(left, len(row))
			for k := range min(v, height-j) {
				for i := range width {
					u := row[i/h*unit:][:unit]
					convert(rgb[3*i:], u[k*h+i%h], u[unit-2], u[unit-1])
				}
				target.put(0, y+j+k, x, rgb, width)
			}
		}
		return nil
	})
}

// readYCbCrPlanes reads planes of YCbCr, which the target converts.
func (t *tiffFile) readYCbCrPlanes(d chunkDecoder, l *tiffLayout, row []byte, target *tiffTarget) error {
	return t.eachChunk(l.planes, func(plane, index, x, y, width, height int) error {
		data, err := t.chunk(index)
		if err != nil {
			return err
		}
		next := t.forgiven(d, index, data, row, t.chunkRows(height))
		for v := range height {
			if err := next(true); err != nil {
				return damaged(y+v, t.height, err)
			}
			target.put(plane, y+v, x, row, width)
		}
		return nil
	})
}

// chunkRows returns how many rows a strip or tile stores, height of which are the image's.
func (t *tiffFile) chunkRows(height int) int {
	if t.tiled {
		return t.down
	}
	return height
}

// forgiven returns what fills row with the next one of a strip or tile. Where it converts
// colours, libtiff takes what it gets of a damaged one, zeros for the rest, and undoes no
// predictor then. So the strip is decoded once to see. One that the file cuts off is all zeros.
func (t *tiffFile) forgiven(d chunkDecoder, index int, data, row []byte, rows int) (next func(predicted bool) error) {
	try := func() error {
		err := d.open(data)
		for range rows {
			if err == nil {
				err = d.row(row)
			}
		}
		if s, ok := d.(*streamChunk); ok && err == nil {
			err = s.sum()
		}
		return err
	}
	whole := try() == nil
	lost := d.open(data) != nil || index < t.size.count && t.size.at(index) > float64(len(data))
	return func(predicted bool) error {
		clear(row)
		lost = lost || d.row(row) != nil
		if !whole || !predicted {
			return nil
		}
		return t.unpredict(row, nil)
	}
}

// subsampling returns for how many luma samples, across and down, there is one of chroma.
func (t *tiffFile) subsampling() (h, v int) {
	if s := t.tags[tagSubsampling]; s.count >= 2 {
		return int(s.at(0)), int(s.at(1))
	}
	return 2, 2
}

// weights returns libtiff's conversion of YCbCr, in fixed point of 16 bits
// computed from float32.
func (t *tiffFile) weights() (func(rgb []byte, y, cb, cr byte), error) {
	luma := [3]float32{0.299, 0.587, 0.114}
	reference := [6]float32{0, 255, 128, 255, 128, 255}
	floats := func(id uint16, to []float32) {
		for i := 0; i < len(to) && t.tags[id].count >= len(to); i++ {
			to[i] = float32(t.tags[id].at(i))
		}
	}
	floats(tagYCbCrWeights, luma[:])
	floats(tagBlackWhite, reference[:])
	for _, v := range append(reference[:], luma[:]...) {
		if !(v >= -1<<30 && v <= 1<<30) || luma[1] == 0 {
			return nil, fmt.Errorf("weights %v of YCbCr, from %v", luma, reference)
		}
	}
	fix := func(v float32) int32 { return int32(float64(min(max(v, 0), 2))*(1<<16) + 0.5) }
	red, blue := 2-2*luma[0], 2-2*luma[2]
	factors := [4]int32{fix(red), -fix(luma[0] * red / luma[1]), fix(blue), -fix(luma[2] * blue / luma[1])}
	level := func(v int, black, white float32, most float32) int32 {
		span := white - black
		if span == 0 {
			span = 1
		}
		out := float32(v-int(black)) * most / span
		return int32(min(max(out, -128*32), 128*32))
	}
	var tables struct{ y, redCr, greenCr, blueCb, greenCb [256]int32 }
	const half = 1 << 15
	for i := range 256 {
		cr := level(i-128, reference[4]-128, reference[5]-128, 127)
		cb := level(i-128, reference[2]-128, reference[3]-128, 127)
		tables.redCr[i], tables.greenCr[i] = (factors[0]*cr+half)>>16, factors[1]*cr
		tables.blueCb[i], tables.greenCb[i] = (factors[2]*cb+half)>>16, factors[3]*cb+half
		tables.y[i] = level(i, reference[0], reference[1], 255)
	}
	return func(rgb []byte, y, cb, cr byte) {
		l := tables.y[y]
		rgb[0] = clip8(l + tables.redCr[cr])
		rgb[1] = clip8(l + (tables.greenCb[cb]+tables.greenCr[cr])>>16)
		rgb[2] = clip8(l + tables.blueCb[cb])
	}, nil
}
