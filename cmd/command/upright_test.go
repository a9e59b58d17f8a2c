package command

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/internal/golden"
)

// sideways is a PNG, red above and blue below, whose EXIF says that it lies on its side.
func sideways(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 40, 40))
	for i := range 40 * 40 {
		img.SetRGBA(i%40, i/40, color.RGBA{220, 20, 20, 255})
		if i/40 > 25 {
			img.SetRGBA(i%40, i/40, color.RGBA{20, 20, 220, 255})
		}
	}
	var b bytes.Buffer
	check(t, png.Encode(&b, img))
	exif := "eXIfMM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(exif)-4)), exif...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE([]byte(exif)))
	const header = 8 + 12 + 13
	return string(slices.Concat(b.Bytes()[:header], chunk, b.Bytes()[header:]))
}

// TestUpright: classify and index turn a photograph, eval does not, and each says so or
// can be told otherwise; a search does as the index was made.
func TestUpright(t *testing.T) {
	model := golden.Shared(t, "compat", "model")
	dir := t.TempDir()
	photo := write(t, filepath.Join(dir, "set", "red", "photo.png"), sideways(t))
	set := filepath.Join(dir, "set")

	classify := func(more ...string) float64 {
		var got []classified
		works(t, &got, append([]string{"classify", "--model", model, "--labels", "red disc,blue square", photo}, more...)...)
		return got[0].Guesses[0].Similarity
	}
	turned, stored := classify(), classify("--no-upright")
	if turned == stored || classify("--upright") != turned {
		t.Errorf("similarity %v turned and %v as stored, want two numbers, the first by default", turned, stored)
	}

	indexed := map[bool]string{}
	for flag, upright := range map[string]bool{"--upright": true, "--no-upright": false} {
		out := filepath.Join(dir, flag+".index")
		indexed[upright] = out
		works(t, nil, "index", "--model", model, "--data", set, "--out", out, flag)
		var said struct{ Upright bool }
		works(t, &said, "info", out)
		if said.Upright != upright {
			t.Errorf("info of an index with %s says upright %t", flag, said.Upright)
		}
		var hits []found
		works(t, &hits, "search", "--model", model, "--index", out, "--image", photo)
		if s := hits[0].Hits[0].Score; !(math.Abs(s-1) <= 1e-5) {
			t.Errorf("%s: the photograph's score with itself is %v, want 1 within 1e-5", flag, s)
		}
	}

	for _, c := range []struct {
		flags   []string
		upright bool
		words   string
	}{{nil, false, "as they are stored, not turned upright"}, {[]string{"--upright"}, true, "turned upright"}} {
		args := append([]string{"eval", "--model", model, "--data", set, "--shape", "classes", "--labels", "red,blue", "--allow-missing"}, c.flags...)
		var got struct{ Upright bool }
		works(t, &got, args...)
		if got.Upright != c.upright {
			t.Errorf("eval %v says upright %t", c.flags, got.Upright)
		}
		if text := works(t, nil, args...); !strings.Contains(text, fmt.Sprint("photographs: ", c.words)) {
			t.Errorf("eval %v does not say %q:\n%s", c.flags, c.words, text)
		}
	}
	if text := works(t, nil, "info", model); !strings.Contains(text, "as they are stored, not turned upright") {
		t.Errorf("info does not say how photographs are seen:\n%s", text)
	}
}

// sidewaysJPEG is a large JPEG with a gradient, whose EXIF says that it lies on its side.
func sidewaysJPEG(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 600, 400))
	for i := range 600 * 400 {
		img.SetRGBA(i%600, i/600, color.RGBA{uint8(i % 600 / 3), uint8(i / 600 * 255 / 400), uint8(i % 7 * 30), 255})
	}
	var b bytes.Buffer
	check(t, jpeg.Encode(&b, img, nil))
	exif := "\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	return string(slices.Concat(b.Bytes()[:2], []byte(exif), b.Bytes()[2:]))
}

// TestDraftIsRemembered: an index says that it is of drafts, upright or not, and a search
// decodes as the index did without being told.
func TestDraftIsRemembered(t *testing.T) {
	model := golden.Shared(t, "compat", "model")
	dir := t.TempDir()
	photo := write(t, filepath.Join(dir, "set", "photo.jpg"), sidewaysJPEG(t))
	scores := map[string]float64{}
	for _, flags := range [][]string{{"--draft"}, {"--draft", "--no-upright"}, {}} {
		name := strings.Join(flags, "")
		out := filepath.Join(dir, "of"+name+".index")
		works(t, nil, append([]string{"index", "--model", model, "--data", filepath.Join(dir, "set"), "--out", out}, flags...)...)
		var said struct{ Upright, Draft bool }
		works(t, &said, "info", out)
		if said.Draft != slices.Contains(flags, "--draft") || said.Upright == slices.Contains(flags, "--no-upright") {
			t.Errorf("info of an index with %v says %+v", flags, said)
		}
		if text := works(t, nil, "info", out); said.Draft != strings.Contains(text, "decoded at a part of their size") {
			t.Errorf("info of an index with %v: %s", flags, text)
		}
		var hits []found
		works(t, &hits, "search", "--model", model, "--index", out, "--image", photo)
		if s := hits[0].Hits[0].Score; !(math.Abs(s-1) <= 1e-5) {
			t.Errorf("%v: the photograph's score with itself is %v, want 1 within 1e-5", flags, s)
		}
		works(t, &hits, "search", "--model", model, "--index", out, "red disc")
		scores[name] = hits[0].Hits[0].Score
	}
	if scores["--draft"] == scores[""] || scores["--draft"] == scores["--draft--no-upright"] {
		t.Errorf("scores %v, want three numbers", scores)
	}
	_, errors, code := goclip(t, "search", "--model", model, "--index", filepath.Join(dir, "of.index"), "--draft", "red disc")
	if code == 0 || !strings.Contains(errors, "images with draft false") {
		t.Errorf("searching an index of whole images with --draft: code %d, %q", code, errors)
	}
}
