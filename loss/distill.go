package loss

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
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
	var choices, taught *sums
	pull := func(x nn.Inputs) {
		scale, own := float64(x.F32(2)[0]), float64(x.F32(5)[0])
		student.pull(x.F32(0), x.F32(1), float32(scale), func(first int) weigher {
			_, known := teacher.similarities(x.F32(3), x.F32(4), first)
			return func(i int, grad, sim []float32) {
				target := make([]float32, b)
				taught.gradient(i, target, known[(i-first)*b:][:b], own)
				choices.gradient(i, grad, sim, scale)
				for j, p := range target {
					grad[j] -= p
				}
			}
		})
	}
	return nn.Apply(nn.Op{
		Name: "Distill",
		Forward: func(y []float32, x nn.Inputs) {
			student.renew()
			teacher.renew()
			choices, taught = newSums(b), newSums(b)
			scale, own := x.F32(2)[0], x.F32(5)[0]
			for first := 0; first < b; first += teacher.panel {
				rows, known := teacher.similarities(x.F32(3), x.F32(4), first)
				taught.add(first, rows, known, own)
			}
			hits := make([]float64, b) // Σ target·similarity of an image
			for first := 0; first < b; first += student.panel {
				rows, sim := student.similarities(x.F32(0), x.F32(1), first)
				choices.add(first, rows, sim, scale)
				_, known := teacher.similarities(x.F32(3), x.F32(4), first)
				parallel.For(rows, func(r int) {
					target := make([]float32, b)
					taught.gradient(first+r, target, known[r*b:][:b], float64(own))
					hits[first+r] = float64(kernel.Dot(target, sim[r*b:][:b]))
				})
			}
			y[0] = float32((total(choices.image)+total(choices.text))/float64(2*b) - float64(scale)*total(hits))
		},
		Backward: append(student.pullbacks(pull)[:3], nn.Pullback{}, nn.Pullback{}, nn.Pullback{}),
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
