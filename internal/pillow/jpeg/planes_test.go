package jpeg

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math/rand/v2"
	"testing"
)

// TestPlanes: an image in planes has the pixels of the whole one, in any part of any row,
// where the file is cut off too, and for package draw.
func TestPlanes(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 2))
	const width, height = 61, 43
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = byte(rng.Uint32())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{b.Bytes(), b.Bytes()[:b.Len()/2]} {
		o := Options{Check: func(int, int) error { return nil }, Truncated: true}
		want, err := Decode(data, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Planes = true
		got, err := Decode(data, o)
		if err != nil {
			t.Fatal(err)
		}
		planes, whole := got.(*Planes), want.(*image.RGBA)
		line, row := planes.Lines(), make([]byte, 4*width)
		for range 500 {
			y, from := rng.IntN(height), rng.IntN(width)
			to := from + rng.IntN(width-from) + 1
			line(row, y, from, to)
			if want := whole.Pix[y*whole.Stride:][4*from : 4*to]; !bytes.Equal(row[:4*(to-from)], want) {
				t.Fatalf("columns %d to %d of row %d: got %v, want %v", from, to, y, row[:4*(to-from)], want)
			}
		}
		drawn := image.NewRGBA(image.Rect(0, 0, width, height))
		draw.Draw(drawn, drawn.Rect, planes, image.Point{}, draw.Src)
		if !bytes.Equal(drawn.Pix, whole.Pix) {
			t.Error("what package draw makes of it differs")
		}
		if got, want := planes.At(3, 40), whole.At(3, 40); got != want || planes.ColorModel() != color.RGBAModel {
			t.Errorf("At gives %v, want %v", got, want)
		}
	}
}
