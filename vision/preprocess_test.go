package vision

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// noise is an opaque image.
func noise(width, height int) *image.RGBA {
	rng := rand.New(rand.NewPCG(6, 1))
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		if img.Pix[i] = 255; i%4 != 3 {
			img.Pix[i] = uint8(rng.Uint32())
		}
	}
	return img
}

// TestInterpolation: bilinear and bicubic differ, except where the reference
// takes bicubic for both.
func TestInterpolation(t *testing.T) {
	img := noise(37, 53)
	for _, size := range [][2]int{{20, 20}, {20, 31}} {
		for _, resize := range []Resize{ResizeShortest, ResizeLongest, ResizeSquash} {
			p := CLIPPreprocess(20)
			p.Size, p.Resize, p.Interpolation = size, resize, Bilinear
			linear, err := p.RGB(img)
			if err != nil {
				t.Fatal(err)
			}
			p.Interpolation = Bicubic
			cubic, err := p.RGB(img)
			if err != nil {
				t.Fatal(err)
			}
			want := size[0] != size[1] && resize == ResizeShortest
			if got := bytes.Equal(linear.Pix, cubic.Pix); got != want {
				t.Errorf("%v %v: bilinear equals bicubic: %v, want %v", size, resize, got, want)
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
		{"resize", "Resize is 4, want shortest, longest, squash or none", func(p *Preprocess) { p.Resize = 4 }, ok},
		{"longest of transformers", "Resize is longest, which Steps transformers has not", func(p *Preprocess) { p.Steps, p.Resize = StepsTransformers, ResizeLongest }, ok},
		{"scale of open_clip", "Scale is [8 0], but Steps open_clip and Resize shortest have none", func(p *Preprocess) { p.Scale[0] = 8 }, ok},
		{"scale of nothing", "Scale is [0 0], want positive sides", func(p *Preprocess) { p.Steps, p.Size = StepsTransformers, [2]int{} }, ok},
		{"huge scale", "Scale is [1048577 0], want positive sides up to 1048576", func(p *Preprocess) { p.Steps, p.Scale[0] = StepsTransformers, 1<<20+1 }, ok},
		{"half a scale", "Scale is [8 0], want positive sides", func(p *Preprocess) { p.Steps, p.Resize, p.Scale[0] = StepsTransformers, ResizeSquash, 8 }, ok},
		{"a long strip", "pixels, want 1×1 to", func(p *Preprocess) { p.Steps, p.Size, p.Scale[0] = StepsTransformers, [2]int{}, 1000 }, image.NewGray(image.Rect(0, 0, 1, 1<<20))},
		{"a strip that vanishes", "a size of 0×8 pixels", func(p *Preprocess) {
			p.Steps, p.Size, p.Scale = StepsTransformers, [2]int{}, [2]int{8, 8}
		}, image.NewGray(image.Rect(0, 0, 1, 500))},
		{"steps", "Steps is 2, want open_clip or transformers", func(p *Preprocess) { p.Steps = 2 }, ok},
		{"interpolation", "Interpolation is 200, want bicubic, bilinear, lanczos, nearest, box or hamming", func(p *Preprocess) { p.Interpolation = 200 }, ok},
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
		{"vanishes", "side of 0", func(p *Preprocess) { p.Resize = ResizeLongest }, image.NewGray(image.Rect(0, 0, 1, 500))},
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

func TestPreprocessAllocates(t *testing.T) {
	img := noise(100, 80)
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
		t.Errorf("%v allocations an image, want at most 8", n)
	}
}

// TestPreprocessConcurrent: calls share memory for what is between their steps,
// but never at one time.
func TestPreprocessConcurrent(t *testing.T) {
	var wg sync.WaitGroup
	for side := range 8 {
		p, img := CLIPPreprocess(8+side), noise(20+side, 30)
		want := make([]float32, 3*p.Size[0]*p.Size[1])
		if err := p.Image(want, img); err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			got := make([]float32, len(want))
			for range 100 {
				if err := p.Image(got, img); err != nil {
					t.Error(err)
				} else if !slices.Equal(got, want) {
					t.Errorf("side %d: results differ between goroutines", p.Size[0])
				}
			}
		}()
	}
	wg.Wait()
}

// TestWords: settings are words in text and in JSON, and no others are read.
func TestWords(t *testing.T) {
	type settings struct {
		Resize        Resize
		Interpolation Interpolation
	}
	for _, c := range []struct {
		text string
		want settings
	}{
		{`{"Resize":"shortest","Interpolation":"bicubic"}`, settings{}},
		{`{"Resize":"longest","Interpolation":"bilinear"}`, settings{ResizeLongest, Bilinear}},
		{`{"Resize":"squash","Interpolation":"bicubic"}`, settings{ResizeSquash, Bicubic}},
	} {
		var got settings
		if err := json.Unmarshal([]byte(c.text), &got); err != nil || got != c.want {
			t.Errorf("%s: got %v, error %v, want %v", c.text, got, err, c.want)
		}
		if text, err := json.Marshal(c.want); err != nil || string(text) != c.text {
			t.Errorf("%v: got %s, error %v, want %s", c.want, text, err, c.text)
		}
	}
	for text, want := range map[string]string{
		`{"Resize":"crop"}`:           `vision: Resize is "crop", want shortest, longest, squash or none`,
		`{"Interpolation":"Bicubic"}`: `vision: Interpolation is "Bicubic", want bicubic, bilinear, lanczos, nearest, box or hamming`,
	} {
		got := settings{ResizeSquash, Bilinear}
		if err := json.Unmarshal([]byte(text), &got); err == nil || err.Error() != want || got != (settings{ResizeSquash, Bilinear}) {
			t.Errorf("%s: got %v, error %v, want the error %s", text, got, err, want)
		}
	}
	if got, want := fmt.Sprint(Resize(7), Bilinear), "7 (unknown) bilinear"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
