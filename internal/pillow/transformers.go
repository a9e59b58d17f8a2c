package pillow

import "math"

// The steps of transformers' image processors (5.24, with Pillow): an image becomes RGB,
// is scaled, and is cut or padded with Fill about its centre. A side of Size that is 0
// leaves the scaled image as it is.

// transformers is where they put an image.
func (f Fit) transformers(height, width int) (rows, cols axis) {
	rows, cols = axis{in: height, size: f.Size[0]}, axis{in: width, size: f.Size[1]}
	scale := f.Scale
	if scale == [2]int{} {
		scale = f.Size
	}
	switch f.Resize {
	case Unscaled:
		rows.scaled, cols.scaled = height, width
	case Squash:
		rows.scaled, cols.scaled = scale[0], scale[1]
	default:
		limit := 0
		if f.Scale != [2]int{} {
			limit = scale[1]
		}
		rows.scaled, cols.scaled = shortestEdge(height, width, scale[0], limit)
	}
	for _, a := range []*axis{&rows, &cols} {
		switch {
		case a.size == 0:
			a.size, a.count = a.scaled, a.scaled
		case a.scaled < a.size:
			a.pad, a.count = (a.size-a.scaled+1)/2, a.scaled
		default:
			a.first, a.count = (a.scaled-a.size)/2, a.size
		}
	}
	return rows, cols
}

// shortestEdge is get_size_with_aspect_ratio: the shorter side is given, and made
// shorter still where the longer one would pass the limit. A limit of 0 is none.
func shortestEdge(height, width, short, limit int) (h, w int) {
	least, most := float64(min(height, width)), float64(max(height, width))
	raw := float64(short)
	if limit > 0 && most/least*raw > float64(limit) {
		raw = float64(limit) * least / most
		short = int(math.RoundToEven(raw))
	}
	switch {
	case min(height, width) == short:
		return height, width
	case width < height:
		return int(raw * float64(height) / float64(width)), short
	}
	return short, int(raw * float64(width) / float64(height))
}

// convertRGB does what convert("RGB") does, before anything is scaled.
func (r *raster) convertRGB() {
	switch r.mode {
	case modeRGB, modeGray: // grey stays so until it is scaled, which is the same
		return
	case modeRGBA:
		r.mode = modeRGB
		return
	}
	src := *r
	out := r.own()
	r.mode = modeRGB
	var values []float64
	if src.mode == modeDeep {
		values = make([]float64, r.width)
	}
	for y := range r.height {
		var row []uint8
		if values != nil {
			src.values(values, y)
		} else {
			row = src.pix[y*src.stride:]
		}
		for x := range r.width {
			px := [4]uint8{3: 255}
			switch src.mode {
			case modeIndexed:
				copy(px[:], src.palette[row[x]][:])
			case modeWide:
				v := row[2*x+1]
				if row[2*x] != 0 {
					v = 255
				}
				px[0], px[1], px[2] = v, v, v
			case modeDeep:
				v := clipValue(values[x])
				px[0], px[1], px[2] = v, v, v
			case modeCMYK:
				px = inkToRGB([4]uint8(row[4*x:]))
			case modeLAB, modeYCC:
				px = src.toRGB([4]uint8(row[4*x:]))
			}
			copy(out, px[:])
			out = out[4:]
		}
	}
}
