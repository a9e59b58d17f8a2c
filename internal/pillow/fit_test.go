package pillow

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// images returns one image of each type that is treated in its own way,
// filled from seed.
func images(width, height int, seed uint64) map[string]image.Image {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := image.Rect(0, 0, width, height)
	noise := func(pix []uint8) {
		for i := range pix {
			pix[i] = uint8(rng.Uint32())
		}
	}
	rgba, nrgba, cmyk := image.NewRGBA(b), image.NewNRGBA(b), image.NewCMYK(b)
	gray, wide, deep := image.NewGray(b), image.NewGray16(b), image.NewNRGBA64(b)
	paletted := image.NewPaletted(b, color.Palette{color.Black, color.NRGBA{200, 10, 20, 128}, color.White})
	ycc := image.NewYCbCr(b, image.YCbCrSubsampleRatio420)
	for _, pix := range [][]uint8{nrgba.Pix, cmyk.Pix, gray.Pix, wide.Pix, deep.Pix, paletted.Pix, ycc.Y, ycc.Cb, ycc.Cr} {
		noise(pix)
	}
	for i := range paletted.Pix {
		paletted.Pix[i] %= 3
	}
	draw.Draw(rgba, b, nrgba, image.Point{}, draw.Src)
	opaque := image.NewRGBA(b)
	draw.Draw(opaque, b, ycc, image.Point{}, draw.Src)
	return map[string]image.Image{
		"rgba": rgba, "nrgba": nrgba, "cmyk": cmyk, "gray": gray, "gray16": wide, "nrgba64": deep,
		"paletted": paletted, "ycbcr": ycc, "opaque": opaque,
		"keyed": &Keyed{Image: nrgba, Opaque: opaque},
	}
}

func fits() (all []Fit) {
	for _, resize := range []Resize{Shortest, Longest, Squash} {
		for _, filter := range []Filter{Bicubic, Bilinear} {
			all = append(all, Fit{Size: [2]int{20, 31}, Resize: resize, Filter: filter, Fill: 9})
		}
	}
	return all
}

// render returns what f makes of img.
func render(t testing.TB, f Fit, img image.Image) *image.RGBA {
	t.Helper()
	out := image.NewRGBA(image.Rect(0, 0, f.Size[1], f.Size[0]))
	if err := f.Render(out.Pix, img); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestConstantStaysConstant(t *testing.T) {
	const width, height = 37, 53
	b := image.Rect(0, 0, width, height)
	gray, wide, cmyk := image.NewGray(b), image.NewGray16(b), image.NewCMYK(b)
	rgba := image.NewRGBA(b)
	for i := range gray.Pix {
		gray.Pix[i] = 77
		wide.Pix[2*i+1] = 77
		cmyk.Pix[4*i+3] = 255 - 77
		copy(rgba.Pix[4*i:], []uint8{77, 77, 77, 255})
	}
	for _, f := range fits() {
		f.Fill = 77
		for _, img := range []image.Image{gray, wide, rgba, cmyk} {
			if img == cmyk && f.Resize == Longest {
				continue // its padding is of another colour
			}
			got := render(t, f, img)
			for i, v := range got.Pix {
				if want := uint8(77); i%4 != 3 && v != want {
					t.Fatalf("%+v, %T: byte %d is %d, want %d", f, img, i, v, want)
				}
			}
		}
	}
}

// TestIdentity: an image that has the right size keeps its pixels.
func TestIdentity(t *testing.T) {
	for _, f := range fits() {
		for kind, img := range images(f.Size[1], f.Size[0], 3) {
			got := render(t, f, img)
			switch img := img.(type) {
			case *image.NRGBA: // alpha is dropped, nothing is premultiplied
				for i, v := range got.Pix {
					if i%4 != 3 && v != img.Pix[i] {
						t.Fatalf("%+v, %s: byte %d is %d, want %d", f, kind, i, v, img.Pix[i])
					}
				}
			case *image.Gray:
				for i, v := range img.Pix {
					if got.Pix[4*i] != v || got.Pix[4*i+2] != v {
						t.Fatalf("%+v, %s: pixel %d is %v, want %d", f, kind, i, got.Pix[4*i:4*i+3], v)
					}
				}
			}
		}
	}
}

// TestMirror: resizing commutes with mirroring, as the filters are symmetric.
func TestMirror(t *testing.T) {
	f := Fit{Size: [2]int{24, 24}, Resize: Squash}
	for kind, img := range images(41, 30, 4) {
		if kind == "paletted" || kind == "ycbcr" || kind == "nrgba64" {
			continue // nearest and chroma prefer a side; Orient reduces to 8 bits
		}
		got := render(t, f, img)
		mirrored := render(t, f, Orient(img, 2))
		back := Orient(mirrored, 2).(*image.RGBA)
		for i := range got.Pix {
			if got.Pix[i] != back.Pix[i] {
				t.Fatalf("%s: byte %d is %d, want %d", kind, i, back.Pix[i], got.Pix[i])
			}
		}
	}
}

// TestSubImage: a part of an image is treated like an image of its own.
func TestSubImage(t *testing.T) {
	f := Fit{Size: [2]int{16, 16}}
	part := image.Rect(5, 7, 38, 29)
	for kind, img := range images(50, 40, 5) {
		sub, ok := img.(interface {
			SubImage(image.Rectangle) image.Image
		})
		if !ok {
			continue
		}
		got := render(t, f, sub.SubImage(part))
		if kind == "ycbcr" || kind == "nrgba64" {
			continue // begins inside a chroma sample; copies to 8 bits: must merely work
		}
		copied := Orient(Orient(sub.SubImage(part), 2), 2)
		want := render(t, f, copied)
		if !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s: a sub-image differs from its copy", kind)
		}
	}
}

// TestGround: a transparent image on a ground is the blend resized.
func TestGround(t *testing.T) {
	f := Fit{Size: [2]int{16, 16}, Ground: color.NRGBA{255, 250, 10, 255}}
	ground := [3]int{255, 250, 10}
	all := images(30, 22, 6)
	nrgba := all["nrgba"].(*image.NRGBA)
	flat := image.NewRGBA(nrgba.Rect)
	for i := 0; i < len(flat.Pix); i += 4 {
		a := int(nrgba.Pix[i+3])
		for c := range 3 {
			flat.Pix[i+c] = uint8(math.Round(float64(int(nrgba.Pix[i+c])*a+ground[c]*(255-a)) / 255))
		}
		flat.Pix[i+3] = 255
	}
	want := render(t, f, flat)
	for _, kind := range []string{"nrgba", "keyed"} {
		got := render(t, f, all[kind])
		if !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s on a ground differs from the blended image", kind)
		}
	}
	// Wholly transparent images are the ground, whatever their type.
	clear := image.NewPaletted(image.Rect(0, 0, 9, 9), color.Palette{color.NRGBA{1, 2, 3, 0}, color.Black})
	for _, img := range []image.Image{clear, image.NewNRGBA(clear.Rect), image.NewRGBA(clear.Rect), image.NewAlpha(clear.Rect)} {
		got := render(t, f, img)
		for i := 0; i < len(got.Pix); i += 4 {
			if px := [3]int{int(got.Pix[i]), int(got.Pix[i+1]), int(got.Pix[i+2])}; px != ground {
				t.Fatalf("%T: pixel %d is %v, want the ground %v", img, i/4, px, ground)
			}
		}
	}
}

func TestPlacement(t *testing.T) {
	for _, c := range []struct {
		resize        Resize
		size          [2]int
		height, width int
		rows, cols    axis
	}{
		{Shortest, [2]int{224, 224}, 480, 640, axis{480, 224, 0, 224, 0, 224}, axis{640, 298, 37, 224, 0, 224}},
		{Shortest, [2]int{64, 64}, 1, 1, axis{1, 64, 0, 64, 0, 64}, axis{1, 64, 0, 64, 0, 64}},
		{Shortest, [2]int{64, 64}, 1000, 3, axis{1000, 21333, 10634, 64, 0, 64}, axis{3, 64, 0, 64, 0, 64}},
		{Shortest, [2]int{64, 64}, 65, 64, axis{65, 65, 0, 64, 0, 64}, axis{64, 64, 0, 64, 0, 64}}, // 0.5 rounds to 0
		{Shortest, [2]int{64, 64}, 67, 64, axis{67, 67, 2, 64, 0, 64}, axis{64, 64, 0, 64, 0, 64}}, // 1.5 rounds to 2
		{Squash, [2]int{48, 80}, 10, 20, axis{10, 48, 0, 48, 0, 48}, axis{20, 80, 0, 80, 0, 80}},
		{Longest, [2]int{64, 64}, 100, 160, axis{100, 40, 0, 40, 12, 64}, axis{160, 64, 0, 64, 0, 64}},
		{Longest, [2]int{56, 56}, 97, 131, axis{97, 41, 0, 41, 7, 56}, axis{131, 56, 0, 56, 0, 56}},
	} {
		f := Fit{Size: c.size, Resize: c.resize}
		rows, cols, err := f.place(c.height, c.width)
		if err != nil || rows != c.rows || cols != c.cols {
			t.Errorf("Resize %d %v of %d×%d: got %v %v %v, want %v %v", c.resize, c.size, c.height, c.width, rows, cols, err, c.rows, c.cols)
		}
	}
}

// TestRenderConcurrent: many goroutines share one image; results are equal and
// nobody writes to it.
func TestRenderConcurrent(t *testing.T) {
	all := images(60, 45, 7)
	before := images(60, 45, 7)
	f := Fit{Size: [2]int{32, 32}}
	for kind, img := range all {
		want := render(t, f, img)
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				got := make([]uint8, len(want.Pix))
				for range 3 {
					if err := f.Render(got, img); err != nil {
						t.Error(err)
					} else if !bytes.Equal(got, want.Pix) {
						t.Errorf("%s: results differ between goroutines", kind)
					}
				}
			}()
		}
		wg.Wait()
		if !bytes.Equal(pixels(img), pixels(before[kind])) {
			t.Errorf("%s: the image was written to", kind)
		}
	}
}

// pixels returns the colours of an image.
func pixels(img image.Image) []byte {
	out := image.NewNRGBA64(img.Bounds())
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out.Pix
}

func TestRenderRefuses(t *testing.T) {
	ok := image.NewGray(image.Rect(0, 0, 5, 5))
	for _, c := range []struct {
		name, want string
		fit        Fit
		img        image.Image
	}{
		{"no size", "a size of 0×0 pixels", Fit{}, ok},
		{"huge size", "a size of 1048576×1048576 pixels", Fit{Size: [2]int{MaxSide, MaxSide}}, ok},
		{"dst", "dst has 256 bytes, want 4·9·8", Fit{Size: [2]int{9, 8}}, ok},
		{"nil", "image is nil", Fit{Size: [2]int{8, 8}}, nil},
		{"vanishes", "side of 0", Fit{Size: [2]int{8, 8}, Resize: Longest}, image.NewGray(image.Rect(0, 0, 1, 500))},
	} {
		if err := c.fit.Render(make([]uint8, 4*8*8), c.img); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "pillow: ") {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// FuzzRender: every pixel of the result is written, whatever the image.
func FuzzRender(f *testing.F) {
	f.Add(uint16(1), uint16(1), uint16(8), uint16(8), uint8(0), uint64(1))
	f.Add(uint16(3), uint16(1000), uint16(224), uint16(224), uint8(1), uint64(2))
	f.Add(uint16(131), uint16(97), uint16(48), uint16(80), uint8(14), uint64(3))
	f.Fuzz(func(t *testing.T, width, height, h, w uint16, choice uint8, seed uint64) {
		fit := Fit{Size: [2]int{int(h%300) + 1, int(w%300) + 1}, Resize: Resize(choice % 3), Filter: Filter(choice / 3 % 2)}
		if choice&0x80 != 0 {
			fit.Ground = color.White
		}
		width, height = width%1200+1, height%1200+1
		if int(width)*int(height) > 20000 {
			height = 20000/width + 1
		}
		for kind, img := range images(int(width), int(height), seed) {
			dst := make([]uint8, 4*fit.Size[0]*fit.Size[1])
			err := fit.Render(dst, img)
			if err != nil && strings.Contains(err.Error(), "side of 0") {
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			for i := 3; i < len(dst); i += 4 {
				if dst[i] != 255 {
					t.Fatalf("%s: alpha of pixel %d is %d, want 255", kind, i/4, dst[i])
				}
			}
		}
	})
}
