package vision

import (
	"fmt"

	"github.com/goclip/goclip/nn"
)

// Config says what an image tower computes. The fields marked required have no
// default: checkpoints of one shape differ in them.
type Config struct {
	ImageSize [2]int // height and width in pixels; required
	PatchSize int    // side of a square patch; required for a ViT
	Width     int    // of the residual stream (ViT) or the stem (ResNet); required
	Layers    int    // transformer blocks; required for a ViT
	Heads     int    // attention heads, a divisor of Width; required for a ViT
	EmbedDim  int    // size of the features; required

	MLPRatio   float64 // hidden width of the MLP over Width; zero means 4
	Activation string  // "gelu" (erf), "gelu_tanh" or "quick_gelu"; required for a ViT
	NormEps    float64 // LayerNorm's epsilon; required for a ViT

	// Pool says what becomes the feature: "tok", the class token; "avg", the mean
	// of the patch tokens; "map", what a learned query finds by attention to all
	// tokens (open_clip's attentional_pool with pool_type tok, as in CoCa).
	// Required for a ViT.
	Pool string
	// PoolQueries and PoolHeads belong to "map" and are required for it: the
	// number of queries, of which the first gives the feature, and of attention
	// heads, a divisor of EmbedDim.
	PoolQueries, PoolHeads int
	// NormAfterPool applies ln_post to the pooled vector instead of every token.
	// It makes a difference for "avg" only.
	NormAfterPool bool
	NoClassToken  bool // no class embedding is prepended
	NoLnPre       bool // no LayerNorm before the first block

	// Stages, where given, makes the tower CLIP's ModifiedResNet with that many
	// bottleneck blocks in each of its four stages. Besides it, ImageSize, Width,
	// EmbedDim and Heads are read: the heads of the pooling attention over 32·Width
	// channels, where zero means Width/2.
	Stages []int
}

// Validate reports the first field that is missing or does not fit.
func (c *Config) Validate() error {
	fail := func(field, format string, args ...any) error {
		return fmt.Errorf("vision: %s %s", field, fmt.Sprintf(format, args...))
	}
	for _, f := range []struct {
		name   string
		v, min int
	}{
		{"ImageSize[0]", c.ImageSize[0], 1}, {"ImageSize[1]", c.ImageSize[1], 1},
		{"Width", c.Width, 1}, {"Heads", c.Heads, c.minHeads()}, {"EmbedDim", c.EmbedDim, 1},
	} {
		if f.v < f.min || f.v > 1<<20 {
			return fail(f.name, "is %d, want %d or more", f.v, f.min)
		}
	}
	if c.Stages != nil {
		return c.validateResNet()
	}
	switch {
	case c.PatchSize < 1 || c.PatchSize > min(c.ImageSize[0], c.ImageSize[1]):
		return fail("PatchSize", "is %d, want 1 to the image's smaller side (%d × %d)", c.PatchSize, c.ImageSize[0], c.ImageSize[1])
	case c.Layers < 1 || c.Layers > 1000:
		return fail("Layers", "is %d, want 1 to 1000", c.Layers)
	case c.Width%c.Heads != 0:
		return fail("Heads", "is %d, which does not divide Width %d", c.Heads, c.Width)
	case !(c.NormEps > 0 && c.NormEps < 1):
		return fail("NormEps", "is %g, want a small positive number", c.NormEps)
	case !(c.MLPRatio >= 0 && c.MLPRatio <= 64):
		return fail("MLPRatio", "is %g, want 0 (for 4) to 64", c.MLPRatio)
	case c.Pool != "tok" && c.Pool != "avg" && c.Pool != "map":
		return fail("Pool", "is %q, want tok, avg or map", c.Pool)
	case c.Pool == "tok" && c.NoClassToken:
		return fail("Pool", "is tok, but NoClassToken is set")
	case c.Pool == "map" && (c.PoolQueries < 1 || c.PoolQueries > 1<<20):
		return fail("PoolQueries", "is %d, want 1 or more", c.PoolQueries)
	case c.Pool == "map" && (c.PoolHeads < 1 || c.EmbedDim%c.PoolHeads != 0):
		return fail("PoolHeads", "is %d, want a divisor of EmbedDim %d", c.PoolHeads, c.EmbedDim)
	case c.Pool != "map" && c.PoolQueries != 0:
		return fail("PoolQueries", "is %d, but Pool is %s", c.PoolQueries, c.Pool)
	case c.Pool != "map" && c.PoolHeads != 0:
		return fail("PoolHeads", "is %d, but Pool is %s", c.PoolHeads, c.Pool)
	}
	if _, err := nn.ParseActivation(c.Activation); err != nil {
		return fail("Activation", "is %q: %v", c.Activation, err)
	}
	return nil
}

func (c *Config) minHeads() int {
	if c.Stages != nil {
		return 0
	}
	return 1
}

// Grid returns the number of patches down and across; a ResNet's are of 32
// pixels.
func (c *Config) Grid() [2]int {
	if c.Stages != nil {
		return [2]int{c.ImageSize[0] / 32, c.ImageSize[1] / 32}
	}
	return [2]int{c.ImageSize[0] / c.PatchSize, c.ImageSize[1] / c.PatchSize}
}

// Tokens returns the length of the transformer's sequence, or of what a ResNet's
// pooling attention sees.
func (c *Config) Tokens() int {
	n := c.Grid()[0] * c.Grid()[1]
	if c.Stages != nil || !c.NoClassToken {
		n++
	}
	return n
}
