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
// scale 0 is ln B. The bias is not read.
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
	nodes, back := t.inputs([]*G.Node{in.Image, in.Text, in.Scale}, c.pullbacks())
	return nn.Apply(nn.Op{
		Name: "InfoNCE",
		Forward: func(y []float32, x nn.Inputs) {
			z := c.logits(x.F32(0), x.F32(1), x.F32(2)[0], 0)
			y[0] = float32(crossEntropies(c.grad, z, b, t.both(t.groups(x[3:], b))))
		},
		Backward: back,
	}, nodes...), nil
}

// both returns the targets of the two directions, one for the image's choice and
// one for the text's, together: the uniform distribution over each pair's group,
// mixed with that over all.
func (t Targets) both(group []int32) func(i, j int) float64 {
	members := make(map[int32]float64)
	for _, g := range group {
		members[g]++
	}
	return func(i, j int) float64 {
		target := t.Smoothing / float64(len(group))
		if group[i] == group[j] {
			target += (1 - t.Smoothing) / members[group[i]]
		}
		return 2 * target
	}
}

// crossEntropies returns the mean of the two directions' cross-entropies, over
// the rows and the columns of the logits z, (b, b), and fills the gradient by z,
//
//	(softmax over the row + softmax over the column − target) / 2B
//
// where target is the sum of the two directions' targets.
func crossEntropies(grad []float32, z []float64, b int, target func(i, j int) float64) float64 {
	rows, cols := logSumExp(z, b, b, 1), logSumExp(z, b, 1, b)
	var sum float64
	for i := range b {
		sum += rows[i] + cols[i]
		for j, zij := range z[i*b:][:b] {
			both := target(i, j)
			sum -= both * zij
			grad[i*b+j] = float32((math.Exp(zij-rows[i]) + math.Exp(zij-cols[j]) - both) / float64(2*b))
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
