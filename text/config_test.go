package text_test

import (
	"testing"

	"github.com/goclip/goclip/text"
)

// TestLast: where each way of pooling finds a caption's vector, and whether what
// follows that position can be left out.
func TestLast(t *testing.T) {
	ids := []int32{8, 3, 5, 9, 5, 9, 0, 0}
	for _, c := range []struct {
		pool, mask string
		eos        int32
		want       int
		trims      bool
	}{
		{"argmax", "causal", 0, 3, true},
		{"argmax", "none", 0, 3, false},
		{"eos", "causal", 5, 2, true},
		{"eos", "causal", 7, 0, true}, // there is no 7
		{"first", "causal", 0, 0, true},
		{"first", "none", 0, 0, false},
		{"last", "causal", 0, 7, false},
		{"mean", "padding", 9, 3, true},
	} {
		cfg := text.Config{Pool: c.pool, Mask: c.mask, EOSTokenID: c.eos}
		if got := cfg.Last(ids); got != c.want {
			t.Errorf("%s, end %d: got position %d, want %d", c.pool, c.eos, got, c.want)
		}
		if got := cfg.Trims(); got != c.trims {
			t.Errorf("%s, mask %s: Trims is %v, want %v", c.pool, c.mask, got, c.trims)
		}
	}
}

// TestConfigNamesTheField: what does not fit is an error that names it.
func TestConfigNamesTheField(t *testing.T) {
	good := text.Config{
		ContextLength: 7, VocabSize: 9, Width: 8, Layers: 1, Heads: 2, EmbedDim: 4,
		Activation: "gelu", NormEps: 1e-5, Mask: "causal", Pool: "argmax",
	}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(c *text.Config){
		"ContextLength is 0, want 1 to 65536":                                                 func(c *text.Config) { c.ContextLength = 0 },
		"VocabSize is 16777217, want 1 to 16777216":                                           func(c *text.Config) { c.VocabSize = 1<<24 + 1 },
		"Layers is -1, want 1 to 1000":                                                        func(c *text.Config) { c.Layers = -1 },
		"Heads is 3, which does not divide Width 8":                                           func(c *text.Config) { c.Heads = 3 },
		"NormEps is 0, want a small positive number":                                          func(c *text.Config) { c.NormEps = 0 },
		"MLPRatio is 65, want 0 (for 4) to 64":                                                func(c *text.Config) { c.MLPRatio = 65 },
		`Mask is "", want causal, none or padding`:                                            func(c *text.Config) { c.Mask = "" },
		`Pool is "max", want argmax, eos, first, last or mean`:                                func(c *text.Config) { c.Pool = "max" },
		"Pool is first, beside which Mask padding does not know its end":                      func(c *text.Config) { c.Pool, c.Mask = "first", "padding" },
		`Activation is "relu": unknown activation "relu", want gelu, gelu_tanh or quick_gelu`: func(c *text.Config) { c.Activation = "relu" },
	} {
		cfg := good
		change(&cfg)
		if err := cfg.Validate(); err == nil || err.Error() != "text: "+want {
			t.Errorf("got error %v, want text: %s", err, want)
		}
	}
}
