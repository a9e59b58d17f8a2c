package encoder_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/golden"
)

// TestCostOfPublished: all of open_clip's configurations have as many parameters and stored
// numbers as its models, and their work is counted.
func TestCostOfPublished(t *testing.T) {
	f, err := os.Open(golden.Shared(t, "reference", "manifests.jsonl.gz"))
	check(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	check(t, err)
	n := 0
	for dec := json.NewDecoder(z); ; {
		var m struct {
			Name       string
			Parameters int64
			Vision     int64 `json:"vision_parameters"`
			Tensors    map[string][]int64
		}
		if err := dec.Decode(&m); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if m.Name == "" { // what the others were made with
			continue
		}
		n++
		cfg, ok := encoder.ConfigByName(m.Name)
		if !ok {
			t.Errorf("%s is not known", m.Name)
			continue
		}
		got, err := cfg.Cost()
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		var weights int64
		for name, shape := range m.Tensors {
			size := int64(1)
			for _, d := range shape {
				size *= d
			}
			if !strings.HasSuffix(name, ".num_batches_tracked") {
				weights += size
			}
		}
		if got.Parameters != m.Parameters || got.Image.Parameters != m.Vision || got.Weights != weights {
			t.Errorf("%s: %d parameters, %d of the image tower, %d weights; want %d, %d, %d",
				m.Name, got.Parameters, got.Image.Parameters, got.Weights, m.Parameters, m.Vision, weights)
		}
		if !(got.Image.MultiplyAdds > 1e8 && got.Text.MultiplyAdds > 1e8) {
			t.Errorf("%s: %g multiply-adds an image and %g a caption", m.Name, got.Image.MultiplyAdds, got.Text.MultiplyAdds)
		}
	}
	if n != 154 || len(encoder.ConfigNames()) != n {
		t.Errorf("%d configurations, %d of ours, want 154", n, len(encoder.ConfigNames()))
	}
}

// TestPassBytes: more images take more memory, and none is taken to say so.
func TestPassBytes(t *testing.T) {
	cfg, _ := encoder.ConfigByName("ViT-bigG-14") // 10 GB of weights
	one, caption, err := cfg.PassBytes(1)
	check(t, err)
	eight, _, err := cfg.PassBytes(8)
	check(t, err)
	// The widest values of a block are those of its MLP: 257 tokens of 8192 numbers.
	const mlp = 4 * 257 * 8192
	if !(one > mlp && one < 4*mlp && eight > 7*one && eight < 9*one && caption > 4*77*5120 && caption < one) {
		t.Errorf("%d bytes for an image, %d for 8, %d for a caption", one, eight, caption)
	}
	if _, _, err := cfg.PassBytes(0); err == nil {
		t.Error("a pass of none is none")
	}
	cfg.Text = nil
	if _, caption, err := cfg.PassBytes(1); err != nil || caption != 0 {
		t.Errorf("without a text tower: %d bytes for captions, error %v", caption, err)
	}
}
