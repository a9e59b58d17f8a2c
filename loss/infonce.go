package loss

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// InfoNCE is CLIP's symmetric cross-entropy (Radford et al., 2021, figure 3): the
// mean of the cross-entropies of the right text for each image and of the right
// image for each text, among the B of the batch. Several right answers have equal
// weight, and label smoothing is spread over all B answers alike. Its value at
// scale 0 is ln B. The bias is not read. The logits of at most 256 images are in
// memory at once.
type InfoNCE struct{}

// Name is "infonce".
func (InfoNCE) Name() string { return "infonce" }

// Chance is ln B, whatever the label smoothing.
func (InfoNCE) Chance(b int, _ float64) float64 { return math.Log(float64(b)) }

// Forward implements [Loss].
func (InfoNCE) Forward(in Input) (cost *G.Node, err error) {
	defer nn.Catch(&err, "loss")
	b, d := in.pairs("InfoNCE")
	c, t := newContrast(b, d), in.Targets
	var logits *sums
	var right answers
	pull := func(x nn.Inputs) {
		scale := x.F32(2)[0]
		weigh := func(i int, grad, sim []float32) {
			logits.gradient(i, grad, sim, float64(scale))
			right.subtract(i, grad)
			if right.alone(i) {
				grad[i] = right.missed(i, logits.image[i], logits.text[i], float64(scale)*float64(sim[i]))
			}
		}
		c.pull(x.F32(0), x.F32(1), scale, func(int) weigher { return weigh })
	}
	nodes, back := t.inputs([]*G.Node{in.Image, in.Text, in.Scale}, c.pullbacks(pull)[:3])
	return nn.Apply(nn.Op{
		Name: "InfoNCE",
		Forward: func(y []float32, x nn.Inputs) {
			c.renew()
			logits, right = newSums(b), t.bothWays(t.groups(x[3:], b))
			image, text, scale := x.F32(0), x.F32(1), x.F32(2)[0]
			var hit float64 // Σ target·similarity
			for first := 0; first < b; first += c.panel {
				rows, sim := c.similarities(image, text, first)
				logits.add(first, rows, sim, scale)
				for r := range rows {
					hit += right.dot(first+r, sim[r*b:][:b])
				}
			}
			y[0] = float32((total(logits.image) + total(logits.text) - float64(scale)*hit) / float64(2*b))
		},
		Backward: back,
	}, nodes...), nil
}

// gradient sets grad to (softmax over image i's texts + softmax over each text's images)/2B.
func (s *sums) gradient(i int, grad, sim []float32, scale float64) {
	b := len(s.text)
	half := 1 / float32(2*b)
	var own, others [piece]float32
	for from := 0; from < b; from += piece {
		n := exps(own[:], sim[from:], scale, s.image[i])
		expsOf(others[:n], sim[from:], scale, s.text[from:])
		for j, e := range others[:n] {
			grad[from+j] = (own[j] + e) * half
		}
	}
}

// answers is the target of an image's choice among B texts plus that of each text's choice
// among B images, divided by 2B: everywhere an equal share, and more for the right ones.
type answers struct {
	share   float64
	members [][]int32 // the pairs of each pair's group
	weight  []float64 // of a member of the pair's group
}

// bothWays returns the targets of the two directions together.
func (t Targets) bothWays(group []int32) answers {
	b := float64(len(group))
	a := answers{share: t.Smoothing / b / b, members: members(group), weight: make([]float64, len(group))}
	for i := range group {
		a.weight[i] = (1 - t.Smoothing) / float64(len(a.members[i])) / b
	}
	return a
}

// subtract takes the targets of image i from grad.
func (a answers) subtract(i int, grad []float32) {
	if a.share != 0 {
		for j := range grad {
			grad[j] -= float32(a.share)
		}
	}
	for _, j := range a.members[i] {
		grad[j] -= float32(a.weight[i])
	}
}

// alone says that image i has one right text.
func (a answers) alone(i int) bool { return len(a.members[i]) == 1 }

// missed is the gradient by the logit z of a pair alone, in float64: where the model is
// sure, the softmaxes are nearly the target.
func (a answers) missed(i int, image, text, z float64) float32 {
	b := float64(len(a.members))
	return float32((math.Expm1(z-image)+math.Expm1(z-text))/(2*b) + (1/b - a.weight[i]) - a.share)
}

// dot is 2B·Σ target·x for image i.
func (a answers) dot(i int, x []float32) float64 {
	var s float64
	for _, j := range a.members[i] {
		s += float64(x[j])
	}
	s *= a.weight[i]
	if a.share != 0 {
		s += a.share * sum(x)
	}
	return float64(2*len(x)) * s
}
