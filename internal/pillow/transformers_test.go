package pillow

import (
	"image"
	"image/color"
	"testing"
)

// TestTransformersPlaces: the shorter side with and without a limit, the centre rounded
// down, padding that is one wider above and to the left, and results without a cut.
func TestTransformersPlaces(t *testing.T) {
	for _, c := range []struct {
		name       string
		fit        Fit
		h, w       int
		rows, cols axis
	}{
		{"shortest", Fit{Size: [2]int{28, 28}, Scale: [2]int{35, 0}}, 70, 90, axis{70, 35, 3, 28, 0, 28}, axis{90, 45, 8, 28, 0, 28}},
		{"pad", Fit{Size: [2]int{32, 41}, Scale: [2]int{24, 0}}, 24, 24, axis{24, 24, 0, 24, 4, 32}, axis{24, 24, 0, 24, 9, 41}},
		{"limit", Fit{Scale: [2]int{32, 40}}, 50, 100, axis{50, 20, 0, 20, 0, 20}, axis{100, 40, 0, 40, 0, 40}},
		{"limit not reached", Fit{Scale: [2]int{32, 64}}, 50, 100, axis{50, 32, 0, 32, 0, 32}, axis{100, 64, 0, 64, 0, 64}},
		{"limit, of a size that stays", Fit{Scale: [2]int{32, 40}}, 20, 41, axis{20, 20, 0, 20, 0, 20}, axis{41, 41, 0, 41, 0, 41}},
		{"uncut", Fit{Scale: [2]int{20, 0}}, 97, 150, axis{97, 20, 0, 20, 0, 20}, axis{150, 30, 0, 30, 0, 30}},
		{"unscaled", Fit{Size: [2]int{3, 9}, Resize: Unscaled}, 6, 6, axis{6, 6, 1, 3, 0, 3}, axis{6, 6, 0, 6, 2, 9}},
		{"squash and cut", Fit{Size: [2]int{20, 31}, Scale: [2]int{24, 36}, Resize: Squash}, 5, 5, axis{5, 24, 2, 20, 0, 20}, axis{5, 36, 2, 31, 0, 31}},
	} {
		rows, cols := c.fit.transformers(c.h, c.w)
		if rows != c.rows || cols != c.cols {
			t.Errorf("%s: got %+v and %+v, want %+v and %+v", c.name, rows, cols, c.rows, c.cols)
		}
	}
}

// TestRGBFirst: whatever an image is, with transformers' steps it is scaled as RGB.
func TestRGBFirst(t *testing.T) {
	size := image.Rect(0, 0, 4, 1)
	palette := image.NewPaletted(size, color.Palette{color.Black, color.White})
	palette.Pix = []uint8{0, 1, 0, 1}
	ink := image.NewCMYK(size)
	ink.Pix = []uint8{0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0}
	wide := image.NewGray16(size)
	wide.Pix = []uint8{0, 0, 1, 44, 0, 0, 0, 255}
	clear := image.NewNRGBA(size)
	clear.Pix = []uint8{0, 0, 0, 255, 9, 9, 9, 0, 0, 0, 0, 255, 9, 9, 9, 0}
	grey := &image.Gray{Pix: []uint8{0, 255, 0, 255}, Stride: 4, Rect: size}
	for name, img := range map[string]image.Image{"palette": palette, "ink": ink, "wide": wide, "clear": clear, "grey": grey} {
		for filter, want := range map[Filter]uint8{Box: 128, Bilinear: 109, Nearest: 255} {
			f := Fit{Size: [2]int{1, 2}, Resize: Squash, Filter: filter, Transformers: true, Ground: color.White}
			dst := make([]uint8, 8)
			if err := f.Render(dst, img); err != nil {
				t.Fatal(err)
			}
			if dst[0] != want || dst[1] != want || dst[2] != want || dst[3] != 255 {
				t.Errorf("%s, filter %d: got %v, want %d", name, filter, dst[:4], want)
			}
		}
	}
}
