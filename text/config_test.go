package text_test

import (
	"testing"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
)

// TestRow: where each way of pooling finds a caption's vector, and whether what
// follows that position can be left out.
func TestRow(t *testing.T) {
	ids := []int32{8, 3, 5, 9, 5, 9, 0, 0}
	for _, c := range []struct {
		pool text.Pool
		mask text.Mask
		eos  int32
		want text.Row
	}{
		{text.PoolArgmax, text.MaskCausal, 0, text.Row{Length: 4, Pooled: 3}},
		{text.PoolArgmax, text.MaskNone, 0, text.Row{Length: 8, Pooled: 3}},
		{text.PoolEOS, text.MaskCausal, 5, text.Row{Length: 3, Pooled: 2}},
		{text.PoolEOS, text.MaskCausal, 7, text.Row{Length: 1, Pooled: 0}}, // there is no 7
		{text.PoolFirst, text.MaskCausal, 0, text.Row{Length: 1, Pooled: 0}},
		{text.PoolFirst, text.MaskNone, 0, text.Row{Length: 8, Pooled: 0}},
		{text.PoolLast, text.MaskCausal, 0, text.Row{Length: 8, Pooled: 7}},
		{text.PoolMean, text.MaskPadding, 9, text.Row{Length: 4, Pooled: 3}},
	} {
		cfg := text.Transformer{Pool: c.pool, Mask: c.mask, EOSTokenID: c.eos}
		if got := cfg.Row(ids); got != c.want {
			t.Errorf("%s, mask %s, end %d: got %+v, want %+v", c.pool, c.mask, c.eos, got, c.want)
		}
	}
}

// TestConfigNamesTheField: what does not fit is an error that names it.
func TestConfigNamesTheField(t *testing.T) {
	good := text.Transformer{
		ContextLength: 7, VocabSize: 9, Width: 8, Layers: 1, Heads: 2, EmbedDim: 4,
		Activation: nn.GELU, NormEps: 1e-5, Mask: text.MaskCausal, Pool: text.PoolArgmax,
	}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(c *text.Transformer){
		"ContextLength is 0, want 1 to 65536":                            func(c *text.Transformer) { c.ContextLength = 0 },
		"VocabSize is 16777217, want 1 to 16777216":                      func(c *text.Transformer) { c.VocabSize = 1<<24 + 1 },
		"Layers is -1, want 1 to 1000":                                   func(c *text.Transformer) { c.Layers = -1 },
		"Heads is 3, which does not divide Width 8":                      func(c *text.Transformer) { c.Heads = 3 },
		"NormEps is 0, want a small positive number":                     func(c *text.Transformer) { c.NormEps = 0 },
		"MLPRatio is 65, want 0 (for 4) to 64":                           func(c *text.Transformer) { c.MLPRatio = 65 },
		`Mask is 0, want causal, none or padding`:                        func(c *text.Transformer) { c.Mask = 0 },
		`Pool is 9, want argmax, eos, first, last or mean`:               func(c *text.Transformer) { c.Pool = 9 },
		"Pool is first, beside which Mask padding does not know its end": func(c *text.Transformer) { c.Pool, c.Mask = text.PoolFirst, text.MaskPadding },
		"Activation is 7, want gelu, gelu_tanh or quick_gelu":            func(c *text.Transformer) { c.Activation = 7 },
	} {
		cfg := good
		change(&cfg)
		if err := cfg.Validate(); err == nil || err.Error() != "text: "+want {
			t.Errorf("got error %v, want text: %s", err, want)
		}
	}
}
