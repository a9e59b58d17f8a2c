//go:build linux && !race

package command

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// TestMemory: photographs to embeddings take the image tower's weights once, what few photographs
// take that are decoded at the time, and the program; neither the file, nor the text tower,
// nor the set. Measured on two cores (Zen 4, Go 1.26): 133, 160, 106 and 130 MiB. What was kept of file, towers and
// pictures before made it 309, 250, 265 and 213.
func TestMemory(t *testing.T) {
	model, photos := heavyModel(t), largePhotos(t, 40)
	for _, c := range []struct {
		name string
		most int // MiB
		args []string
	}{
		{"embed", 195, []string{"embed", "--format", "npy"}},
		{"embed float16", 215, []string{"embed", "--format", "npy", "--precision", "float16"}},
		{"embed int8", 170, []string{"embed", "--format", "npy", "--precision", "int8"}},
		{"index", 190, []string{"index", "--data", photos}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append(c.args, "-q", "--model", model, "--out", filepath.Join(t.TempDir(), "out"))
			if c.args[0] == "embed" {
				args = append(args, photos)
			}
			most := c.most + 10*max(0, min(8, runtime.GOMAXPROCS(0))-2) // as many more are decoded at once
			if got := peak(t, args...); got > most {
				t.Errorf("%d MiB at most, want %d or less", got, most)
			}
		})
	}
}

// heavyModel is a model of 75 MB for images and 82 for texts.
func heavyModel(t *testing.T) string {
	t.Helper()
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{32, 32}, PatchSize: 16, Width: 512, Layers: 6, Heads: 8, EmbedDim: 16,
			Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 8, VocabSize: 40_000, Width: 512, Layers: 1, Heads: 8, EmbedDim: 16,
			Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(32),
	}, nil, 1)
	check(t, err)
	dir := filepath.Join(t.TempDir(), "model")
	check(t, m.Save(dir))
	return dir
}

// largePhotos is a folder of n photographs of 3 megapixels.
func largePhotos(t *testing.T, n int) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 2000, 1500))
	for i := range img.Pix {
		img.Pix[i] = byte(i / 3000 * (1 + i%4))
	}
	var file bytes.Buffer
	check(t, jpeg.Encode(&file, img, nil))
	dir := t.TempDir()
	for i := range n {
		write(t, filepath.Join(dir, fmt.Sprintf("%03d.jpg", i)), file.String()+strings.Repeat(" ", i)) // of a size of its own
	}
	return dir
}

// peak runs the program and returns how much memory it has had at most, in MiB.
func peak(t *testing.T, args ...string) int {
	t.Helper()
	cmd := program(t, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	check(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for kib := 0; ; {
		select {
		case err := <-ended:
			if err != nil || kib == 0 {
				t.Fatalf("%v, %d KiB: %s", err, kib, errs.String())
			}
			return kib >> 10
		case <-time.After(5 * time.Millisecond):
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			if _, after, ok := strings.Cut(string(status), "VmHWM:"); ok {
				_, _ = fmt.Sscan(after, &kib)
			}
		}
	}
}
