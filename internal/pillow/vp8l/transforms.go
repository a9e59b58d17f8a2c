package vp8l

import "errors"

// transforms reads what was done to the image before it was coded (4), and returns what
// undoes it, in the order of the file, and the width of what is coded.
func (d *decoder) transforms(width, height int) (undo []func([]uint32) []uint32, coded int, err error) {
	coded = width
	var seen [4]bool
	for d.bits(1) != 0 {
		kind := d.bits(2)
		if seen[kind] {
			return nil, 0, errors.New("a transform twice")
		}
		seen[kind] = true
		w := coded
		switch kind {
		case 0, 1:
			shift := uint(2 + d.bits(3))
			across := shrunk(w, shift)
			tiles, err := d.image(across, shrunk(height, shift), false)
			if err != nil {
				return nil, 0, err
			}
			f := d.predict
			if kind == 1 {
				f = d.decorrelate
			}
			undo = append(undo, func(pix []uint32) []uint32 {
				f(pix, w, shift, tiles, across)
				return pix
			})
		case 2:
			undo = append(undo, addGreen)
		default:
			n := 1 + d.bits(8)
			colours, err := d.image(n, 1, false)
			if err != nil {
				return nil, 0, err
			}
			for i := 1; i < n; i++ {
				colours[i] = add(colours[i], colours[i-1])
			}
			shift := uint(0) // of pixels in a byte
			switch {
			case n <= 2:
				shift = 3
			case n <= 4:
				shift = 2
			case n <= 16:
				shift = 1
			}
			coded = shrunk(w, shift)
			colours = append(colours, make([]uint32, 256-n)...)
			undo = append(undo, func(pix []uint32) []uint32 { return d.colour(pix, w, height, shift, colours) })
		}
	}
	if d.ended() {
		return nil, 0, errEnd
	}
	return undo, coded, nil
}

// colour replaces indices, of which one or more are in a green byte.
func (d *decoder) colour(pix []uint32, width, height int, shift uint, colours []uint32) []uint32 {
	if shift == 0 {
		for i, v := range pix {
			pix[i] = colours[v>>8&0xff]
		}
		return pix
	}
	out := make([]uint32, width*height)
	bits := 8 >> shift
	mask, first := uint32(1)<<bits-1, 1<<shift-1
	for row := out; len(row) > 0; row = row[width:] {
		d.live()
		packed := uint32(0)
		for x := range width {
			if x&first == 0 {
				packed, pix = pix[0]>>8&0xff, pix[1:]
			}
			row[x] = colours[packed&mask]
			packed >>= bits
		}
	}
	return out
}

func addGreen(pix []uint32) []uint32 {
	for i, v := range pix {
		g := v >> 8 & 0xff
		pix[i] = v&0xff00ff00 | (v&0xff00ff+g<<16+g)&0xff00ff
	}
	return pix
}

// decorrelate undoes the transform of colours (4.2).
func (d *decoder) decorrelate(pix []uint32, width int, shift uint, tiles []uint32, across int) {
	for y := 0; len(pix) > 0; y++ {
		d.live()
		row, t := pix[:width], tiles[y>>shift*across:]
		pix = pix[width:]
		for x := 0; x < width; t = t[1:] {
			greenRed, greenBlue, redBlue := int32(int8(t[0])), int32(int8(t[0]>>8)), int32(int8(t[0]>>16))
			for end := min(x+1<<shift, width); x < end; x++ {
				v := row[x]
				green := int32(int8(v >> 8))
				red := v>>16 + uint32(greenRed*green>>5)
				blue := v + uint32(greenBlue*green>>5) + uint32(redBlue*int32(int8(red))>>5)
				row[x] = v&0xff00ff00 | red&0xff<<16 | blue&0xff
			}
		}
	}
}

const black = 0xff000000

// predict undoes the prediction (4.1): a pixel is added to what its neighbours say.
func (d *decoder) predict(pix []uint32, width int, shift uint, tiles []uint32, across int) {
	pix[0] = add(pix[0], black)
	for x := 1; x < width; x++ {
		pix[x] = add(pix[x], pix[x-1])
	}
	for y := 1; y < len(pix)/width; y++ {
		d.live()
		row, t := pix[y*width:], tiles[y>>shift*across:]
		above := pix[(y-1)*width:] // the pixel behind its last is the first of the row
		row[0] = add(row[0], above[0])
		for x := 1; x < width; {
			end := min((x>>shift+1)<<shift, width)
			predictRun(t[x>>shift]>>8&15, row[x-1:end], above[x-1:end+1])
			x = end
		}
	}
}

// predictRun is for the pixels of a row behind its first; above has one before and one
// behind them.
func predictRun(mode uint32, row, above []uint32) {
	above = above[:len(row)+1]
	if hasAVX2 && mode >= 5 && mode <= 13 && len(row) > 1 {
		predictAVX2(mode, &row[0], &above[0], len(row))
		return
	}
	predictRunGo(mode, row, above)
}

// predictRunGo is what predictRun computes.
func predictRunGo(mode uint32, row, above []uint32) {
	above = above[:len(row)+1]
	left := row[0]
	for i := 1; i < len(row); i++ {
		t, tl, tr := above[i], above[i-1], above[i+1]
		var p uint32
		switch mode {
		case 1:
			p = left
		case 2:
			p = t
		case 3:
			p = tr
		case 4:
			p = tl
		case 5:
			p = average(average(left, tr), t)
		case 6:
			p = average(left, tl)
		case 7:
			p = average(left, t)
		case 8:
			p = average(tl, t)
		case 9:
			p = average(t, tr)
		case 10:
			p = average(average(left, tl), average(t, tr))
		case 11:
			p = choose(left, t, tl)
		case 12:
			p = gradient(left, t, tl)
		case 13:
			p = halfGradient(average(left, t), tl)
		default:
			p = black
		}
		left = add(row[i], p)
		row[i] = left
	}
}

// add adds each of four bytes.
func add(a, b uint32) uint32 {
	return (a&0xff00ff00+b&0xff00ff00)&0xff00ff00 | (a&0xff00ff+b&0xff00ff)&0xff00ff
}

func average(a, b uint32) uint32 { return (a^b)&0xfefefefe>>1 + a&b }

// choose returns the one of left and top to which left + top − topLeft is nearer.
func choose(left, top, topLeft uint32) uint32 {
	d := int32(0)
	for s := 0; s < 32; s += 8 {
		l, t, c := int32(left>>s&0xff), int32(top>>s&0xff), int32(topLeft>>s&0xff)
		d += absolute(l-c) - absolute(t-c)
	}
	if d > 0 {
		return left
	}
	return top
}

func absolute(v int32) int32 { return max(v, -v) }

func gradient(left, top, topLeft uint32) (p uint32) {
	for s := 0; s < 32; s += 8 {
		p |= clip(int32(left>>s&0xff)+int32(top>>s&0xff)-int32(topLeft>>s&0xff)) << s
	}
	return p
}

func halfGradient(mean, topLeft uint32) (p uint32) {
	for s := 0; s < 32; s += 8 {
		m := int32(mean >> s & 0xff)
		p |= clip(m+(m-int32(topLeft>>s&0xff))/2) << s
	}
	return p
}

func clip(v int32) uint32 { return uint32(min(max(v, 0), 255)) }

// planeDistance is how far back a distance code leads: the first 120 are pixels nearby (5.2.2).
func planeDistance(code, width int) int {
	if code > len(nearby) {
		return code - len(nearby)
	}
	n := nearby[code-1]
	return max(int(n[0])+int(n[1])*width, 1)
}

// nearby has, of each of those codes, how many columns to the left and rows above.
var nearby = [120][2]int8{
	{0, 1}, {1, 0}, {1, 1}, {-1, 1}, {0, 2}, {2, 0}, {1, 2}, {-1, 2}, {2, 1}, {-2, 1}, {2, 2}, {-2, 2}, {0, 3}, {3, 0}, {1, 3}, {-1, 3},
	{3, 1}, {-3, 1}, {2, 3}, {-2, 3}, {3, 2}, {-3, 2}, {0, 4}, {4, 0}, {1, 4}, {-1, 4}, {4, 1}, {-4, 1}, {3, 3}, {-3, 3}, {2, 4}, {-2, 4},
	{4, 2}, {-4, 2}, {0, 5}, {3, 4}, {-3, 4}, {4, 3}, {-4, 3}, {5, 0}, {1, 5}, {-1, 5}, {5, 1}, {-5, 1}, {2, 5}, {-2, 5}, {5, 2}, {-5, 2},
	{4, 4}, {-4, 4}, {3, 5}, {-3, 5}, {5, 3}, {-5, 3}, {0, 6}, {6, 0}, {1, 6}, {-1, 6}, {6, 1}, {-6, 1}, {2, 6}, {-2, 6}, {6, 2}, {-6, 2},
	{4, 5}, {-4, 5}, {5, 4}, {-5, 4}, {3, 6}, {-3, 6}, {6, 3}, {-6, 3}, {0, 7}, {7, 0}, {1, 7}, {-1, 7}, {5, 5}, {-5, 5}, {7, 1}, {-7, 1},
	{4, 6}, {-4, 6}, {6, 4}, {-6, 4}, {2, 7}, {-2, 7}, {7, 2}, {-7, 2}, {3, 7}, {-3, 7}, {7, 3}, {-7, 3}, {5, 6}, {-5, 6}, {6, 5}, {-6, 5},
	{8, 0}, {4, 7}, {-4, 7}, {7, 4}, {-7, 4}, {8, 1}, {8, 2}, {6, 6}, {-6, 6}, {8, 3}, {5, 7}, {-5, 7}, {7, 5}, {-7, 5}, {8, 4}, {6, 7},
	{-6, 7}, {7, 6}, {-7, 6}, {8, 5}, {7, 7}, {-7, 7}, {8, 6}, {8, 7},
}
