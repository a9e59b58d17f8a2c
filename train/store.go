package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/sweep"
)

// Store computes a teacher's embeddings of all images of a set as they are, without
// augmentation, of all their captions, or prompts where they have none, and of more texts,
// such as hard negatives. What cannot be used is left out, and skipped says why.
func Store(ctx context.Context, teacher *encoder.Model, src dataset.Source, more ...string) (s *Stored, skipped []error, err error) {
	if err := sweep.Ready(teacher, src); err != nil {
		return nil, nil, fmt.Errorf("train: storing a teacher's embeddings: %w", err)
	}
	if teacher.Text() == nil || teacher.LogitScale() == nil {
		return nil, nil, errors.New("train: storing a teacher's embeddings: the model has no text tower")
	}
	s = &Stored{
		Images: map[string][]float32{}, Texts: map[string][]float32{},
		Scale: math.Exp(float64(teacher.LogitScale().Data[0])), Teacher: teacher.Fingerprint(),
	}
	var texts []string
	add := func(list []string) {
		for _, t := range list {
			if _, known := s.Texts[t]; !known {
				s.Texts[t], texts = nil, append(texts, t)
			}
		}
	}
	add(more)
	err = sweep.Each(ctx, teacher, src, &skipped, func(sample dataset.Sample, _ dataset.Pair, e *encoder.Embeddings) {
		s.Images[sample.Key] = e.Row(0)
		add(sample.Words())
	})
	if err != nil {
		return nil, nil, fmt.Errorf("train: storing a teacher's embeddings: %w", err)
	}
	e, err := teacher.EncodeTexts(ctx, texts...)
	if err != nil {
		return nil, nil, fmt.Errorf("train: storing a teacher's embeddings: %w", err)
	}
	for i, t := range texts {
		s.Texts[t] = e.Row(i)
	}
	return s, skipped, nil
}
