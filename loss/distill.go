package loss

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Teacher is what another model makes of a batch, for a student to imitate.
type Teacher struct {
	Image, Text *G.Node // embeddings, (B, E); E is the teacher's own
	Scale       *G.Node // (1)
}

// Distill is of type [Func]: the cross-entropy of the student's distribution over
// the texts for each image, and over the images for each text, against the
// teacher's, the mean of all (Hinton et al., 2015; as open_clip's DistillClipLoss).
// It compares how similar the pairs are, so the two may differ in the size of
// their embeddings. Its value at scale 0 is ln B, at best the teacher's entropy.
// Bias is not used, and no gradient flows to the teacher.
func (t Teacher) Distill(image, text, scale, _ *G.Node) (cost *G.Node, err error) {
	defer nn.Catch(&err, "loss: Distill")
	b, d := pairs("Distill", image, text, scale)
	_, e := pairs("Distill: teacher", t.Image, t.Text, t.Scale)
	nn.WantShape("Distill", "teacher's image embeddings", t.Image, b, e)
	student, teacher := newContrast(b, d), newContrast(b, e)
	return nn.Apply(nn.Op{
		Name: "Distill",
		Forward: func(y []float32, x nn.Inputs) {
			z := teacher.logits(x.F32(3), x.F32(4), x.F32(5)[0], 0)
			rows, cols := logSumExp(z, b, b, 1), logSumExp(z, b, 1, b)
			target := func(i, j int) float64 {
				return math.Exp(z[i*b+j]-rows[i]) + math.Exp(z[i*b+j]-cols[j])
			}
			y[0] = float32(crossEntropies(student.grad, student.logits(x.F32(0), x.F32(1), x.F32(2)[0], 0), b, target))
		},
		Backward: append(student.pullbacks(), nn.Pullback{}, nn.Pullback{}, nn.Pullback{}),
	}, image, text, scale, t.Image, t.Text, t.Scale), nil
}

// Mix is (1 − share)·a + share·b.
func Mix(share float64, a, b Func) Func {
	return func(image, text, scale, bias *G.Node) (cost *G.Node, err error) {
		defer nn.Catch(&err, "loss: Mix")
		x, err := a(image, text, scale, bias)
		if err != nil {
			return nil, err
		}
		y, err := b(image, text, scale, bias)
		if err != nil {
			return nil, err
		}
		times := func(f float64) nn.Pullback {
			return nn.Back(func(dx []float32, _ nn.Inputs, _, dy []float32) { dx[0] = float32(f * float64(dy[0])) })
		}
		return nn.Apply(nn.Op{
			Name: "Mix",
			Forward: func(y []float32, x nn.Inputs) {
				y[0] = float32((1-share)*float64(x.F32(0)[0]) + share*float64(x.F32(1)[0]))
			},
			Backward: []nn.Pullback{times(1 - share), times(share)},
		}, x, y), nil
	}
}
