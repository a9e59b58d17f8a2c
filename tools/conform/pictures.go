package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/goclip/goclip/vision"
)

// pictureFile is a file of a set of pictures, and what the reference reads from it.
type pictureFile struct {
	File, Kind, SHA256 string
	Mode               string // Pillow's
	Default            string // "ok", or the error
	Size               []int  // width, height
	Upright            []int  `json:"upright_size"`
	Tolerance          *float64
	Doubtful           string // why the reference's pixels are no test
	Expected           struct{ RGB, Upright, Clip32, Truncated string }
}

// pictureSet is index.json with its folder.
type pictureSet struct {
	dir   string
	Cases []pictureFile
}

func isPictureSet(dir string) bool {
	var s pictureSet
	path := filepath.Join(dir, "index.json")
	return exists(path) && readJSON(path, &s) == nil && len(s.Cases) > 0 && s.Cases[0].Kind != "" && s.Cases[0].SHA256 != ""
}

// pictureCases finds the pictures: each is read, upright too, and resized, as far as the
// reference does that. Of what the reference refuses it is checked that reading ends.
func pictureCases(_ *options, dir string) ([]testCase, error) {
	set := &pictureSet{dir: dir}
	if err := readJSON(filepath.Join(dir, "index.json"), set); err != nil {
		return nil, err
	}
	expected, err := openTensors(set.expected())
	if err != nil {
		return nil, err
	}
	defer expected.close()
	var cases []testCase
	used := make(map[string]bool)
	for _, p := range set.Cases {
		add := func(group, what, key string, run func(*report, *tensors, string) error) {
			name := p.File
			if what != "" {
				name += " " + what
			}
			used[key] = true
			cases = append(cases, testCase{group, name, func(_ context.Context, r *report) error {
				f, err := openTensors(set.expected())
				if err != nil {
					return err
				}
				defer f.close()
				if err := set.verify(p); err != nil {
					return err
				}
				return run(r, f, key)
			}})
		}
		kind := "picture:" + p.Kind
		e := p.Expected
		switch {
		case p.Doubtful != "":
			add(kind, "ends", e.RGB, func(r *report, _ *tensors, _ string) error { return set.compareCost(r, p, false) })
			used[e.Clip32] = true
			continue
		case e.RGB != "":
			add(kind, "", e.RGB, func(r *report, f *tensors, key string) error { return set.comparePixels(r, p, f, key, false) })
		default:
			add(kind, "ends", "", func(r *report, f *tensors, _ string) error { return set.compareRefused(r, p, f) })
		}
		if e.Upright != "" {
			add(kind, "upright", e.Upright, func(r *report, f *tensors, key string) error { return set.comparePixels(r, p, f, key, true) })
		}
		if e.Clip32 != "" {
			add(kind, "clip32", e.Clip32, func(r *report, f *tensors, key string) error { return set.compareClip(r, p, f, key) })
		}
		if e.Truncated != "" {
			add("picture:truncated", "truncated", e.Truncated, func(r *report, f *tensors, key string) error { return set.compareTruncated(r, p, f, key) })
		}
	}
	for _, key := range expected.names("") {
		if !used[key] {
			cases = append(cases, broken(unknown, key, errors.New("index.json has no such picture")))
		}
	}
	cases = append(cases, strangers(filepath.Join(dir, "files"), unknown, "files", func(file string) bool {
		return slices.ContainsFunc(set.Cases, func(p pictureFile) bool { return p.File == file })
	})...)
	return append(cases, strangers(dir, unknown, filepath.Base(dir), func(file string) bool {
		return slices.Contains([]string{"files", "index.json", "expected.safetensors"}, file)
	})...), nil
}

func (set *pictureSet) expected() string { return filepath.Join(set.dir, "expected.safetensors") }

func (set *pictureSet) path(p pictureFile) string { return filepath.Join(set.dir, "files", p.File) }

// verify reports a file that is not the one that the reference has read.
func (set *pictureSet) verify(p pictureFile) error {
	b, err := os.ReadFile(set.path(p))
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != p.SHA256 {
		return fmt.Errorf("the file's SHA-256 is %x, in index.json %s", sum, p.SHA256)
	}
	return nil
}

// rgb converts a picture at its own size as the reference does.
func rgb(img image.Image) (*image.RGBA, error) {
	size := img.Bounds().Size()
	p := &vision.Preprocess{Size: [2]int{size.Y, size.X}, Resize: vision.ResizeSquash, Std: [3]float32{1, 1, 1}}
	return p.RGB(img)
}

// comparePixels compares a picture as it is read.
func (set *pictureSet) comparePixels(r *report, p pictureFile, f *tensors, key string, upright bool) error {
	img, err := decodeFile(set.path(p), upright)
	if err != nil {
		return err
	}
	size := p.Size
	if upright && p.Upright != nil {
		size = p.Upright
	}
	return pixels(r, img, f, key, size, p.tolerance())
}

func (p pictureFile) tolerance() float64 {
	if p.Tolerance == nil {
		return math.NaN() // which no difference satisfies
	}
	return *p.Tolerance
}

// pixels compares a picture's RGB with a tensor.
func pixels(r *report, img image.Image, f *tensors, key string, size []int, tol float64) error {
	got, err := rgb(img)
	if err != nil {
		return err
	}
	want, shape := f.bytes(key), f.shape(key)
	if f.err != nil {
		return f.err
	}
	if !slices.Equal(shape, []int{got.Rect.Dy(), got.Rect.Dx(), 3}) || len(size) == 2 && (size[0] != shape[1] || size[1] != shape[0]) {
		return fmt.Errorf("the picture is read at %v, want %v, in index.json %v", got.Rect.Size(), shape, size)
	}
	differences(r, "pixels", got, want, tol)
	return nil
}

func differences(r *report, what string, got *image.RGBA, want []byte, tol float64) {
	worst := comparison{what: what, tol: tol}
	for i, w := range want {
		g := got.Pix[i/3*4+i%3]
		if d := math.Abs(float64(g) - float64(w)); d > worst.diff {
			worst.diff, worst.where = d, fmt.Sprintf("at %d: got %d, want %d", i, g, w)
		}
	}
	r.all = append(r.all, worst)
}

// compareClip compares a picture after CLIP's transforms. Where the reading is not exact
// the difference may grow by the gain of the filter, whose weights' absolute values add
// up to 1.25 in each of the two passes, and by what rounding makes of it. Where alpha is
// small, colours that are divided by it differ by any amount, so their mean is compared.
func (set *pictureSet) compareClip(r *report, p pictureFile, f *tensors, key string) error {
	img, err := decodeFile(set.path(p), false)
	if err != nil {
		return err
	}
	got, err := vision.CLIPPreprocess(32).RGB(img)
	if err != nil {
		return err
	}
	want, tol := f.bytes(key), p.tolerance()
	if s := f.shape(key); f.err == nil && !slices.Equal(s, []int{32, 32, 3}) {
		return fmt.Errorf("%s has shape %v", key, s)
	}
	if tol > 0 && strings.HasSuffix(p.Mode, "A") {
		return meanDifference(r, "clip32", got, want, tol)
	}
	if tol > 0 {
		tol = math.Ceil(1.25*1.25*tol) + 1
	}
	differences(r, "clip32", got, want, tol)
	return f.err
}

func meanDifference(r *report, what string, got *image.RGBA, want []byte, tol float64) error {
	if len(want) != len(got.Pix)/4*3 {
		return fmt.Errorf("%s: %d values, want %d", what, len(got.Pix)/4*3, len(want))
	}
	sum := 0.0
	for i, w := range want {
		sum += math.Abs(float64(got.Pix[i/3*4+i%3]) - float64(w))
	}
	r.number(what+" (mean difference)", sum/float64(len(want)), 0, tol)
	return nil
}

// compareTruncated compares what is left of a damaged picture.
func (set *pictureSet) compareTruncated(r *report, p pictureFile, f *tensors, key string) error {
	img, err := decodeTruncated(set.path(p))
	if err != nil {
		return err
	}
	return pixels(r, img, f, key, p.Size, p.tolerance())
}

// compareRefused reads a file that the reference refuses. An error is right, and pixels
// are no fault; but where the reference has pixels of what is left of the file, those
// here must be the same.
func (set *pictureSet) compareRefused(r *report, p pictureFile, f *tensors) error {
	if err := set.compareCost(r, p, false); err != nil {
		return err
	}
	img, err := decodeFile(set.path(p), false)
	if err != nil || p.Expected.Truncated == "" {
		return nil
	}
	return pixels(r, img, f, p.Expected.Truncated, p.Size, p.tolerance())
}

// What reading one of these small files may cost, whatever is wrong with it.
const (
	mostSeconds = 10
	mostMiB     = 256
)

// compareCost reads a file and watches time and memory. It panics where the reading does,
// which fails the case.
func (set *pictureSet) compareCost(r *report, p pictureFile, upright bool) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	_, _ = decodeFile(set.path(p), upright)
	took := time.Since(began).Seconds()
	runtime.ReadMemStats(&after)
	r.number("seconds", math.Max(0, took-mostSeconds), 0, 0)
	r.number("MiB", math.Max(0, float64(after.TotalAlloc-before.TotalAlloc)/(1<<20)-mostMiB), 0, 0)
	return nil
}
