package vision

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goclip/goclip/internal/pillow"
)

// pictures returns one picture of each type that is treated in its own way,
// filled from seed.
func pictures(width, height int, seed uint64) map[string]image.Image {
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
		"keyed": &pillow.Keyed{Image: nrgba, Opaque: opaque},
	}
}

func settings() map[string]*Preprocess {
	all := map[string]*Preprocess{}
	for _, resize := range []string{"", "shortest", "longest", "squash"} {
		for _, interpolation := range []string{"", "bilinear"} {
			p := CLIPPreprocess(20)
			p.Size[1] = 31
			p.Resize, p.Interpolation, p.Fill = resize, interpolation, 9
			all[resize+" "+interpolation] = p
		}
	}
	return all
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
	for name, p := range settings() {
		p.Fill = 77
		for _, img := range []image.Image{gray, wide, rgba, cmyk} {
			if img == cmyk && p.Resize == "longest" {
				continue // its padding is of another colour
			}
			got, err := p.RGB(img)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got.Pix {
				if want := uint8(77); i%4 != 3 && v != want {
					t.Fatalf("%s, %T: byte %d is %d, want %d", name, img, i, v, want)
				}
			}
		}
	}
}

// TestIdentity: a picture that has the right size keeps its pixels.
func TestIdentity(t *testing.T) {
	for name, p := range settings() {
		for kind, img := range pictures(p.Size[1], p.Size[0], 3) {
			got, err := p.RGB(img)
			if err != nil {
				t.Fatal(err)
			}
			switch img := img.(type) {
			case *image.NRGBA: // alpha is dropped, nothing is premultiplied
				for i, v := range got.Pix {
					if i%4 != 3 && v != img.Pix[i] {
						t.Fatalf("%s, %s: byte %d is %d, want %d", name, kind, i, v, img.Pix[i])
					}
				}
			case *image.Gray:
				for i, v := range img.Pix {
					if got.Pix[4*i] != v || got.Pix[4*i+2] != v {
						t.Fatalf("%s, %s: pixel %d is %v, want %d", name, kind, i, got.Pix[4*i:4*i+3], v)
					}
				}
			}
		}
	}
}

// TestMirror: resizing commutes with mirroring, as the filters are symmetric.
func TestMirror(t *testing.T) {
	p := CLIPPreprocess(24)
	p.Resize = "squash"
	for kind, img := range pictures(41, 30, 4) {
		if kind == "paletted" || kind == "ycbcr" || kind == "nrgba64" {
			continue // nearest and chroma prefer a side; Orient reduces to 8 bits
		}
		got, err := p.RGB(img)
		if err != nil {
			t.Fatal(err)
		}
		mirrored, err := p.RGB(pillow.Orient(img, 2))
		if err != nil {
			t.Fatal(err)
		}
		back := pillow.Orient(mirrored, 2).(*image.RGBA)
		for i := range got.Pix {
			if got.Pix[i] != back.Pix[i] {
				t.Fatalf("%s: byte %d is %d, want %d", kind, i, back.Pix[i], got.Pix[i])
			}
		}
	}
}

// TestSubImage: a part of a picture is treated like a picture of its own.
func TestSubImage(t *testing.T) {
	p := CLIPPreprocess(16)
	part := image.Rect(5, 7, 38, 29)
	for kind, img := range pictures(50, 40, 5) {
		sub, ok := img.(interface {
			SubImage(image.Rectangle) image.Image
		})
		if !ok {
			continue
		}
		got, err := p.RGB(sub.SubImage(part))
		if err != nil {
			t.Fatal(err)
		}
		if kind == "ycbcr" || kind == "nrgba64" {
			continue // begins inside a chroma sample; copies to 8 bits: must merely work
		}
		copied := pillow.Orient(pillow.Orient(sub.SubImage(part), 2), 2)
		want, err := p.RGB(copied)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s: a sub-image differs from its copy", kind)
		}
	}
}

// TestGround: a transparent picture on a ground is the blend resized.
func TestGround(t *testing.T) {
	p := CLIPPreprocess(16)
	p.Ground = color.NRGBA{255, 250, 10, 255}
	ground := [3]int{255, 250, 10}
	all := pictures(30, 22, 6)
	nrgba := all["nrgba"].(*image.NRGBA)
	flat := image.NewRGBA(nrgba.Rect)
	for i := 0; i < len(flat.Pix); i += 4 {
		a := int(nrgba.Pix[i+3])
		for c := range 3 {
			flat.Pix[i+c] = uint8(math.Round(float64(int(nrgba.Pix[i+c])*a+ground[c]*(255-a)) / 255))
		}
		flat.Pix[i+3] = 255
	}
	want, err := p.RGB(flat)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"nrgba", "keyed"} {
		got, err := p.RGB(all[kind])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s on a ground differs from the blended picture", kind)
		}
	}
	// Wholly transparent pictures are the ground, whatever their type.
	clear := image.NewPaletted(image.Rect(0, 0, 9, 9), color.Palette{color.NRGBA{1, 2, 3, 0}, color.Black})
	for _, img := range []image.Image{clear, image.NewNRGBA(clear.Rect), image.NewRGBA(clear.Rect), image.NewAlpha(clear.Rect)} {
		got, err := p.RGB(img)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(got.Pix); i += 4 {
			if px := [3]int{int(got.Pix[i]), int(got.Pix[i+1]), int(got.Pix[i+2])}; px != ground {
				t.Fatalf("%T: pixel %d is %v, want the ground %v", img, i/4, px, ground)
			}
		}
	}
}

func TestPlacement(t *testing.T) {
	for _, c := range []struct {
		resize        string
		size          [2]int
		height, width int
		rows, cols    axis
	}{
		{"shortest", [2]int{224, 224}, 480, 640, axis{480, 224, 0, 224, 0, 224}, axis{640, 298, 37, 224, 0, 224}},
		{"shortest", [2]int{64, 64}, 1, 1, axis{1, 64, 0, 64, 0, 64}, axis{1, 64, 0, 64, 0, 64}},
		{"shortest", [2]int{64, 64}, 1000, 3, axis{1000, 21333, 10634, 64, 0, 64}, axis{3, 64, 0, 64, 0, 64}},
		{"shortest", [2]int{64, 64}, 65, 64, axis{65, 65, 0, 64, 0, 64}, axis{64, 64, 0, 64, 0, 64}}, // 0.5 rounds to 0
		{"shortest", [2]int{64, 64}, 67, 64, axis{67, 67, 2, 64, 0, 64}, axis{64, 64, 0, 64, 0, 64}}, // 1.5 rounds to 2
		{"squash", [2]int{48, 80}, 10, 20, axis{10, 48, 0, 48, 0, 48}, axis{20, 80, 0, 80, 0, 80}},
		{"longest", [2]int{64, 64}, 100, 160, axis{100, 40, 0, 40, 12, 64}, axis{160, 64, 0, 64, 0, 64}},
		{"longest", [2]int{56, 56}, 97, 131, axis{97, 41, 0, 41, 7, 56}, axis{131, 56, 0, 56, 0, 56}},
	} {
		p := Preprocess{Size: c.size, Resize: c.resize}
		rows, cols, err := p.place(c.height, c.width)
		if err != nil || rows != c.rows || cols != c.cols {
			t.Errorf("%s %v of %d×%d: got %v %v %v, want %v %v", c.resize, c.size, c.height, c.width, rows, cols, err, c.rows, c.cols)
		}
	}
}

// TestInterpolation: bilinear and bicubic differ, except where the reference
// takes bicubic for both.
func TestInterpolation(t *testing.T) {
	img := pictures(37, 53, 6)["opaque"]
	for _, size := range [][2]int{{20, 20}, {20, 31}} {
		for _, resize := range []string{"", "shortest", "longest", "squash"} {
			p := CLIPPreprocess(20)
			p.Size, p.Resize, p.Interpolation = size, resize, "bilinear"
			linear, err := p.RGB(img)
			if err != nil {
				t.Fatal(err)
			}
			p.Interpolation = "bicubic"
			cubic, err := p.RGB(img)
			if err != nil {
				t.Fatal(err)
			}
			want := size[0] != size[1] && (resize == "" || resize == "shortest")
			if got := bytes.Equal(linear.Pix, cubic.Pix); got != want {
				t.Errorf("%v %q: bilinear equals bicubic: %v, want %v", size, resize, got, want)
			}
		}
	}
}

func TestPreprocessRefuses(t *testing.T) {
	ok := image.NewGray(image.Rect(0, 0, 5, 5))
	dst := make([]float32, 3*8*8)
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name, want string
		change     func(p *Preprocess)
		img        image.Image
	}{
		{"no size", "Size 0×0", func(p *Preprocess) { p.Size = [2]int{} }, ok},
		{"negative size", "Size -8×8", func(p *Preprocess) { p.Size[0] = -8 }, ok},
		{"huge size", "Size 1048576×1048576", func(p *Preprocess) { p.Size = [2]int{1 << 20, 1 << 20} }, ok},
		{"resize", `Resize "crop"`, func(p *Preprocess) { p.Resize = "crop" }, ok},
		{"interpolation", `Interpolation "lanczos"`, func(p *Preprocess) { p.Interpolation = "lanczos" }, ok},
		{"zero std", "Std[1] is 0", func(p *Preprocess) { p.Std[1] = 0 }, ok},
		{"infinite std", "Std[2] is +Inf", func(p *Preprocess) { p.Std[2] = inf }, ok},
		{"NaN mean", "Mean[0] is NaN", func(p *Preprocess) { p.Mean[0] = inf - inf }, ok},
		{"clear ground", "Ground", func(p *Preprocess) { p.Ground = color.NRGBA{1, 2, 3, 100} }, ok},
		{"dst", "dst has 192 elements, want 3·9·8", func(p *Preprocess) { p.Size[0] = 9 }, ok},
		{"nil", "image is nil", nil, nil},
		{"empty", "has no pixels", nil, image.NewRGBA(image.Rectangle{})},
		{"endless", "too large", nil, image.NewUniform(color.White)},
		{"short", "holds 3 bytes", nil, &image.Gray{Pix: make([]uint8, 3), Stride: 5, Rect: ok.Rect}},
		{"narrow", "in rows of 2", nil, &image.NRGBA{Pix: make([]uint8, 300), Stride: 2, Rect: ok.Rect}},
		{"vanishes", "side of 0", func(p *Preprocess) { p.Resize = "longest" }, image.NewGray(image.Rect(0, 0, 1, 500))},
	} {
		p := CLIPPreprocess(8)
		if c.change != nil {
			c.change(p)
		}
		if err := p.Image(dst, c.img); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "vision: ") {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// TestPreprocessConcurrent: many goroutines share one Preprocess and its
// pictures; results are equal and nobody writes to a picture.
func TestPreprocessConcurrent(t *testing.T) {
	all := pictures(60, 45, 7)
	before := pictures(60, 45, 7)
	p := CLIPPreprocess(32)
	for kind, img := range all {
		want := make([]float32, 3*32*32)
		if err := p.Image(want, img); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				got := make([]float32, len(want))
				for range 3 {
					if err := p.Image(got, img); err != nil {
						t.Error(err)
					} else if !slices.Equal(got, want) {
						t.Errorf("%s: results differ between goroutines", kind)
					}
				}
			}()
		}
		wg.Wait()
		if !bytes.Equal(pixels(img), pixels(before[kind])) {
			t.Errorf("%s: the picture was written to", kind)
		}
	}
}

// pixels returns the colours of a picture.
func pixels(img image.Image) []byte {
	out := image.NewNRGBA64(img.Bounds())
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out.Pix
}

func TestPreprocessAllocates(t *testing.T) {
	img := pictures(100, 80, 8)["opaque"]
	p := CLIPPreprocess(32)
	dst := make([]float32, 3*32*32)
	n := math.Inf(1)
	for range 20 { // the race detector empties pools at random
		n = min(n, testing.AllocsPerRun(1, func() {
			if err := p.Image(dst, img); err != nil {
				t.Fatal(err)
			}
		}))
	}
	if n > 8 {
		t.Errorf("%v allocations a picture, want at most 8", n)
	}
}

func FuzzPreprocess(f *testing.F) {
	f.Add(uint16(1), uint16(1), uint16(8), uint16(8), uint8(0), uint64(1))
	f.Add(uint16(3), uint16(1000), uint16(224), uint16(224), uint8(1), uint64(2))
	f.Add(uint16(131), uint16(97), uint16(48), uint16(80), uint8(14), uint64(3))
	f.Fuzz(func(t *testing.T, width, height, h, w uint16, choice uint8, seed uint64) {
		p := CLIPPreprocess(1)
		p.Size = [2]int{int(h%300) + 1, int(w%300) + 1}
		p.Resize = []string{"shortest", "longest", "squash"}[choice%3]
		p.Interpolation = []string{"bicubic", "bilinear"}[choice/3%2]
		if choice&0x80 != 0 {
			p.Ground = color.White
		}
		width, height = width%1200+1, height%1200+1
		if int(width)*int(height) > 20000 {
			height = 20000/width + 1
		}
		dst := make([]float32, 3*p.Size[0]*p.Size[1])
		for kind, img := range pictures(int(width), int(height), seed) {
			err := p.Image(dst, img)
			if err != nil && !strings.Contains(err.Error(), "side of 0") {
				t.Fatalf("%s: %v", kind, err)
			}
			for i, v := range dst {
				if !(v >= -3 && v <= 3) {
					t.Fatalf("%s: element %d is %v, want within ±3", kind, i, v)
				}
			}
		}
	})
}
