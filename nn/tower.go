package nn

import (
	"fmt"
	"slices"
	"strings"
)

// Layered is a tower that knows the depth of its parameters, for learning rates
// that fall with it. Of a tower that is not, all parameters have depth 0.
type Layered interface {
	// Depth is how many layers lie between a parameter and the features: 0 for what
	// follows the last block, 1 for that block, and one more than there are blocks
	// for what precedes the first.
	Depth(param string) int
}

// Coster is a configuration that can count the operations of its tower.
type Coster interface {
	// MultiplyAdds counts the multiplications, each with its addition, of one
	// sample's forward pass: those of matrix products, attention's scores included,
	// over all tokens.
	MultiplyAdds() float64
}

// Depth is what [Layered] asks for, of a parameter whose name has the number of its
// block after the prefix blocks, such as "transformer.resblocks.", or begins with
// one of inputs, which stand before all blocks.
func Depth(param, blocks string, layers int, inputs ...string) int {
	var i int
	if rest, ok := strings.CutPrefix(param, blocks); ok {
		if n, _ := fmt.Sscanf(rest, "%d.", &i); n == 1 {
			return layers - i
		}
	}
	if slices.ContainsFunc(inputs, func(prefix string) bool { return strings.HasPrefix(param, prefix) }) {
		return layers + 1
	}
	return 0
}
