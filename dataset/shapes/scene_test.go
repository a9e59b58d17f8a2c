package shapes

import (
	"image/color"
	"math"
	"testing"
)

func plainScene(objects ...Object) Scene {
	white := color.NRGBA{255, 255, 255, 255}
	return Scene{Ground{From: white, To: white}, objects}
}

// TestSceneAreas compares each figure's covered area with geometry's.
func TestSceneAreas(t *testing.T) {
	const size, radius = 256, 0.4
	star := 10 * 0.5 * 1 * 0.45 * math.Sin(math.Pi/5)
	want := map[Shape]float64{
		Circle: math.Pi * 0.95 * 0.95, Square: 4 * 0.84 * 0.84, Triangle: 0.5 * 2 * 1.8, Star: star,
		Cross: 2*2*0.6 - 0.36, Ring: math.Pi * (1 - 0.25), Diamond: 0.5 * 1.4 * 2,
	}
	for shape, area := range want {
		img, err := plainScene(Object{Blue, shape, 0.5, 0.5, radius}).Draw(size)
		if err != nil {
			t.Fatal(err)
		}
		got := 0.0
		for i := 0; i < len(img.Pix); i += 4 {
			got += float64(255-img.Pix[i]) / float64(255-Blue.Paint().R)
		}
		got /= radius * radius * size * size
		// 64 lines cover 0.16 % less than a circle; 8-bit edges add as much.
		if diff := math.Abs(got/area - 1); !(diff <= 0.005) {
			t.Errorf("%v covers %.4f, want %.4f (off by %.2f %%, at most 0.5)", shape, got, area, 100*diff)
		}
	}
}

func TestSceneAntiAliased(t *testing.T) {
	for shape := range shapeCount {
		img, err := plainScene(Object{Red, shape, 0.51, 0.49, 0.33}).Draw(32)
		if err != nil {
			t.Fatal(err)
		}
		values := map[uint8]bool{}
		for i := 1; i < len(img.Pix); i += 4 {
			values[img.Pix[i]] = true
		}
		if len(values) < 5 {
			t.Errorf("%v: %d levels of green, want soft edges of 5 or more", shape, len(values))
		}
	}
}

func TestSceneBadObject(t *testing.T) {
	for _, c := range []struct {
		o    Object
		want string
	}{
		{Object{Color: 8, Radius: 1}, "shapes: scene: object 0: no colour number 8"},
		{Object{Shape: 200, Radius: 1}, "shapes: scene: object 0: no shape number 200"},
		{Object{X: math.NaN(), Radius: 1}, "shapes: scene: object 0: centre (NaN, 0) is not within -1 … 2"},
		{Object{Radius: 0}, "shapes: scene: object 0: radius 0 is not within 0 … 1"},
	} {
		if _, err := plainScene(c.o).Draw(32); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	for _, size := range []int{0, -3, 513} {
		if _, err := plainScene().Draw(size); err == nil {
			t.Errorf("a scene of %d pixels was drawn", size)
		}
	}
}

// FuzzScene draws objects anywhere that validation allows.
func FuzzScene(f *testing.F) {
	f.Add(uint8(0), 0.5, 0.5, 0.3, 32)
	f.Add(uint8(6), -1.0, 2.0, 1.0, 512)
	f.Add(uint8(3), 2.0, 1.99, 1e-300, 1)
	f.Fuzz(func(t *testing.T, shape uint8, x, y, radius float64, size int) {
		if size > 64 {
			size = 64 + size%8
		}
		img, err := plainScene(Object{Green, Shape(shape), x, y, radius}).Draw(size)
		if (img == nil) == (err == nil) {
			t.Fatalf("image %v with error %v", img != nil, err)
		}
	})
}
