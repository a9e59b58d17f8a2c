package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/goclip/goclip/internal/pillow"
	"github.com/goclip/goclip/vision"
)

// Tolerances of a picture that was read from a lossy file, whose decoders
// differ. All other pictures are exact.
const (
	meanLossy = 1
	maxLossy  = 16
)

// pictures is index.json with the folder that it is in.
type pictures struct {
	dir string

	Mean, Std [3]float32
	Variants  map[string]json.RawMessage // of a variant
	Images    []picture
}

// variant holds the arguments of open_clip's image_transform.
type variant struct {
	ImageSize     json.RawMessage `json:"image_size"`
	ResizeMode    vision.Resize   `json:"resize_mode"`
	Interpolation vision.Interpolation
	FillColor     uint8 `json:"fill_color"`
	Mean, Std     *[3]float32
}

type picture struct {
	File          string
	Mode          string `json:"pil_mode"`
	Width, Height int
	Outputs       []string
}

// preprocessCases finds the pictures: each is decoded, and preprocessed in every
// variant that the index names for it.
func preprocessCases(_ *options, root string) ([]testCase, error) {
	set := &pictures{dir: filepath.Join(root, "preprocess")}
	index := filepath.Join(set.dir, "index.json")
	if isProcessorIndex(index) {
		return processorCases(set.dir)
	}
	if err := readJSON(index, set); err != nil {
		return nil, err
	}
	expected, err := openTensors(set.path("expected"))
	if err != nil {
		return nil, err
	}
	defer expected.close()
	decoded, err := openTensors(set.path("decoded"))
	if err != nil {
		return nil, err
	}
	defer decoded.close()

	var cases []testCase
	used := make(map[string]bool)
	add := func(key string, run func(*report) error) {
		used[key] = true
		cases = append(cases, testCase{"transforms", "preprocess/" + key, func(_ context.Context, r *report) error { return run(r) }})
	}
	for _, pic := range set.Images {
		if key := "rgb/" + pic.File; decoded.has(key) {
			add(key, func(r *report) error { return set.compareDecoded(r, pic, key) })
		}
		if key := "native/" + pic.File; decoded.has(key) {
			add(key, func(r *report) error { return set.compareNative(r, pic) })
		}
		for _, name := range pic.Outputs {
			add(name+"/"+pic.File, func(r *report) error { return set.compareOutput(r, pic, name) })
			if key := name + "_normalized/" + pic.File; expected.has(key) {
				add(key, func(r *report) error { return set.compareNormalized(r, pic, name) })
			}
		}
	}
	for _, key := range append(expected.names(""), decoded.names("")...) {
		if !used[key] {
			cases = append(cases, broken("transforms", "preprocess/"+key, errors.New("index.json has no such picture or output")))
		}
	}
	cases = append(cases, strangers(set.dir, "transforms", "preprocess", func(file string) bool {
		return slices.Contains([]string{"images", "index.json", "expected.safetensors", "decoded.safetensors"}, file)
	})...)
	return append(cases, strangers(filepath.Join(set.dir, "images"), "transforms", "preprocess/images", func(file string) bool {
		return slices.ContainsFunc(set.Images, func(p picture) bool { return p.File == file })
	})...), nil
}

func (set *pictures) path(name string) string { return filepath.Join(set.dir, name+".safetensors") }

var openAI = regexp.MustCompile(`^openai_(\d+)$`)

// variant returns the settings that a variant's name stands for.
func (set *pictures) variant(name string) (*vision.Preprocess, error) {
	if m := openAI.FindStringSubmatch(name); m != nil {
		side, err := strconv.Atoi(m[1])
		p := vision.CLIPPreprocess(side)
		p.Mean, p.Std = set.Mean, set.Std
		return p, err
	}
	raw, ok := set.Variants[name]
	if !ok {
		return nil, fmt.Errorf("index.json has no variant %q", name)
	}
	mean, std := set.Mean, set.Std // copies: a variant may have its own
	v := variant{Mean: &mean, Std: &std}
	if err := strict(raw, &v); err != nil {
		return nil, fmt.Errorf("index.json: variant %s: %w", name, err)
	}
	size, err := imageSize(v.ImageSize)
	return &vision.Preprocess{
		Size: size, Resize: v.ResizeMode, Interpolation: v.Interpolation, Fill: v.FillColor, Mean: *v.Mean, Std: *v.Std,
	}, err
}

// decode reads a picture's file, and says whether its format loses something.
func (set *pictures) decode(pic picture) (img image.Image, lossy bool, err error) {
	b, err := os.ReadFile(filepath.Join(set.dir, "images", pic.File))
	if err != nil {
		return nil, false, err
	}
	img, err = vision.Decode(bytes.NewReader(b), nil)
	if err == nil && img.Bounds().Size() != image.Pt(pic.Width, pic.Height) {
		err = fmt.Errorf("%s has %v pixels, index.json says %d×%d", pic.File, img.Bounds().Size(), pic.Width, pic.Height)
	}
	return img, lossyFile(b), err
}

// lossyFile tells JPEG and lossy WebP from other files.
func lossyFile(b []byte) bool {
	if bytes.HasPrefix(b, []byte{0xff, 0xd8}) {
		return true
	}
	webp := len(b) >= 16 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP"
	return webp && string(b[12:16]) != "VP8L" && bytes.Contains(b[12:], []byte("VP8 "))
}

// native returns a picture as the reference decoded it, in the type that stands
// for its mode, or nil where there is no such picture.
func (set *pictures) native(pic picture) (image.Image, error) {
	f, err := openTensors(set.path("decoded"))
	if err != nil {
		return nil, err
	}
	defer f.close()
	key, channels := "native/"+pic.File, map[string]int{"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[pic.Mode]
	if pic.Mode == "RGB" {
		key = "rgb/" + pic.File
	}
	if !f.has(key) {
		return nil, nil
	}
	b := f.bytes(key)
	if f.err != nil {
		return nil, f.err
	}
	if channels == 0 || len(b) != pic.Width*pic.Height*channels {
		return nil, fmt.Errorf("%s: %s has shape %v, for a picture of %d×%d in mode %s", f.path, key, f.shape(key), pic.Width, pic.Height, pic.Mode)
	}
	rect := image.Rect(0, 0, pic.Width, pic.Height)
	switch pic.Mode {
	case "L":
		return &image.Gray{Pix: b, Stride: pic.Width, Rect: rect}, nil
	case "RGBA":
		return &image.NRGBA{Pix: b, Stride: 4 * pic.Width, Rect: rect}, nil
	case "CMYK":
		return &image.CMYK{Pix: b, Stride: 4 * pic.Width, Rect: rect}, nil
	}
	img := image.NewNRGBA(rect)
	for i := range pic.Width * pic.Height {
		px := b[i*channels:][:channels]
		if pic.Mode == "LA" {
			px = []byte{px[0], px[0], px[0], px[1]}
		} else {
			px = []byte{px[0], px[1], px[2], 255}
		}
		copy(img.Pix[4*i:], px)
	}
	return img, nil
}

// compareDecoded compares a decoded picture, converted to RGB at its own size.
func (set *pictures) compareDecoded(r *report, pic picture, key string) error {
	f, err := openTensors(set.path("decoded"))
	if err != nil {
		return err
	}
	defer f.close()
	img, lossy, err := set.decode(pic)
	if err != nil {
		return err
	}
	p := &vision.Preprocess{Size: [2]int{pic.Height, pic.Width}, Resize: vision.ResizeSquash, Std: [3]float32{1, 1, 1}}
	want, shape := f.bytes(key), f.shape(key)
	if f.err != nil {
		return f.err
	}
	return comparePixels(r, "from the file", p, img, lossy, want, shape)
}

// compareNative compares a decoded picture in its own mode.
func (set *pictures) compareNative(r *report, pic picture) error {
	img, lossy, err := set.decode(pic)
	if err != nil {
		return err
	}
	want, err := set.native(pic)
	if err != nil {
		return err
	}
	got, expected := samples(img), samples(want)
	if got == nil || len(got) != len(expected) {
		return fmt.Errorf("%s was read as %T, want %T", pic.File, img, want)
	}
	compareBytes(r, "from the file", got, expected, lossy)
	return nil
}

// samples returns the bytes of a picture, row by row, or nil for a type that
// stands for no stored mode.
func samples(img image.Image) (all []byte) {
	rows := func(pix []byte, stride, channels int) {
		for y := range img.Bounds().Dy() {
			all = append(all, pix[y*stride:][:img.Bounds().Dx()*channels]...)
		}
	}
	img = pillow.Stored(img)
	if keyed, ok := img.(*pillow.Keyed); ok {
		img = keyed.Opaque
	}
	switch img := img.(type) {
	case *image.Gray:
		rows(img.Pix, img.Stride, 1)
	case *image.NRGBA:
		rows(img.Pix, img.Stride, 4)
	case *image.CMYK:
		rows(img.Pix, img.Stride, 4)
	}
	return all
}

func (set *pictures) compareOutput(r *report, pic picture, name string) error {
	f, err := openTensors(set.path("expected"))
	if err != nil {
		return err
	}
	defer f.close()
	key := name + "/" + pic.File
	want, shape := f.bytes(key), f.shape(key)
	p, err := set.variant(name)
	if err = errors.Join(err, f.err); err != nil {
		return err
	}
	img, lossy, err := set.decode(pic)
	if err != nil {
		return err
	}
	if err := comparePixels(r, "from the file", p, img, lossy, want, shape); err != nil {
		return err
	}
	native, err := set.native(pic)
	switch {
	case err != nil:
		return err
	case native != nil:
		return comparePixels(r, "from decoded pixels", p, native, false, want, shape)
	case lossy:
		return set.lacks(pic)
	}
	return nil
}

func (set *pictures) lacks(pic picture) error {
	return fmt.Errorf("%s: no pixels of %s in mode %s, which a lossy file needs", set.path("decoded"), pic.File, pic.Mode)
}

func comparePixels(r *report, what string, p *vision.Preprocess, img image.Image, lossy bool, want []byte, shape []int) error {
	got, err := p.RGB(img)
	if err != nil {
		return err
	}
	if !slices.Equal(shape, []int{p.Size[0], p.Size[1], 3}) {
		return fmt.Errorf("the expected picture has shape %v, the variant makes %v", shape, p.Size)
	}
	rgb := make([]byte, len(want))
	for i := range rgb {
		rgb[i] = got.Pix[i/3*4+i%3]
	}
	compareBytes(r, what, rgb, want, lossy)
	return nil
}

func compareBytes(r *report, what string, got, want []byte, lossy bool) {
	sum, worst := 0, comparison{what: what}
	for i, w := range want {
		d := max(int(got[i])-int(w), int(w)-int(got[i]))
		sum += d
		if float64(d) > worst.diff {
			worst.diff, worst.where = float64(d), fmt.Sprintf("at %d: got %d, want %d", i, got[i], w)
		}
	}
	if lossy {
		worst.tol = maxLossy
		r.all = append(r.all, comparison{what: what + ", mean", diff: float64(sum) / float64(len(want)), tol: meanLossy})
	}
	r.all = append(r.all, worst)
}

// compareNormalized compares the float32 tensor, to the bit where the pixels
// are exact.
func (set *pictures) compareNormalized(r *report, pic picture, name string) error {
	f, err := openTensors(set.path("expected"))
	if err != nil {
		return err
	}
	defer f.close()
	want := f.floats(name + "_normalized/" + pic.File)
	p, err := set.variant(name)
	if err = errors.Join(err, f.err); err != nil {
		return err
	}
	img, lossy, err := set.decode(pic)
	what := "from the file"
	if lossy && err == nil {
		if img, err = set.native(pic); img == nil {
			err = errors.Join(err, set.lacks(pic))
		}
		what = "from decoded pixels"
	}
	if err != nil {
		return err
	}
	got := make([]float32, 3*p.Size[0]*p.Size[1])
	if err := p.Image(got, img); err != nil {
		return err
	}
	r.near(what, got, want, 0)
	return nil
}
