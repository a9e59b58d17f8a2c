package train

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
)

// depth is how many layers lie between a parameter and the features: 0 for what
// follows the last block, 1 for that block, and one more than there are blocks
// for what precedes the first. A ResNet's stages count as blocks.
func depth(m *encoder.Model, name string) int {
	cfg := m.Config()
	layers := cfg.Text.Layers
	rest, visual := strings.CutPrefix(name, "visual.")
	if visual {
		layers = max(cfg.Vision.Layers, len(cfg.Vision.Stages))
	}
	var i int
	if n, _ := fmt.Sscanf(rest, "transformer.resblocks.%d.", &i); n == 1 {
		return layers - i
	}
	if n, _ := fmt.Sscanf(rest, "layer%d.", &i); n == 1 {
		return layers - i + 1
	}
	inputs := []string{"token_embedding.", "positional_embedding", "class_embedding", "conv", "bn", "ln_pre."}
	if slices.ContainsFunc(inputs, func(prefix string) bool { return strings.HasPrefix(rest, prefix) }) {
		return layers + 1
	}
	return 0
}
