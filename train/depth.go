package train

import (
	"math"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
)

// depth is how many layers lie between a parameter and the features, as its tower
// says; 0 for what belongs to none, or to one that does not know.
func depth(m *encoder.Model, name string) int {
	var tower any = m.Text()
	if strings.HasPrefix(name, "visual.") {
		tower = m.Vision()
	}
	if l, ok := tower.(nn.Layered); ok {
		return l.Depth(name)
	}
	return 0
}

// slowed gives the weights their part of the learning rate: 1 at the features, and less
// by the factor decay for every layer below.
func (ws weights) slowed(m *encoder.Model, decay float64) {
	for _, w := range ws {
		w.depth = depth(m, w.param.Name)
		w.rate = math.Pow(decay, float64(w.depth))
	}
}
