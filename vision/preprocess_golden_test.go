package vision

import (
	"bytes"
	"encoding/json"
	"image"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/pillow"
	"github.com/goclip/goclip/internal/safetensors"
)

// variant holds the arguments of open_clip's image_transform.
type variant struct {
	ImageSize     json.RawMessage `json:"image_size"`
	ResizeMode    Resize          `json:"resize_mode"`
	Interpolation Interpolation   `json:"interpolation"`
	FillColor     uint8           `json:"fill_color"`
}

type imageCase struct {
	File, Format  string
	PILMode       string `json:"pil_mode"`
	Width, Height int
	Outputs       []string
}

// reference is a set of images with what the reference makes of them.
type reference struct {
	Mean, Std [3]float32
	Variants  map[string]variant
	Images    []imageCase

	dir               string
	expected, decoded *safetensors.File
}

func openReference(t *testing.T) *reference {
	t.Helper()
	r := &reference{dir: golden.Fixtures(t, "preprocess")}
	index, err := os.ReadFile(filepath.Join(r.dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(index, r); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]**safetensors.File{"expected": &r.expected, "decoded": &r.decoded} {
		if *f, err = safetensors.Open(filepath.Join(r.dir, name+".safetensors")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*f).Close() })
	}
	return r
}

// preprocess returns the settings that a variant's name stands for.
func (r *reference) preprocess(t *testing.T, name string) *Preprocess {
	t.Helper()
	switch name {
	case "openai_64":
		return CLIPPreprocess(64)
	case "openai_224":
		return CLIPPreprocess(224)
	}
	v, ok := r.Variants[name]
	if !ok {
		t.Fatalf("index.json has no variant %q", name)
	}
	p := &Preprocess{Resize: v.ResizeMode, Interpolation: v.Interpolation, Fill: v.FillColor, Mean: r.Mean, Std: r.Std}
	var side int
	if json.Unmarshal(v.ImageSize, &side) == nil {
		p.Size = [2]int{side, side}
	} else if err := json.Unmarshal(v.ImageSize, &p.Size); err != nil {
		t.Fatal(err)
	}
	return p
}

// native returns the image as the reference decoded it, in the type that
// stands for its mode, or nil where the mode is not kept.
func (r *reference) native(t *testing.T, pic imageCase) image.Image {
	t.Helper()
	rect := image.Rect(0, 0, pic.Width, pic.Height)
	key := "native/" + pic.File
	if pic.PILMode == "RGB" {
		key = "rgb/" + pic.File
	}
	b, err := r.decoded.Bytes(key)
	if err != nil {
		return nil
	}
	b = bytes.Clone(b)
	n := pic.Width * pic.Height
	switch pic.PILMode {
	case "L":
		return &image.Gray{Pix: b, Stride: pic.Width, Rect: rect}
	case "RGBA":
		return &image.NRGBA{Pix: b, Stride: 4 * pic.Width, Rect: rect}
	case "CMYK":
		return &image.CMYK{Pix: b, Stride: 4 * pic.Width, Rect: rect}
	case "LA":
		img := image.NewNRGBA(rect)
		for i := range n {
			copy(img.Pix[4*i:], []uint8{b[2*i], b[2*i], b[2*i], b[2*i+1]})
		}
		return img
	case "RGB":
		img := image.NewRGBA(rect)
		for i := range n {
			copy(img.Pix[4*i:], []uint8{b[3*i], b[3*i+1], b[3*i+2], 255})
		}
		return img
	}
	return nil
}

// differ returns the mean and the largest difference between an image and
// packed RGB.
func differ(t *testing.T, got *image.RGBA, want []byte) (mean float64, worst int) {
	t.Helper()
	if 3*len(got.Pix) != 4*len(want) {
		t.Fatalf("got %v, want %d bytes of RGB", got.Rect, len(want))
	}
	sum := 0
	for i, w := range want {
		d := int(got.Pix[i/3*4+i%3]) - int(w)
		d = max(d, -d)
		sum += d
		worst = max(worst, d)
	}
	return float64(sum) / float64(len(want)), worst
}

// TestReferenceExact: from the file, lossless or not, and from the reference's
// own decoded pixels where they are stored, not one value differs.
func TestReferenceExact(t *testing.T) {
	r := openReference(t)
	cases := 0
	for _, pic := range r.Images {
		sources := map[string]image.Image{}
		img, err := pillow.DecodeFile(filepath.Join(r.dir, "images", pic.File), pillow.Limits{})
		if err != nil {
			t.Error(err)
			continue
		}
		sources["file"] = img
		if native := r.native(t, pic); native != nil {
			sources["decoded"] = native
		}
		for _, name := range pic.Outputs {
			want, err := r.expected.Bytes(name + "/" + pic.File)
			if err != nil {
				t.Fatal(err)
			}
			p := r.preprocess(t, name)
			for source, img := range sources {
				cases++
				got, err := p.RGB(img)
				if err != nil {
					t.Errorf("%s/%s from %s: %v", name, pic.File, source, err)
					continue
				}
				if mean, worst := differ(t, got, want); worst != 0 {
					t.Errorf("%s/%s from %s: mean difference %.3f, largest %d, want none", name, pic.File, source, mean, worst)
				}
			}
		}
	}
	if cases < 100 {
		t.Errorf("compared %d images, want at least 100", cases)
	}
}

// TestNormalisedExact: the float32 tensor is the reference's, bit for bit.
func TestNormalisedExact(t *testing.T) {
	r := openReference(t)
	n := 0
	for _, name := range r.expected.Names() {
		file, ok := strings.CutPrefix(name, "openai_64_normalized/")
		if !ok {
			continue
		}
		n++
		want := make([]float32, 3*64*64)
		if err := r.expected.Float32(name, want); err != nil {
			t.Fatal(err)
		}
		for _, pic := range r.Images {
			if pic.File != file {
				continue
			}
			img := r.native(t, pic)
			if img == nil {
				t.Fatalf("%s has no decoded pixels", file)
			}
			got := make([]float32, len(want))
			if err := CLIPPreprocess(64).Image(got, img); err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("%s: element %d is %v, want %v", file, i, got[i], want[i])
				}
			}
		}
	}
	if n == 0 {
		t.Error("no normalised image to compare with")
	}
}
