package page_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/photos"
	"github.com/goclip/goclip/serve"
	"github.com/goclip/goclip/serve/page"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// drawn is a landscape: a sky, a sun and hills, in colours of a number.
func drawn(n int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	hue := func(h, light float64) color.RGBA {
		c := func(shift float64) uint8 { return uint8(255 * light * (0.6 + 0.4*math.Cos(h+shift))) }
		return color.RGBA{c(0), c(2.1), c(4.2), 255}
	}
	h := float64(n) * 2.399
	for y := range 240 {
		for x := range 320 {
			far, near := 120+30*math.Sin(float64(x)/50+h), 170+25*math.Sin(float64(x)/35+2*h)
			sun := math.Hypot(float64(x)-60-float64(n*37%200), float64(y)-60)
			c := hue(h, 1-float64(y)/500)
			switch {
			case float64(y) > near:
				c = hue(h+2, 0.45)
			case float64(y) > far:
				c = hue(h+1, 0.65)
			case sun < 28:
				c = hue(h+3, 1)
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

// put writes a drawn picture that has long been there.
func put(t *testing.T, name string, n, quality int) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(name), 0o700))
	f, err := os.Create(name)
	check(t, err)
	check(t, jpeg.Encode(f, drawn(n), &jpeg.Options{Quality: quality}))
	check(t, f.Close())
	day := time.Date(2020+n%4, 5, 1+n%28, 12, 0, 0, 0, time.Local)
	check(t, os.Chtimes(name, day, day))
}

// gallery serves a library of n drawn pictures, some of them twice, and as many entries more
// that have no files.
func gallery(t *testing.T, n, more int, keys ...string) string {
	t.Helper()
	dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "album")
	check(t, os.CopyFS(dir, os.DirFS(golden.Fixtures(t, "checkpoints", "hf_fullvocab_f16"))))
	for _, name := range []string{"vocab.json", "merges.txt"} {
		text, err := os.ReadFile(golden.Fixtures(t, "tokenizer", name))
		check(t, err)
		check(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	for i := range n {
		put(t, filepath.Join(folder, fmt.Sprint(2020+i%4), fmt.Sprintf("landscape %02d.jpg", i)), i, 75)
		if i < 12 && i%3 == 0 {
			put(t, filepath.Join(folder, "copies", fmt.Sprintf("%02d.jpg", i)), i, 75-i%2*10)
		}
	}
	m, err := encoder.Load(dir, nil)
	check(t, err)
	defer m.Close()
	set, err := dataset.Open(folder, &dataset.Options{Shape: dataset.Images})
	check(t, err)
	defer set.Close()
	library := filepath.Join(dir, "photos.index")
	l, err := photos.OpenLibrary(library, folder, m, photos.LibraryOptions{})
	check(t, err)
	_, err = l.Update(t.Context(), set, photos.UpdateOptions{})
	check(t, err)
	check(t, l.Close())
	x, err := photos.Open(library, nil)
	check(t, err)
	e := encoder.Embeddings{N: more, Dim: x.Dim(), Data: make([]float32, more*x.Dim())}
	entries := make([]index.Entry, more)
	for i := range entries {
		entries[i].Key = fmt.Sprintf("more/%06d", i)
		a := float64(i) / float64(more)
		e.Data[i*x.Dim()], e.Data[i*x.Dim()+1] = float32(math.Cos(a)), float32(math.Sin(a))
	}
	check(t, x.Add(entries, &e))
	thumbs, err := photos.OpenThumbs(library)
	check(t, err)
	s, err := serve.New(serve.Options{Index: x, Thumbs: thumbs, Folder: folder, Page: page.Handler(), Keys: keys, Models: []serve.Model{{
		Name: "m", Load: func(context.Context) (*encoder.Model, error) { return encoder.Load(dir, nil) },
	}}})
	check(t, err)
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.Close()
		check(t, s.Close())
		check(t, thumbs.Close())
		check(t, x.Close())
	})
	return server.URL
}

func sameHost(address, base string) bool {
	return strings.HasPrefix(address, "data:") || strings.HasPrefix(address, base+"/") || strings.HasPrefix(address, "blob:"+base+"/") || address == "about:blank"
}

// TestHandler: the parts, with a policy that forbids other hosts and scripts in the page.
func TestHandler(t *testing.T) {
	for path, kind := range map[string]string{"/": "text/html", "/page/page.js": "text/javascript", "/page/page.css": "text/css", "/page/icon.svg": "image/svg+xml"} {
		w := httptest.NewRecorder()
		page.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		h := w.Header()
		if w.Code != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), kind) || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self';") {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
		for _, other := range []string{"http://", "https://", "unsafe", "onclick=", "<style", " style="} {
			if text := strings.ReplaceAll(w.Body.String()+h.Get("Content-Security-Policy"), "http://www.w3.org/2000/svg", ""); strings.Contains(text, other) {
				t.Errorf("%s has %s", path, other)
			}
		}
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", h.Get("ETag"))
		w = httptest.NewRecorder()
		if page.Handler().ServeHTTP(w, r); w.Code != http.StatusNotModified {
			t.Errorf("%s: %d where nothing has changed", path, w.Code)
		}
	}
	for _, path := range []string{"/page/", "/page/page.go", "/page/../page.js", "/page/x/page.js", "/page.js"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		if page.Handler().ServeHTTP(w, r); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, w.Code)
		}
	}
}
