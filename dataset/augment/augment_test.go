package augment

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/pillow"
)

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 1)) }

// gradient has red growing to the right and green downwards.
func gradient(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(255 * x / max(1, w-1)), uint8(255 * y / max(1, h-1)), 40, 255})
		}
	}
	return img
}

func pix(t *testing.T, img image.Image) []uint8 {
	t.Helper()
	out, ok := img.(*image.NRGBA)
	if !ok {
		t.Fatalf("%T, want *image.NRGBA", img)
	}
	return out.Pix
}

func allAugmentations() map[string]dataset.Augment {
	return map[string]dataset.Augment{
		"crop":   RandomResizedCrop(24, 20, [2]float64{0.2, 1}, [2]float64{0.75, 4. / 3}),
		"pad":    PadAndCrop(4),
		"flip":   Flip(1),
		"grey":   Grey(1),
		"jitter": ColorJitter(0.4, 0.4, 0.4, 0.1),
	}
}

func TestAugmentSeededAndReadOnly(t *testing.T) {
	inputs := map[string]image.Image{
		"nrgba": gradient(37, 29), "one pixel": gradient(1, 1), "row": gradient(50, 1), "column": gradient(1, 50),
		"sub": gradient(40, 40).SubImage(image.Rect(7, 9, 30, 21)), "grey": image.NewGray(image.Rect(-3, -3, 8, 8)),
		"ycbcr": image.NewYCbCr(image.Rect(0, 0, 9, 7), image.YCbCrSubsampleRatio420),
		"clear": image.NewNRGBA(image.Rect(0, 0, 6, 6)),
	}
	for name, augment := range allAugmentations() {
		for kind, img := range inputs {
			var before []uint8
			if in, ok := img.(*image.NRGBA); ok {
				before = slices.Clone(in.Pix)
			}
			a, b := pix(t, augment(seeded(1), img)), pix(t, augment(seeded(1), img))
			if !slices.Equal(a, b) {
				t.Errorf("%s of %s differs between two calls with one seed", name, kind)
			}
			if in, ok := img.(*image.NRGBA); ok && !slices.Equal(before, in.Pix) {
				t.Errorf("%s of %s wrote to its input", name, kind)
			}
		}
	}
	for _, name := range []string{"crop", "pad", "jitter"} {
		augment := allAugmentations()[name]
		if slices.Equal(pix(t, augment(seeded(1), gradient(32, 32))), pix(t, augment(seeded(2), gradient(32, 32)))) {
			t.Errorf("%s is the same for two seeds", name)
		}
	}
}

func TestAugmentIdentities(t *testing.T) {
	img := gradient(33, 21)
	for name, augment := range map[string]dataset.Augment{
		"no jitter":   ColorJitter(0, 0, 0, 0),
		"no pad":      PadAndCrop(0),
		"never flip":  Flip(0),
		"never grey":  Grey(0),
		"empty chain": Chain(),
		"flip twice":  Chain(Flip(1), Flip(1)),
		"whole crop":  RandomResizedCrop(33, 21, [2]float64{1, 1}, [2]float64{33. / 21, 33. / 21}),
	} {
		if got := pix(t, augment(seeded(3), img)); !slices.Equal(got, img.Pix) {
			t.Errorf("%s changed the image", name)
		}
	}
}

func TestFlipMirrors(t *testing.T) {
	img := gradient(5, 3)
	out := Flip(1)(seeded(1), img).(*image.NRGBA)
	for y := range 3 {
		for x := range 5 {
			if out.NRGBAAt(x, y) != img.NRGBAAt(4-x, y) {
				t.Fatalf("pixel (%d, %d) is %v, want %v", x, y, out.NRGBAAt(x, y), img.NRGBAAt(4-x, y))
			}
		}
	}
}

func TestPadAndCropMovesByAtMostPad(t *testing.T) {
	img := gradient(52, 52) // red goes up by 5 a pixel
	seen := map[int]bool{}
	for seed := range uint64(200) {
		out := PadAndCrop(3)(seeded(seed), img).(*image.NRGBA)
		shift := (int(out.NRGBAAt(25, 25).R) - int(img.NRGBAAt(25, 25).R)) / 5
		seen[shift] = true
	}
	if len(seen) != 7 || !seen[3] || !seen[-3] {
		t.Errorf("shifts %v, want -3 to 3", seen)
	}
}

func TestGreyKeepsLuma(t *testing.T) {
	img := gradient(16, 16)
	out := Grey(1)(seeded(1), img).(*image.NRGBA)
	for i := 0; i < len(out.Pix); i += 4 {
		want := 0.299*float64(img.Pix[i]) + 0.587*float64(img.Pix[i+1]) + 0.114*float64(img.Pix[i+2])
		if d := math.Abs(float64(out.Pix[i]) - want); !(d <= 0.5) || out.Pix[i] != out.Pix[i+1] || out.Pix[i] != out.Pix[i+2] {
			t.Fatalf("%v became %v, want grey %.1f within 0.5", img.Pix[i:i+3], out.Pix[i:i+3], want)
		}
	}
}

func TestColorJitterHue(t *testing.T) {
	third := newHueTurn(2 * math.Pi / 3)
	for _, c := range []struct{ in, want rgb }{{rgb{200, 30, 60}, rgb{60, 200, 30}}, {rgb{90, 90, 90}, rgb{90, 90, 90}}} {
		got := third.apply(c.in)
		for i := range got {
			if d := math.Abs(got[i] - c.want[i]); !(d <= 1e-9) {
				t.Errorf("a third of a turn made %v of %v, want %v within 1e-9", got, c.in, c.want)
			}
		}
	}
}

func TestRandomRectStaysInside(t *testing.T) {
	scale, ratio := [2]float64{0.08, 1}, [2]float64{0.75, 4. / 3}
	for seed := range uint64(3000) {
		r := seeded(seed)
		b := image.Rect(0, 0, 1+r.IntN(60), 1+r.IntN(60)).Add(image.Pt(5, -9))
		got := randomRect(r, b, scale, ratio)
		if got.Empty() || !got.In(b) {
			t.Fatalf("seed %d: %v is not inside %v", seed, got, b)
		}
		if b.Dx() >= 40 && b.Dy() >= 40 {
			aspect := float64(got.Dx()) / float64(got.Dy())
			share := float64(got.Dx()*got.Dy()) / float64(b.Dx()*b.Dy())
			// Rounding to whole pixels moves a side of 9 or more by half a pixel.
			if !(aspect > 0.75*0.88 && aspect < 4./3*1.13) || !(share > 0.07) {
				t.Fatalf("seed %d: %v has aspect %.2f and share %.2f of %v", seed, got, aspect, share, b)
			}
		}
	}
}

// TestRandomResizedCropIsPillows: the image is a crop with Pillow's bilinear
// filter of the rectangle that was drawn, whatever type it has.
func TestRandomResizedCropIsPillows(t *testing.T) {
	scale, ratio := [2]float64{0.2, 1}, [2]float64{0.75, 4. / 3}
	whole := gradient(61, 47)
	for i := range whole.Pix {
		whole.Pix[i] ^= uint8(i * i >> 3) // alpha, too
	}
	opaque := image.NewRGBA(whole.Rect)
	draw.Draw(opaque, opaque.Rect, gradient(61, 47), image.Point{}, draw.Src)
	part := image.Rect(9, 4, 60, 40)
	for name, img := range map[string]image.Image{"whole": whole, "part": whole.SubImage(part), "opaque": opaque.SubImage(part)} {
		for seed := range uint64(20) {
			got := RandomResizedCrop(24, 20, scale, ratio)(seeded(seed), img).(*image.NRGBA)
			copied := image.NewNRGBA(img.Bounds())
			for y := copied.Rect.Min.Y; y < copied.Rect.Max.Y; y++ {
				for x := copied.Rect.Min.X; x < copied.Rect.Max.X; x++ {
					copied.Set(x, y, img.At(x, y))
				}
			}
			box := randomRect(seeded(seed), img.Bounds(), scale, ratio)
			want := pillow.ResizedCrop(copied, box, 24, 20, pillow.Bilinear)
			if got.Rect != want.Rect || !slices.Equal(got.Pix, want.Pix) {
				t.Errorf("%s, seed %d: the crop of %v is not Pillow's", name, seed, box)
			}
		}
	}
}

func BenchmarkRandomResizedCrop(b *testing.B) {
	img := gradient(500, 375)
	augment := RandomResizedCrop(224, 224, [2]float64{0.9, 1}, [2]float64{0.75, 4. / 3})
	r := seeded(1)
	for b.Loop() {
		augment(r, img)
	}
}
