package train

import (
	"context"
	"errors"
	"fmt"
	goimage "image"
	"math"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
)

// Teacher holds a teacher model's embeddings of a batch and its logit scale. E
// is the teacher's embedding size.
type Teacher struct {
	Images, Texts []float32 // (N, E) and (N × [Batch].Texts, E), normalised
	Scale         float64   // exp(logit_scale)
}

// teach embeds the pairs' images and all texts with another model: of the pairs that are held
// here.
func teach(m *encoder.Model, pairs []dataset.Pair, captions []string, held span) (*Teacher, error) {
	dim, each := embedDim(m), len(captions)/len(pairs)
	e := &Teacher{make([]float32, len(pairs)*dim), make([]float32, len(captions)*dim), math.Exp(float64(m.LogitScale().Data[0]))}
	if held.from == held.to {
		return e, nil
	}
	var imgs []goimage.Image
	for _, p := range pairs[held.from:held.to] {
		imgs = append(imgs, p.Image)
	}
	ctx := context.Background() // one batch
	images, err := m.EncodeImages(ctx, imgs...)
	if err != nil {
		return nil, fmt.Errorf("train: teacher: %w", err)
	}
	texts, err := m.EncodeTexts(ctx, captions[held.from*each:held.to*each]...)
	if err != nil {
		return nil, fmt.Errorf("train: teacher: %w", err)
	}
	copy(e.Images[held.from*dim:], images.Data)
	copy(e.Texts[held.from*each*dim:], texts.Data)
	return e, nil
}

func (b *Batch) checkTeacher(share float64) error {
	e := b.Teacher
	switch {
	case e == nil && share > 0:
		return fmt.Errorf("train: Distill is %g, but the batch has no Teacher", share)
	case e == nil:
		return nil
	case share == 0:
		return errors.New("train: the batch has a Teacher, but Distill is 0")
	case len(e.Images) == 0 || len(e.Images)%b.N != 0 || len(e.Images)*b.texts() != len(e.Texts):
		return fmt.Errorf("train: the Teacher has %d numbers for images and %d for texts, want as many, for %d pairs%s", len(e.Images), len(e.Texts), b.N, b.each())
	case !(e.Scale >= 0 && e.Scale <= math.MaxFloat32):
		return fmt.Errorf("train: the Teacher's Scale is %g, want a number of 0 or more", e.Scale)
	}
	return nil
}

// teacherDim is the size of the embeddings that a batch brings, 0 for none.
func (b *Batch) teacherDim() int {
	if b.Teacher == nil {
		return 0
	}
	return len(b.Teacher.Images) / b.N
}

// taught mixes a loss with the teacher's, where batches bring one.
func (p *pass) taught(f loss.Loss) loss.Loss {
	if p.teacherDim == 0 {
		return f
	}
	n := p.batch * p.teacherDim
	images, texts, scale := make([]float32, n), make([]float32, n*p.texts), make([]float32, 1)
	p.feed(func(b *Batch, _, _ int) error {
		copy(images, b.Teacher.Images)
		copy(texts, b.Teacher.Texts)
		scale[0] = float32(b.Teacher.Scale)
		return nil
	})
	return loss.Mix(p.objective.distill, f, loss.Teacher{
		Image: nn.Leaf(p.graph, "teacher's image", images, p.batch, p.teacherDim),
		Text:  nn.Leaf(p.graph, "teacher's text", texts, p.batch*p.texts, p.teacherDim),
		Scale: nn.Leaf(p.graph, "teacher's scale", scale, 1),
	})
}
