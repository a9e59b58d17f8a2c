package main

import (
	"cmp"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"maps"
	"slices"
)

// Edges of what is written, as parts of the side: about a pixel and a half wide.
const finalSoft = 0.6 / outSide

// encodeGIF shows the frames one after the other, the last for long. Edges grow
// sharp as they did on the way.
func encodeGIF(frames [][]float64) func(io.Writer) error {
	film := &gif.GIF{}
	for i, params := range frames {
		soft := softness(float64(i) / float64(len(frames)))
		if i == len(frames)-1 {
			soft = finalSoft
		}
		film.Image = append(film.Image, paletted(canvas{blobs: blobsOf(params), side: outSide, soft: soft}.image(params)))
		film.Delay = append(film.Delay, 6)
	}
	film.Delay[len(frames)-1] = 300
	return func(w io.Writer) error { return gif.EncodeAll(w, film) }
}

func encodePNG(img image.Image) func(io.Writer) error {
	return func(w io.Writer) error { return png.Encode(w, img) }
}

// paletted takes an image's 256 most frequent colours, of 6 bits a channel, and
// gives every pixel the nearest of them.
func paletted(img *image.RGBA) *image.Paletted {
	key := func(p []uint8) [3]uint8 { return [3]uint8{p[0] &^ 3, p[1] &^ 3, p[2] &^ 3} }
	count := make(map[[3]uint8]int)
	for i := 0; i < len(img.Pix); i += 4 {
		count[key(img.Pix[i:])]++
	}
	colors := slices.SortedFunc(maps.Keys(count), func(a, b [3]uint8) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), slices.Compare(a[:], b[:]))
	})
	var palette color.Palette
	for _, c := range colors[:min(256, len(colors))] {
		palette = append(palette, color.RGBA{c[0] | 2, c[1] | 2, c[2] | 2, 255})
	}
	nearest := make(map[[3]uint8]uint8)
	for _, c := range colors {
		nearest[c] = uint8(palette.Index(color.RGBA{c[0] | 2, c[1] | 2, c[2] | 2, 255}))
	}
	out := image.NewPaletted(img.Rect, palette)
	for i := range out.Pix {
		out.Pix[i] = nearest[key(img.Pix[4*i:])]
	}
	return out
}
