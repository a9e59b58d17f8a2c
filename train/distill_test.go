package train_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

// teacher is a model unlike the small one: other weights, another size of the
// embeddings, and images of another size.
func teacher(t testing.TB) *encoder.Model {
	t.Helper()
	cfg := model(t, 1).Config()
	vit(&cfg, func(c *vision.ViT) { c.EmbedDim = 24 })
	transformer(&cfg, func(c *text.Transformer) { c.EmbedDim = 24 })
	vit(&cfg, func(c *vision.ViT) { c.ImageSize = [2]int{24, 24} })
	preprocess := *cfg.Preprocess
	preprocess.Size = cfg.Vision.Dims().ImageSize
	cfg.Preprocess = &preprocess
	m, err := encoder.New(cfg, letters.Tokenizer{}, 7)
	check(t, err)
	return m
}

// TestDistillation: a student of a teacher alone comes to find the similarities
// that the teacher finds.
func TestDistillation(t *testing.T) {
	ctx, of, batch := context.Background(), teacher(t), pairs(t, 0, 12)
	cosines := func(m *encoder.Model) (all []float64) {
		for _, p := range batch {
			image, err := m.EncodeImages(ctx, p.Image)
			check(t, err)
			for _, q := range batch {
				text, err := m.EncodeTexts(ctx, q.Caption)
				check(t, err)
				var sum float64
				for i, v := range image.Data {
					sum += float64(v) * float64(text.Data[i])
				}
				all = append(all, sum*math.Exp(float64(m.LogitScale().Data[0])))
			}
		}
		return all
	}
	// agreement is the correlation of two models' similarities.
	agreement := func(a, b []float64) float64 {
		var x, y, xx, yy, xy float64
		n := float64(len(a))
		for i := range a {
			x, y, xx, yy, xy = x+a[i]/n, y+b[i]/n, xx+a[i]*a[i]/n, yy+b[i]*b[i]/n, xy+a[i]*b[i]/n
		}
		return (xy - x*y) / math.Sqrt((xx-x*x)*(yy-y*y))
	}
	student := model(t, 1)
	cfg := config(150)
	cfg.Teacher, cfg.Distill = of, 1
	tr, err := train.New(student, cfg)
	check(t, err)
	want, before := cosines(of), cosines(student)
	for range 150 {
		_, err := tr.Step(ctx, batch)
		check(t, err)
	}
	if was, is := agreement(before, want), agreement(cosines(student), want); !(was < 0.5 && is > 0.9) {
		t.Errorf("student and teacher agreed to %.3f and then to %.3f, want below 0.5 and above 0.9", was, is)
	}
}

// TestDistillIsAShare: the loss is the mixture of the two, in micro-batches too,
// and embeddings that a batch brings do what those of the teacher itself do.
func TestDistillIsAShare(t *testing.T) {
	run := func(share float64, own *encoder.Model, micro int) float64 {
		m := model(t, 1)
		cfg := config(1)
		cfg.Distill, cfg.Teacher, cfg.MicroBatch, cfg.LabelSmoothing = share, own, micro, 0.1
		tr, err := train.New(m, cfg)
		check(t, err)
		b, err := tr.Prepare(pairs(t, 0, 8))
		check(t, err)
		if own == nil && share > 0 {
			other, err := train.New(m, train.Config{LR: cfg.LR, Teacher: teacher(t)})
			check(t, err)
			with, err := other.Prepare(pairs(t, 0, 8))
			check(t, err)
			b.Teacher = with.Teacher
		}
		s, err := tr.StepBatch(context.Background(), b)
		check(t, err)
		return s.Loss
	}
	plain, taught := run(0, nil, 0), run(1, nil, 0)
	want := 0.75*plain + 0.25*taught
	for what, got := range map[string]float64{
		"embeddings from the batch": run(0.25, nil, 0), "from a teacher": run(0.25, teacher(t), 0),
		"in micro-batches": run(0.25, teacher(t), 3),
	} {
		if !(math.Abs(got-want) <= 1e-6) {
			t.Errorf("%s: the loss is %g, want %g", what, got, want)
		}
	}
	if got := run(0, teacher(t), 0); !(math.Abs(got-(plain+taught)/2) <= 1e-6) {
		t.Errorf("the share by default gives a loss of %g, want %g", got, (plain+taught)/2)
	}
}

func TestDistillRefuses(t *testing.T) {
	m := model(t, 1)
	good := train.Teacher{Images: make([]float32, 8), Texts: make([]float32, 8), Scale: 1}
	for want, c := range map[string]struct {
		share float64
		edit  func(*train.Teacher)
	}{
		"Distill is 0.5, but the batch has no Teacher":           {0.5, nil},
		"the batch has a Teacher, but Distill is 0":              {0, func(*train.Teacher) {}},
		"8 numbers for images and 7 for texts, want as many":     {1, func(e *train.Teacher) { e.Texts = e.Texts[:7] }},
		"7 numbers for images and 7 for texts, want as many":     {1, func(e *train.Teacher) { e.Texts, e.Images = e.Texts[:7], e.Images[:7] }},
		"the Teacher's Scale is NaN, want a number of 0 or more": {1, func(e *train.Teacher) { e.Scale = math.NaN() }},
	} {
		cfg := config(1)
		cfg.Distill = c.share
		tr, err := train.New(m, cfg)
		check(t, err)
		b := noise(m, 4)
		if c.edit != nil {
			e := train.Teacher{Images: slices.Clone(good.Images), Texts: slices.Clone(good.Texts), Scale: 1}
			c.edit(&e)
			b.Teacher = &e
		}
		if _, err := tr.StepBatch(context.Background(), b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s", err, want)
		}
	}
	cfg := config(1)
	cfg.Distill = 1.5
	if _, err := train.New(m, cfg); err == nil || !strings.Contains(err.Error(), "Distill is 1.5, want a share from 0 to 1") {
		t.Errorf("got error %v", err)
	}
	deaf, err := encoder.New(m.Config(), nil, 1)
	check(t, err)
	cfg = config(1)
	cfg.Teacher = deaf
	tr, err := train.New(m, cfg)
	check(t, err)
	if _, err := tr.Step(context.Background(), pairs(t, 0, 2)); err == nil || !strings.Contains(err.Error(), "train: teacher: encoder: the model has no tokenizer") {
		t.Errorf("got error %v", err)
	}
}

// vit and transformer change a tower of a configuration.
func vit(cfg *encoder.Config, change func(c *vision.ViT)) {
	c := cfg.Vision.(vision.ViT)
	change(&c)
	cfg.Vision = c
}

func transformer(cfg *encoder.Config, change func(c *text.Transformer)) {
	c := cfg.Text.(text.Transformer)
	change(&c)
	cfg.Text = c
}
