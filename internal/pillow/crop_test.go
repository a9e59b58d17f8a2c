package pillow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"os"
	"slices"
	"strings"
	"testing"
)

// formula is the image that testdata/crops.py makes, too.
func formula(kind string, width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		if img.Pix[i] = uint8(i*i/7 + 37*i); i%4 == 3 && kind == "opaque" {
			img.Pix[i] = 255
		}
	}
	return img
}

// TestResizedCropAsPillow: crops have Pillow's bytes, alpha included.
func TestResizedCropAsPillow(t *testing.T) {
	reference, err := os.ReadFile("testdata/crops.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(reference)), "\n")
	if len(lines) != 96 {
		t.Errorf("%d crops, want 96", len(lines))
	}
	for _, line := range lines {
		var kind, name, want string
		var w, h, width, height int
		var box image.Rectangle
		if _, err := fmt.Sscan(line, &kind, &w, &h, &box.Min.X, &box.Min.Y, &box.Max.X, &box.Max.Y, &width, &height, &name, &want); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		filter := map[string]Filter{"bicubic": Bicubic, "bilinear": Bilinear}[name]
		img := formula(kind, w, h)
		sum := sha256.Sum256(ResizedCrop(img, box, width, height, filter).Pix)
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: got %s", line, got)
		}
		if !slices.Equal(img.Pix, formula(kind, w, h).Pix) {
			t.Fatalf("%s: the image was written to", line)
		}
	}
}

// TestResizedCropIsTheFitOfItsPart: a crop has the colours that Fit gives the part
// that was cut out, and the alpha that it gives the part's alpha as grey.
func TestResizedCropIsTheFitOfItsPart(t *testing.T) {
	box := image.Rect(13, 8, 90, 71)
	for _, kind := range []string{"alpha", "opaque"} {
		for _, size := range [][2]int{{24, 24}, {63, 50}, {100, 77}, {63, 77}} {
			for _, filter := range []Filter{Bicubic, Bilinear} {
				img := formula(kind, 120, 75)
				got := ResizedCrop(img, box, size[1], size[0], filter)
				part, alpha := image.NewNRGBA(image.Rect(0, 0, box.Dx(), box.Dy())), image.NewGray(image.Rect(0, 0, box.Dx(), box.Dy()))
				for y := range box.Dy() {
					for x := range box.Dx() {
						c := img.NRGBAAt(box.Min.X+x, box.Min.Y+y)
						part.SetNRGBA(x, y, c)
						alpha.Pix[y*alpha.Stride+x] = c.A
					}
				}
				fit := Fit{Size: size, Resize: Squash, Filter: filter}
				want, grey := render(t, fit, part), render(t, fit, alpha)
				for i := 3; i < len(want.Pix); i += 4 {
					want.Pix[i] = grey.Pix[i-1]
				}
				if !bytes.Equal(got.Pix, want.Pix) {
					t.Errorf("%s, %v, filter %d: the crop is not the fit of its part", kind, size, filter)
				}
			}
		}
	}
}
