package pillow

import (
	"image"
	"image/color"
	"math"
)

// Spaced is an image in a colour space that Pillow resizes it in, and only then
// converts to RGB.
type Spaced struct {
	Pix    []uint8 // 4 bytes a pixel, of which the last means nothing
	Stride int
	Rect   image.Rectangle
	Space  Space

	toRGB func(px [4]uint8) [4]uint8
}

func newSpaced(s Space, pix []uint8, stride int, rect image.Rectangle) *Spaced {
	img := &Spaced{Pix: pix, Stride: stride, Rect: rect, Space: s, toRGB: yccToRGB}
	if s == LAB {
		img.toRGB = newLabTable().convert
	}
	return img
}

// Space is a colour space.
type Space uint8

// The spaces.
const (
	LAB Space = iota // CIELab for D50; a and b begin at 128
	YCC              // YCbCr of the full range
)

// Bounds implements image.Image.
func (s *Spaced) Bounds() image.Rectangle { return s.Rect }

// ColorModel implements image.Image.
func (s *Spaced) ColorModel() color.Model { return color.NRGBAModel }

// At implements image.Image.
func (s *Spaced) At(x, y int) color.Color {
	if !image.Pt(x, y).In(s.Rect) {
		return color.NRGBA{}
	}
	px := s.toRGB([4]uint8(s.Pix[(y-s.Rect.Min.Y)*s.Stride+4*(x-s.Rect.Min.X):]))
	return color.NRGBA{px[0], px[1], px[2], 255}
}

// yccToRGB is Pillow's conversion, in fixed point of 6 bits.
func yccToRGB(px [4]uint8) [4]uint8 {
	scaled := func(factor float64, v uint8) int32 { return int32(factor*64*(float64(v)-128) + 0.5) }
	y, cb, cr := int32(px[0]), px[1], px[2]
	r := y + scaled(1.402, cr)>>6
	g := y + (scaled(-0.34414, cb)+scaled(-0.71414, cr))>>6
	b := y + scaled(1.772, cb)>>6
	return [4]uint8{clip8(r), clip8(g), clip8(b), 255}
}

// labTable is what Little CMS converts CIELab with, which Pillow uses: colours
// at 33×33×33 points, of 16 bits, between which it interpolates.
type labTable [(labSteps + 1) * (labSteps + 1) * (labSteps + 1)][3]uint16

const labSteps = 32

func newLabTable() *labTable {
	t, i := new(labTable), 0
	for l := range labSteps + 1 {
		for a := range labSteps + 1 {
			for b := range labSteps + 1 {
				t[i] = labPoint(labWord(l), labWord(a), labWord(b))
				i++
			}
		}
	}
	return t
}

// labWord returns the value of the i-th point of an axis, of 0 to 1.
func labWord(i int) float64 {
	return float64(float32(math.Floor(float64(i)*65535/labSteps+0.5)) / 65535)
}

// xyzRange is the largest value of a coordinate in Little CMS.
const xyzRange = 1 + 32767.0/32768

// labPoint converts a colour to sRGB. Little CMS rounds to float32 between the
// stages.
func labPoint(l, a, b float64) (rgb [3]uint16) {
	fy := (float64(l*100) + 16) / 116
	f := [3]float64{fy + float64(0.002*(float64(a*255)-128)), fy, fy - float64(0.005*(float64(b*255)-128))}
	var xyz [3]float64
	for i, white := range [3]float64{0.9642, 1, 0.8249} { // D50
		v := f[i] * f[i] * f[i]
		if f[i] <= 24.0/116 {
			v = 108.0 / 841 * (f[i] - 16.0/116)
		}
		xyz[i] = float64(float32(v * white / xyzRange))
	}
	for i, row := range xyzToRGB {
		v := float64(row[0]*xyz[0]) + float64(row[1]*xyz[1])
		v = float64(float32(float64((v + float64(row[2]*xyz[2])) * xyzRange)))
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = float64(1.055*math.Pow(v, 1/2.4)) - 0.055
		}
		rgb[i] = uint16(min(max(float64(float64(float32(v))*65535)+0.5, 0), 65535))
	}
	return rgb
}

// xyzToRGB is the inverse of the primaries of sRGB, adapted to D50 (Bradford).
var xyzToRGB = [3][3]float64{
	{3.1341863642368195, -1.6172089589982759, -0.4906940640063842},
	{-0.9787485041906946, 1.9161300967735877, 0.033433399159995617},
	{0.07196392780224682, -0.22899387345320335, 1.4057537328964447},
}

// convert interpolates in the tetrahedron of points around a colour.
func (t *labTable) convert(px [4]uint8) [4]uint8 {
	var from, rest [3]int64
	for i := range 3 {
		fixed := int64(px[i]) * 257 * labSteps
		fixed += (fixed + 0x7fff) / 0xffff
		from[i], rest[i] = fixed>>16, fixed&0xffff
	}
	at := func(l, a, b int64) [3]uint16 {
		l, a, b = min(from[0]+l, labSteps), min(from[1]+a, labSteps), min(from[2]+b, labSteps)
		return t[(l*(labSteps+1)+a)*(labSteps+1)+b]
	}
	// The corners on the way from the nearest to the farthest, along the axes in
	// the order of their rests.
	order := [3]int{0, 1, 2}
	switch {
	case rest[0] >= rest[1] && rest[1] >= rest[2]:
	case rest[0] >= rest[2] && rest[2] >= rest[1]:
		order = [3]int{0, 2, 1}
	case rest[2] >= rest[0] && rest[0] >= rest[1]:
		order = [3]int{2, 0, 1}
	case rest[1] >= rest[0] && rest[0] >= rest[2]:
		order = [3]int{1, 0, 2}
	case rest[1] >= rest[2] && rest[2] >= rest[0]:
		order = [3]int{1, 2, 0}
	default:
		order = [3]int{2, 1, 0}
	}
	var step [3]int64
	last := at(0, 0, 0)
	first := last
	var sums [3]int64
	for _, axis := range order {
		step[axis] = 1
		next := at(step[0], step[1], step[2])
		for c := range 3 {
			sums[c] += (int64(next[c]) - int64(last[c])) * rest[axis]
		}
		last = next
	}
	out := [4]uint8{3: 255}
	for c := range 3 {
		sum := sums[c] + 0x8001
		v := uint32(uint16(int64(first[c]) + (sum+sum>>16)>>16))
		out[c] = uint8((v*65281 + 1<<23) >> 24)
	}
	return out
}
