package loss

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Targets says which combinations of a batch are right answers, and with what
// probability. The zero value is CLIP's: each image's own text and each text's
// own image, without label smoothing.
type Targets struct {
	// Groups, (B) int32, where not nil, is for batches in which several pairs share
	// a caption or class: it holds the group number of each pair, and all pairs of
	// one group are right answers for each other. A pair alone in its group is an
	// ordinary pair.
	Groups *G.Node
	// Smoothing, from 0 to below 1, is label smoothing: the probability spread
	// evenly over all answers (Szegedy et al., 2016), as PyTorch's label_smoothing.
	Smoothing float64
}

func (t Targets) check(name string, b int) {
	if t.Groups != nil {
		nn.WantShape(name, "groups", t.Groups, b)
	}
	if !(t.Smoothing >= 0 && t.Smoothing < 1) {
		nn.Fail(name, "label smoothing is %g, want 0 to below 1", t.Smoothing)
	}
}

// inputs appends the groups, where there are any, to an op's inputs and
// pullbacks.
func (t Targets) inputs(in []*G.Node, back []nn.Pullback) ([]*G.Node, []nn.Pullback) {
	if t.Groups == nil {
		return in, back
	}
	return append(in, t.Groups), append(back, nn.Pullback{})
}

// groups reads them from the inputs that were appended; without any, each pair
// is a group of its own.
func (t Targets) groups(appended nn.Inputs, b int) []int32 {
	if t.Groups != nil {
		return appended.I32(0)
	}
	own := make([]int32, b)
	for i := range own {
		own[i] = int32(i)
	}
	return own
}

// members returns, for each pair, the pairs of its group.
func members(group []int32) [][]int32 {
	of := make(map[int32][]int32, len(group))
	for i, g := range group {
		of[g] = append(of[g], int32(i))
	}
	out := make([][]int32, len(group))
	for i, g := range group {
		out[i] = of[g]
	}
	return out
}
