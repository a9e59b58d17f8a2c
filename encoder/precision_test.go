package encoder_test

import (
	"math"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// TestPrecision: what is stored as halves comes back rounded to the nearest, scales whole, and
// is stored again to the same bits.
func TestPrecision(t *testing.T) {
	m, err := encoder.New(encoder.Config{
		Vision:     vision.ResNet{ImageSize: [2]int{32, 32}, Width: 8, Heads: 4, EmbedDim: 16, Stages: [4]int{1, 1, 1, 1}},
		Text:       text.Transformer{ContextLength: 8, VocabSize: 300, Width: 64, Layers: 1, Heads: 1, EmbedDim: 16, Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5},
		Preprocess: vision.CLIPPreprocess(32),
	}, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	for precision, bits := range map[encoder.Precision]int{encoder.Float32: 24, encoder.Float16: 11, encoder.BFloat16: 8} {
		first, second := t.TempDir(), t.TempDir()
		if err := m.SaveWith(first, encoder.OpenCLIP, encoder.SaveOptions{Precision: precision}); err != nil {
			t.Fatal(err)
		}
		half, err := encoder.Load(first, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := half.SaveWith(second, encoder.OpenCLIP, encoder.SaveOptions{Precision: precision}); err != nil {
			t.Fatal(err)
		}
		again, err := encoder.Load(second, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range m.Params() {
			got, twice := half.Params()[i], again.Params()[i]
			limit := math.Ldexp(1, -bits)
			if strings.HasPrefix(p.Name, "logit_") || strings.Contains(p.Name, "running_") {
				limit = 0
			}
			for k, want := range p.Data {
				if !(math.Abs(float64(got.Data[k]-want)) <= limit*max(math.Abs(float64(want)), 0x1p-14)) || twice.Data[k] != got.Data[k] {
					t.Fatalf("%v: %s[%d] is %g, then %g, want %g within %g of it", precision, p.Name, k, got.Data[k], twice.Data[k], want, limit)
				}
			}
		}
		if err := half.Close(); err != nil {
			t.Error(err)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
	var proj *nn.Param
	for _, p := range m.Params() {
		if p.Name == "text_projection" {
			proj = p
		}
	}
	for _, c := range []struct {
		value     float32
		precision encoder.Precision
		fits      bool
	}{
		{65519, encoder.Float16, true}, {65520, encoder.Float16, false}, {-7e4, encoder.Float16, false},
		{3.3895e38, encoder.BFloat16, true}, {math.MaxFloat32, encoder.BFloat16, false}, {math.MaxFloat32, encoder.Float32, true},
		{float32(math.Inf(1)), encoder.Float16, true},
	} {
		proj.Data[0] = c.value
		err := m.SaveWith(t.TempDir(), encoder.OpenCLIP, encoder.SaveOptions{Precision: c.precision})
		if (err == nil) != c.fits || err != nil && !strings.Contains(err.Error(), "text_projection") {
			t.Errorf("%g as %v: %v, want fits: %t", c.value, c.precision, err, c.fits)
		}
	}
	if err := m.SaveWith(t.TempDir(), "", encoder.SaveOptions{Precision: 9}); err == nil {
		t.Error("a precision without a name was taken")
	}
}
