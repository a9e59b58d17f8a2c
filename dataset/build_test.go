package dataset

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
)

// member is a file to put into a folder or a tar.
type member struct{ name, content string }

func imageOf(n int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 16, 12))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*n) | 3
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	img.SetRGBA(0, 0, color.RGBA{uint8(n), uint8(n >> 8), 0, 255})
	return img
}

func pngOf(n int) string {
	var b bytes.Buffer
	if err := png.Encode(&b, imageOf(n)); err != nil {
		panic(err)
	}
	return b.String()
}

func jpegOf(n int) string {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, imageOf(n), nil); err != nil {
		panic(err)
	}
	return b.String()
}

func tarOf(t testing.TB, members []member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mapFS(files map[string][]byte) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: data, Mode: 0o644}
	}
	return fsys
}

func folderFS(dir string, members []member) fstest.MapFS {
	files := map[string][]byte{}
	for _, m := range members {
		files[dir+"/"+m.name] = []byte(m.content)
	}
	return mapFS(files)
}

// writeFiles puts files into a temporary folder, which it returns.
func writeFiles(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// contents describes each sample of one epoch in a line, bad ones with their
// reason.
func contents(t testing.TB, src Source, order Order) []string {
	t.Helper()
	var lines []string
	for s, err := range src.Samples(context.Background(), order) {
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Pair(0)
		if err != nil {
			lines = append(lines, fmt.Sprintf("%s: %v", s.Key, err))
			continue
		}
		h := fnv.New64a()
		b := p.Image.Bounds()
		img := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(img, img.Rect, p.Image, b.Min, draw.Src)
		h.Write(img.Pix)
		lines = append(lines, fmt.Sprintf("%s: %q %q %v %x", s.Key, s.Words(), s.Label, img.Rect.Max, h.Sum64()))
	}
	return lines
}
