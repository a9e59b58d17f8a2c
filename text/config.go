package text

import (
	"fmt"
	"slices"

	"github.com/goclip/goclip/nn"
)

// Config says what a text tower computes. The fields marked required have no
// default: checkpoints of one shape differ in them.
type Config struct {
	ContextLength int // tokens at most; required
	VocabSize     int // rows of the token embedding; required
	Width         int // of the residual stream; required
	Layers        int // transformer blocks; required
	Heads         int // attention heads, a divisor of Width; required
	EmbedDim      int // size of the features; required

	MLPRatio   float64 // hidden width of the MLP over Width; zero means 4
	Activation string  // "gelu" (erf), "gelu_tanh" or "quick_gelu"; required
	NormEps    float64 // LayerNorm's epsilon; required

	// Mask says what a token attends to: "causal", itself and those before it;
	// "none", every position, padding included, as SigLIP does; "padding", every
	// token up to the end token. Required.
	Mask string
	// Pool says which position becomes the feature: "argmax", the highest id
	// (CLIP's end token); "eos", the first EOSTokenID; "first" and "last", that
	// position of the context; "mean", the mean of the positions up to the end
	// token. Required.
	Pool       string
	EOSTokenID int32 // read where Pool is "eos", and by "mean" and Mask "padding"

	ProjBias bool // text_projection is a linear layer with bias
}

// Validate reports the first field that is missing or does not fit.
func (c *Config) Validate() error {
	fail := func(field, format string, args ...any) error {
		return fmt.Errorf("text: %s %s", field, fmt.Sprintf(format, args...))
	}
	for _, f := range []struct {
		name     string
		v, limit int
	}{
		{"ContextLength", c.ContextLength, 1 << 16}, {"VocabSize", c.VocabSize, 1 << 24}, {"Width", c.Width, 1 << 20},
		{"Layers", c.Layers, 1000}, {"Heads", c.Heads, 1 << 20}, {"EmbedDim", c.EmbedDim, 1 << 20},
	} {
		if f.v < 1 || f.v > f.limit {
			return fail(f.name, "is %d, want 1 to %d", f.v, f.limit)
		}
	}
	switch {
	case c.Width%c.Heads != 0:
		return fail("Heads", "is %d, which does not divide Width %d", c.Heads, c.Width)
	case !(c.NormEps > 0 && c.NormEps < 1):
		return fail("NormEps", "is %g, want a small positive number", c.NormEps)
	case !(c.MLPRatio >= 0 && c.MLPRatio <= 64):
		return fail("MLPRatio", "is %g, want 0 (for 4) to 64", c.MLPRatio)
	case !slices.Contains([]string{"causal", "none", "padding"}, c.Mask):
		return fail("Mask", "is %q, want causal, none or padding", c.Mask)
	case !slices.Contains([]string{"argmax", "eos", "first", "last", "mean"}, c.Pool):
		return fail("Pool", "is %q, want argmax, eos, first, last or mean", c.Pool)
	case c.Pool == "first" && c.Mask == "padding":
		return fail("Pool", "is first, beside which Mask padding does not know its end")
	}
	if _, err := nn.ParseActivation(c.Activation); err != nil {
		return fail("Activation", "is %q: %v", c.Activation, err)
	}
	return nil
}

// Last returns the position that Forward takes as last for a sequence of token
// ids: the pooled one, and for Pool "mean" or Mask "padding" the last that counts.
func (c *Config) Last(ids []int32) int {
	switch c.Pool {
	case "argmax":
		best := 0
		for i, id := range ids {
			if id > ids[best] {
				best = i
			}
		}
		return best
	case "first":
		return 0
	case "last":
		return len(ids) - 1
	}
	// Where the end token is missing the reference's argmax over "is it EOS?"
	// answers 0.
	return max(slices.Index(ids, c.EOSTokenID), 0)
}

// Trims reports whether tokens after the last one change nothing, so that they
// need not be computed.
func (c *Config) Trims() bool { return c.Mask != "none" && c.Pool != "last" }
