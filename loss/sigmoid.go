package loss

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/nn"
)

// Sigmoid is SigLIP's loss (Zhai et al., 2023): every image–text combination is a
// binary classification of its own, positive for the B pairs and negative for the
// rest; the losses are summed over all and divided by B. Every combination within
// a group is positive, and label smoothing is spread over both classes alike.
// Input.Bias is required. No more than 16 MB of logits, or those of 256 images, are in memory at once.
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
	nodes, back := t.inputs([]*G.Node{in.Image, in.Text, in.Scale, in.Bias}, c.pullbacks(nil))
	return nn.Apply(nn.Op{
		Name: "Sigmoid",
		Forward: func(y []float32, x nn.Inputs) {
			c.renew()
			l := logistic{scale: float64(x.F32(2)[0]), bias: float64(x.F32(3)[0]), smoothing: t.Smoothing, members: members(t.groups(x[4:], b))}
			losses := make([]float64, b)
			weigh := func(i int, grad, sim []float32) { losses[i] = l.row(i, grad, sim) }
			c.pull(x.F32(0), x.F32(1), x.F32(2)[0], func(int) weigher { return weigh })
			y[0] = float32(total(losses) / float64(b))
		},
		Backward: back,
	}, nodes...), nil
}

// logistic is −ln σ(±v) for logits v = scale·similarity + bias, plus for what is right, mixed
// with both in equal parts.
type logistic struct {
	scale, bias, smoothing float64
	members                [][]int32
}

// row returns Σ of the losses of image i with all texts, ln(1 + eᵛ) − target·v, and sets
// grad to their gradients by v, (σ(v) − target)/B.
func (l logistic) row(i int, grad, sim []float32) float64 {
	b := len(sim)
	target := l.smoothing / 2 // of what is wrong
	var loss float64
	var v, e [piece]float32
	for from := 0; from < b; from += piece {
		n := min(piece, b-from)
		for j, s := range sim[from:][:n] {
			z := l.scale*float64(s) + l.bias
			v[j] = float32(z)
			e[j] = float32(-math.Abs(z))
		}
		kernel.Exp(e[:n], e[:n])
		loss += logisticLosses(grad[from:][:n], v[:n], e[:n], target)
	}
	inverse := float32(1 / float64(b))
	for _, j := range l.members[i] {
		loss -= (1 - l.smoothing) * (l.scale*float64(sim[j]) + l.bias)
		grad[j] -= float32(1 - l.smoothing)
	}
	for j := range grad {
		grad[j] *= inverse
	}
	return loss
}

// logisticLosses returns Σ ln(1 + eᵛ) − target·v, where e is exp(−|v|), and sets grad to
// σ(v) − target. The logarithms of 1 + e are that of a product, where e is large enough to
// be seen beside 1, and a series elsewhere.
func logisticLosses(grad, v, e []float32, target float64) float64 {
	const small = 1. / 128
	var loss float64
	product := 1.0
	for j, x := range v {
		e := float64(e[j])
		if e < small {
			loss += e * (1 - e*(1./2-e*(1./3-e/4)))
		} else if product *= 1 + e; product > 1e300 {
			loss += math.Log(product)
			product = 1
		}
		sigma := float32(1 / (1 + e))
		if x < 0 {
			sigma = float32(e / (1 + e))
		} else {
			loss += float64(x)
		}
		loss -= target * float64(x)
		grad[j] = sigma - float32(target)
	}
	return loss + math.Log(product)
}
