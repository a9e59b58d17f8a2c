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
// over the N texts for each image, and over the images for each text, against the
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
	b, n, d := in.sizes("Teacher")
	nn.WantShape("Teacher", "its own image embeddings", t.Image, -1, -1)
	e := t.Image.Shape()[1]
	nn.WantShape("Teacher", "its own image embeddings", t.Image, b, e)
	nn.WantShape("Teacher", "its own text embeddings", t.Text, n, e)
	nn.WantShape("Teacher", "its own scale", t.Scale, 1)
	f := taught{student: choices{contrast: newContrast(b, n, d)}, teacher: choices{contrast: newContrast(b, n, e)}}
	f.student.right, f.teacher.right = everyone(b, n), everyone(b, n)
	back := f.student.pullbacks(func(x nn.Inputs) { f.backward(float64(x.F32(2)[0])) })
	return nn.Apply(nn.Op{
		Name: "Distill",
		Forward: func(y []float32, x nn.Inputs) {
			f.student.begin(x.F32(0), x.F32(1), x.F32(2)[0], places{})
			f.teacher.begin(x.F32(3), x.F32(4), x.F32(5)[0], places{})
			y[0] = float32(f.value())
		},
		Backward: append(back[:3], nn.Pullback{}, nn.Pullback{}, nn.Pullback{}),
	}, in.Image, in.Text, in.Scale, t.Image, t.Text, t.Scale), nil
}

// taught is a student whose targets are its teacher's choices.
type taught struct{ student, teacher choices }

// everyone asks, all alike.
func everyone(b, n int) *right {
	r := &right{b: b, n: n, group: make([]int32, b), of: make([]int32, n), share: make([]float64, n), groups: []members{{shares: 1}}, shares: float64(n)}
	for j := range r.share {
		r.share[j] = 1
	}
	return r
}

// targets sets target, in units of 1/2B, to the teacher's of image i.
func (f *taught) targets(i int, target, known []float32) {
	t := &f.teacher
	hi, lo := t.reference(t.sums.image[i], 1)
	kernel.Chosen(target, known, t.his, t.los, t.scale, hi, lo)
}

// value is the loss.
func (f *taught) value() float64 {
	s, t := &f.student, &f.teacher
	t.sums = t.contrast.sums(nil)
	t.refer()
	hits := make([]float64, s.b) // 2B·Σ target·similarity of an image
	s.sums = s.contrast.sums(func(first, _ int, _ []float32) {
		// The teacher's panels may be of other sizes only where embeddings are: they depend on N.
		rows, known := t.similarities(first)
		_, sim := s.similarities(first)
		parallel.For(rows, func(r int) {
			target := make([]float32, s.n)
			f.targets(first+r, target, known[r*s.n:][:s.n])
			hits[first+r] = float64(kernel.Dot(target, sim[r*s.n:][:s.n]))
		})
	})
	return total(s.sums.image)/float64(2*s.b) + total(s.sums.text)/float64(2*s.n) - float64(s.scale)*total(hits)/float64(2*s.b)
}

// backward sets the student's gradients.
func (f *taught) backward(scale float64) {
	s, t := &f.student, &f.teacher
	s.refer()
	s.pull(scale, 1/float64(2*s.b), func(first int) weigher {
		_, known := t.similarities(first)
		return func(i int, sim []float32) (dScale, _ float64) {
			target := make([]float32, s.n)
			f.targets(i, target, known[(i-first)*s.n:][:s.n])
			dScale = -float64(kernel.Dot(target, sim))
			hi, lo := s.reference(s.sums.image[i], 1)
			dScale += kernel.Chosen(sim, sim, s.his, s.los, s.scale, hi, lo)
			kernel.Axpy(sim, -1, target)
			return dScale, 0
		}
	})
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
