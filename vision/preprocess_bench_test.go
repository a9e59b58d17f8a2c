package vision

import (
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/goclip/goclip/internal/golden"
	"github.com/goclip/goclip/internal/pillow"
)

// BenchmarkPhotos reads and prepares photographs of about 640×480 pixels, one
// an operation, for a tower of 224×224.
func BenchmarkPhotos(b *testing.B) {
	paths, err := filepath.Glob(filepath.Join(golden.Data(b, "photos"), "*.jpg"))
	if err != nil || len(paths) == 0 {
		b.Fatal("no photographs", err)
	}
	var files [][]byte
	var imgs []image.Image
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		img, err := pillow.DecodeBytes(data, pillow.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		files, imgs = append(files, data), append(imgs, img)
	}
	p := CLIPPreprocess(224)
	dst := make([]float32, 3*224*224)
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, err := pillow.DecodeBytes(files[i%len(files)], pillow.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("preprocess", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if err := p.Image(dst, imgs[i%len(imgs)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("normalise", func(b *testing.B) {
		rgba := make([]uint8, 4*224*224)
		for range b.N {
			p.normalise(dst, rgba)
		}
	})
}
