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
// a group is positive, with the probability of [Targets].Shares, and label smoothing is
// spread over both classes alike. Input.Bias is required. No more than 8 MB of logits, or
// those of 256 images, are in memory at once.
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

// Forward implements [Loss]. The gradients are computed with the value, whose similarities
// they need.
func (Sigmoid) Forward(in Input) (cost *G.Node, err error) {
	defer nn.Catch(&err, "loss")
	b, n, d := in.sizes("Sigmoid")
	if in.Bias == nil {
		nn.Fail("Sigmoid", "the model has no logit bias, which SigLIP's loss needs")
	}
	nn.WantShape("Sigmoid", "bias", in.Bias, 1)
	c, t := newContrast(b, n, d), in.Targets
	c.divide(in.Share)
	nodes, back := t.inputs([]*G.Node{in.Image, in.Text, in.Scale, in.Bias}, c.pullbacks(nil))
	return nn.Apply(nn.Op{
		Name: "Sigmoid",
		Forward: func(y []float32, x nn.Inputs) {
			right, scale, bias := t.resolve(x[4:], b, n), x.F32(2)[0], x.F32(3)[0]
			c.begin(x.F32(0), x.F32(1), scale, right.places(func(int) bool { return true }))
			losses := make([]float64, b)
			weigh := func(part *contrast) weigher {
				return func(i int, sim []float32) (dScale, dBias float64) {
					loss, dScale, dBias := part.logistic(i, sim, bias, right)
					if part == c.mine[0] {
						losses[part.row+i] = loss
					}
					return dScale, dBias
				}
			}
			if c.share != nil {
				c.sharedPull(float64(scale), 1/float64(b), weigh)
				c.share.gather(c.share.Images, losses)
			} else {
				c.pull(float64(scale), 1/float64(b), func(int) weigher { return weigh(c) })
			}
			y[0] = float32(total(losses) / float64(b))
		},
		Backward: back,
	}, nodes...), nil
}

// logistic returns Σ of the losses of image i with all texts, ln(1 + eᵛ) − target·v for
// v = scale·similarity + bias, and puts in the similarities' place their gradients by v,
// σ(v) − target. What is right is apart, in float64.
func (c *contrast) logistic(i int, sim []float32, bias float32, right *right) (loss, dScale, dBias float64) {
	texts, sims := c.apart.of(i)
	wrong := right.smoothing / 2 // target of what is wrong
	if wrong > 0 {
		var sum float64
		for _, s := range sim {
			if s != aside {
				sum += float64(s)
			}
		}
		others := float64(len(sim) - len(texts))
		loss, dScale, dBias = -wrong*(float64(c.scale)*sum+float64(bias)*others), -wrong*sum, -wrong*others
	}
	l, s, dot := kernel.Logistic(sim, sim, c.scale, bias)
	loss, dScale, dBias = loss+l, dScale+dot, dBias+s
	if wrong > 0 {
		for j := range sim {
			sim[j] -= float32(wrong)
		}
	}
	for k, j := range texts {
		v := float64(c.scale)*sims[k] + float64(bias)
		target := (1-right.smoothing)*right.share[c.column+int(j)] + wrong
		g := (1-target)*sigmoid(v) - target*sigmoid(-v)
		loss += target*softplus(-v) + (1-target)*softplus(v)
		dScale, dBias = dScale+g*sims[k], dBias+g
		sim[j] = float32(g)
	}
	return loss, dScale, dBias
}
