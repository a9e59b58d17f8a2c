package encoder_test

import (
	"image/color"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// TestFingerprintStays: what changes no embedding changes no fingerprint: a
// layout, its defaults, the temperature.
func TestFingerprintStays(t *testing.T) {
	m := storable(t)
	want := m.Fingerprint()
	if len(want) != 64 {
		t.Errorf("fingerprint %q, want 64 digits", want)
	}
	for layout := range weightsOf {
		again, err := encoder.Load(saved(t, m, layout), nil)
		check(t, err)
		if got := again.Fingerprint(); got != want {
			t.Errorf("%s: got %s, want %s", layout, got, want)
		}
		check(t, again.Close())
	}
	m.LogitScale().Data[0]++
	if m.Fingerprint() != want {
		t.Error("the temperature counts")
	}
	resnet, _ := encoder.ConfigByName("RN50")
	resnet.Vision = vision.ResNet{ImageSize: [2]int{224, 224}, Width: 8, EmbedDim: 16, Stages: [4]int{1, 1, 1, 1}}
	transformer(&resnet, func(c *text.Transformer) { c.Width, c.Heads, c.Layers, c.EmbedDim, c.VocabSize = 16, 2, 1, 16, 300 })
	m, err := encoder.New(resnet, nil, 1)
	check(t, err)
	again, err := encoder.Load(saved(t, m, encoder.OpenCLIP), &encoder.Options{Tokenizer: letters.Tokenizer{}})
	check(t, err)
	defer again.Close()
	if got, want := again.Fingerprint(), m.Fingerprint(); got != want {
		t.Errorf("a ResNet: got %s, want %s", got, want)
	}
}

// TestFingerprintDiffers: each of these models gives other embeddings.
func TestFingerprintDiffers(t *testing.T) {
	seen := map[string]string{}
	try := func(what string, m *encoder.Model) {
		t.Helper()
		print := m.Fingerprint()
		if other, ok := seen[print]; ok {
			t.Errorf("%s has the fingerprint of %s", what, other)
		}
		seen[print] = what
	}
	with := func(change func(*encoder.Config)) *encoder.Model {
		cfg := config()
		p := *cfg.Preprocess
		cfg.Preprocess = &p
		change(&cfg)
		return model(t, cfg)
	}
	try("the model", with(func(*encoder.Config) {}))
	try("another activation", with(func(c *encoder.Config) { vit(c, func(c *vision.ViT) { c.Activation = nn.GELU }) }))
	try("another mask", with(func(c *encoder.Config) { transformer(c, func(c *text.Transformer) { c.Mask = text.MaskNone }) }))
	try("another ratio", with(func(c *encoder.Config) { transformer(c, func(c *text.Transformer) { c.MLPRatio = 3 }) }))
	try("another mean", with(func(c *encoder.Config) { c.Preprocess.Mean[1] = 0.25 }))
	try("another way to resize", with(func(c *encoder.Config) { c.Preprocess.Resize = vision.ResizeShortest }))
	try("a ground", with(func(c *encoder.Config) { c.Preprocess.Ground = color.White }))
	try("another ground", with(func(c *encoder.Config) { c.Preprocess.Ground = color.Black }))
	m := with(func(*encoder.Config) {})
	for _, params := range [][]*nn.Param{m.Vision().Params(), m.Text().Params()} {
		for _, p := range params {
			p.Data[len(p.Data)-1]++
			try(p.Name, m)
		}
	}
	for _, alpha := range []float64{1, 2} {
		check(t, m.AddLoRA(encoder.LoRA{Rank: 2, Alpha: alpha}, 1))
		try("adapters", m)
		m.RemoveLoRA()
	}
}
