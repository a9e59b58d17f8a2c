package loss

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Sigmoid is SigLIP's loss (Zhai et al., 2023): every image–text combination is a
// binary classification of its own, positive for the B pairs and negative for the
// rest; the losses are summed over all and divided by B. Every combination within
// a group is positive, and label smoothing is spread over both classes alike.
// Input.Bias is required.
type Sigmoid struct{}

// Name is "sigmoid".
func (Sigmoid) Name() string { return "sigmoid" }

// Chance is the loss of predicting the prior for every combination: the mean
// target where no two pairs share a group.
func (Sigmoid) Chance(b int, smoothing float64) float64 {
	n := float64(b)
	p := (1-smoothing)/n + smoothing/2
	return -n * (p*math.Log(p) + (1-p)*math.Log(1-p))
}

// Forward implements [Loss].
func (Sigmoid) Forward(in Input) (cost *G.Node, err error) {
	defer nn.Catch(&err, "loss")
	b, d := in.pairs("Sigmoid")
	if in.Bias == nil {
		nn.Fail("Sigmoid", "the model has no logit bias, which SigLIP's loss needs")
	}
	nn.WantShape("Sigmoid", "bias", in.Bias, 1)
	c, t := newContrast(b, d), in.Targets
	biasBack := nn.Back(func(db []float32, _ nn.Inputs, _, dy []float32) {
		var sum float64
		for _, g := range c.grad {
			sum += float64(g)
		}
		db[0] = dy[0] * float32(sum)
	})
	nodes, back := t.inputs([]*G.Node{in.Image, in.Text, in.Scale, in.Bias}, append(c.pullbacks(), biasBack))
	return nn.Apply(nn.Op{
		Name: "Sigmoid",
		Forward: func(y []float32, x nn.Inputs) {
			z := c.logits(x.F32(0), x.F32(1), x.F32(2)[0], x.F32(3)[0])
			y[0] = float32(logisticLosses(c.grad, z, t.groups(x[4:], b), t.Smoothing))
		},
		Backward: back,
	}, nodes...), nil
}

// logisticLosses returns −Σ ln σ(±z) / B, plus for what is right, mixed with both
// in equal parts, and fills the gradient by the logits z, (σ(z) − target) / B.
func logisticLosses(grad []float32, z []float64, group []int32, smoothing float64) float64 {
	var sum float64
	b := len(group)
	for i := range b {
		for j := range b {
			v, target := z[i*b+j], smoothing/2
			if group[i] == group[j] {
				target += 1 - smoothing
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
