package loss

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/nn"
)

// InfoNCE is CLIP's symmetric cross-entropy (Radford et al., 2021, figure 3): the
// mean of choosing the right text for each image and the right image for each
// text among the B of the batch. Its value at scale 0 is ln B. Bias is not used.
func InfoNCE(image, text, scale, _ *G.Node) (cost *G.Node, err error) {
	defer nn.Catch(&err, "loss: InfoNCE")
	return infoNCE("InfoNCE", image, text, scale), nil
}

// GroupedInfoNCE is [InfoNCE] for batches in which several pairs share a caption
// or class. Groups, (B) int32, names each pair's; all pairs of one group count as
// right answers for each other, with equal weight. Where every group has one
// member it is InfoNCE.
func GroupedInfoNCE(groups *G.Node) Func {
	return func(image, text, scale, _ *G.Node) (cost *G.Node, err error) {
		defer nn.Catch(&err, "loss: GroupedInfoNCE")
		nn.WantShape("GroupedInfoNCE", "groups", groups, image.Shape()[0])
		return infoNCE("GroupedInfoNCE", image, text, scale, groups), nil
	}
}

func infoNCE(name string, image, text, scale *G.Node, groups ...*G.Node) *G.Node {
	b, d := pairs(name, image, text, scale)
	c := newContrast(b, d)
	return nn.Apply(nn.Op{
		Name: name,
		Forward: func(y []float32, x nn.Inputs) {
			group := make([]int32, b)
			if len(groups) == 1 {
				copy(group, x.I32(3))
			} else {
				for i := range group {
					group[i] = int32(i)
				}
			}
			z := c.logits(x.F32(0), x.F32(1), x.F32(2)[0], 0)
			y[0] = float32(crossEntropies(c.grad, z, group))
		},
		Backward: append(c.pullbacks(), make([]nn.Pullback, len(groups))...),
	}, append([]*G.Node{image, text, scale}, groups...)...)
}

// crossEntropies returns the mean of the two directions' cross-entropies against
// the uniform distribution over each pair's group, and fills
// the gradient by the logits z,
//
//	(softmax over the row + softmax over the column − 2·target) / 2B
func crossEntropies(grad []float32, z []float64, group []int32) float64 {
	b := len(group)
	members := make(map[int32]float64)
	for _, g := range group {
		members[g]++
	}
	rows, cols := logSumExp(z, b, b, 1), logSumExp(z, b, 1, b)
	var sum float64
	for i := range b {
		row := z[i*b:][:b]
		sum += rows[i] + cols[i]
		for j, zij := range row {
			target := 0.0
			if group[i] == group[j] {
				target = 1 / members[group[i]]
				sum -= 2 * target * zij
			}
			grad[i*b+j] = float32((math.Exp(zij-rows[i]) + math.Exp(zij-cols[j]) - 2*target) / float64(2*b))
		}
	}
	return sum / float64(2*b)
}

// logSumExp returns ln Σ_j exp(z[i·outer + j·inner]) for i below n.
func logSumExp(z []float64, n, outer, inner int) []float64 {
	out := make([]float64, n)
	for i := range out {
		top := math.Inf(-1)
		for j := range n {
			top = math.Max(top, z[i*outer+j*inner])
		}
		var sum float64
		for j := range n {
			sum += math.Exp(z[i*outer+j*inner] - top)
		}
		out[i] = top + math.Log(sum)
	}
	return out
}
