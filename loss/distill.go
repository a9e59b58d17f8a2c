package loss

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// Teacher is a distillation loss: the cross-entropy of the student's distribution
// over the texts for each image, and over the images for each text, against the
// teacher's, the mean of all (Hinton et al., 2015; as open_clip's DistillClipLoss).
// Only similarities are compared, so teacher and student may differ in embedding
// size. Its value at scale 0 is ln B, its minimum the teacher's entropy. Targets and
// bias are not read, and no gradient flows to the teacher.
type Teacher struct {
	Image, Text *G.Node // embeddings, (B, E); E is the teacher's own
	Scale       *G.Node // (1)
}

// Name is "teacher".
func (Teacher) Name() string { return "teacher" }

// Chance is ln B.
func (Teacher) Chance(b int, _ float64) float64 { return math.Log(float64(b)) }

// Forward implements [Loss].
func (t Teacher) Forward(in Input) (cost *G.Node, err error) {
	defer nn.Catch(&err, "loss")
	b, d := in.pairs("Teacher")
	_, e := Input{Image: t.Image, Text: t.Text, Scale: t.Scale}.pairs("Teacher: its own")
	nn.WantShape("Teacher", "its own image embeddings", t.Image, b, e)
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
	}, in.Image, in.Text, in.Scale, t.Image, t.Text, t.Scale), nil
}

// Mix is (1 − share)·a + share·b. Forward refuses one of which a or b is nil.
func Mix(share float64, a, b Loss) Loss { return mix{share, a, b} }

type mix struct {
	share float64
	a, b  Loss
}

func (m mix) Name() string {
	name := func(l Loss) string {
		if l == nil {
			return "nil"
		}
		return l.Name()
	}
	return fmt.Sprintf("%g %s + %g %s", 1-m.share, name(m.a), m.share, name(m.b))
}

// Chance is 0, which is nobody's, where it is not known of both.
func (m mix) Chance(b int, smoothing float64) float64 {
	x, known := m.a.(Chancer)
	y, both := m.b.(Chancer)
	if !known || !both {
		return 0
	}
	p, q := x.Chance(b, smoothing), y.Chance(b, smoothing)
	if p == q {
		return p
	}
	return (1-m.share)*p + m.share*q
}

func (m mix) Forward(in Input) (cost *G.Node, err error) {
	defer nn.Catch(&err, "loss")
	if m.a == nil || m.b == nil {
		nn.Fail("Mix", "a loss is nil")
	}
	x, err := m.a.Forward(in)
	if err != nil {
		return nil, err
	}
	y, err := m.b.Forward(in)
	if err != nil {
		return nil, err
	}
	times := func(f float64) nn.Pullback {
		return nn.Back(func(dx []float32, _ nn.Inputs, _, dy []float32) { dx[0] = float32(f * float64(dy[0])) })
	}
	return nn.Apply(nn.Op{
		Name: "Mix",
		Forward: func(y []float32, x nn.Inputs) {
			y[0] = float32((1-m.share)*float64(x.F32(0)[0]) + m.share*float64(x.F32(1)[0]))
		},
		Backward: []nn.Pullback{times(1 - m.share), times(m.share)},
	}, x, y), nil
}
