package loss

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/nn"
)

// Sigmoid is SigLIP's loss (Zhai et al., 2023): every image–text combination is
// a binary question of its own, right for the B pairs and wrong for the rest,
// summed over all and divided by B. Bias, (1), is required.
func Sigmoid(image, text, scale, bias *G.Node) (cost *G.Node, err error) {
	defer nn.Catch(&err, "loss: Sigmoid")
	return sigmoid("Sigmoid", image, text, scale, bias), nil
}

// GroupedSigmoid is [Sigmoid] with every combination within a group right. See
// [GroupedInfoNCE] for groups.
func GroupedSigmoid(groups *G.Node) Func {
	return func(image, text, scale, bias *G.Node) (cost *G.Node, err error) {
		defer nn.Catch(&err, "loss: GroupedSigmoid")
		nn.WantShape("GroupedSigmoid", "groups", groups, image.Shape()[0])
		return sigmoid("GroupedSigmoid", image, text, scale, bias, groups), nil
	}
}

func sigmoid(name string, image, text, scale, bias *G.Node, groups ...*G.Node) *G.Node {
	b, d := pairs(name, image, text, scale)
	if bias == nil {
		nn.Fail(name, "no bias: SigLIP's loss needs one")
	}
	nn.WantShape(name, "bias", bias, 1)
	c := newContrast(b, d)
	biasBack := nn.Back(func(db []float32, _ nn.Inputs, _, dy []float32) {
		var sum float64
		for _, g := range c.grad {
			sum += float64(g)
		}
		db[0] = dy[0] * float32(sum)
	})
	return nn.Apply(nn.Op{
		Name: name,
		Forward: func(y []float32, x nn.Inputs) {
			z := c.logits(x.F32(0), x.F32(1), x.F32(2)[0], x.F32(3)[0])
			positive := func(i, j int) bool { return i == j }
			if len(groups) == 1 {
				g := x.I32(4)
				positive = func(i, j int) bool { return g[i] == g[j] }
			}
			y[0] = float32(logisticLosses(c.grad, z, b, positive))
		},
		Backward: append(append(c.pullbacks(), biasBack), make([]nn.Pullback, len(groups))...),
	}, append([]*G.Node{image, text, scale, bias}, groups...)...)
}

// logisticLosses returns −Σ ln σ(±z) / B, plus for positives, and fills the
// gradient by the logits z, (σ(z) − positive) / B.
func logisticLosses(grad []float32, z []float64, b int, positive func(i, j int) bool) float64 {
	var sum float64
	for i := range b {
		for j := range b {
			v, target := z[i*b+j], 0.0
			if positive(i, j) {
				target = 1
			}
			// ln(1 + e^v) − target·v, without overflow
			e := math.Exp(-math.Abs(v))
			sum += math.Max(v, 0) + math.Log1p(e) - target*v
			sigma := 1 / (1 + e)
			if v < 0 {
				sigma = e / (1 + e)
			}
			grad[i*b+j] = float32((sigma - target) / float64(b))
		}
	}
	return sum / float64(b)
}
