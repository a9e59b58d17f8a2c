package train_test

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/train"
)

// TestDiagnosis provokes everything that there is a warning for by training so,
// and wants that warning and once only.
func TestDiagnosis(t *testing.T) {
	type batch = []dataset.Pair
	for _, c := range []struct {
		name   string
		change func(*train.Config)
		batch  func(step int, b batch)
		want   string
		also   []string // what comes with it
	}{
		{name: "well"},
		{
			name: "chance", want: "the loss is at chance: ",
			change: func(c *train.Config) { c.LR = train.Constant(1e-9, 5) },
			also:   []string{"the image embeddings have collapsed", "the text embeddings have collapsed"}, // as they began
		},
		{
			name: "limit", want: "exp(logit_scale) has been at its limit, 14.5, for 20 steps",
			change: func(c *train.Config) { c.MaxLogitScale = 14.5 },
		},
		{
			name: "collapse", want: "the image embeddings have collapsed: two embeddings of a batch have a mean cosine of 1.000",
			batch: func(_ int, b batch) {
				for i := range b {
					b[i].Image = b[0].Image
				}
			},
			also: []string{"the loss is at chance", "the text embeddings have collapsed", "pairs have the image or the caption of another"},
		},
		{
			name: "explosion", want: "the gradient norm has exploded: ",
			batch: func(step int, b batch) {
				if step == 99 { // suddenly each has the caption of the next
					first := b[0].Caption
					for i := range 7 {
						b[i].Caption = b[i+1].Caption
					}
					b[7].Caption = first
				}
			},
		},
		{
			name: "repeated captions", want: "20 of the last 160 pairs have the image or the caption of another",
			change: func(c *train.Config) { c.Groups = train.GroupNone },
			batch:  func(_ int, b batch) { b[1].Caption = b[0].Caption },
		},
		{
			name: "one caption", want: "all 8 pairs of each of the last 3 batches have the same right answer",
			batch: func(_ int, b batch) {
				for i := range b {
					b[i].Caption = b[0].Caption
				}
			},
			also: []string{"the text embeddings have collapsed", "the loss is at chance", "the image embeddings have collapsed"},
		},
		{
			name: "repeated images", want: "20 of the last 160 pairs have the image or the caption of another",
			batch: func(_ int, b batch) {
				copied := *b[2].Image.(*image.RGBA)
				b[5].Image = &copied
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := train.Config{LR: train.Constant(2e-3, 5), ClipNorm: 1}
			if c.change != nil {
				c.change(&cfg)
			}
			tr, err := train.New(model(t, 1), cfg)
			check(t, err)
			d := train.Diagnosis{Window: 20}
			var said []string
			for step := range 100 {
				b := pairs(t, 0, 8)
				if c.batch != nil {
					c.batch(step, b)
				}
				s, err := tr.Step(context.Background(), b)
				check(t, err)
				said = append(said, d.Look(s)...)
			}
			found := 0
			for _, text := range said {
				if c.want != "" && strings.Contains(text, c.want) {
					found++
				} else if !slices.ContainsFunc(c.also, func(also string) bool { return strings.Contains(text, also) }) {
					t.Errorf("said, too: %s", text)
				}
			}
			if c.want != "" && found != 1 {
				t.Errorf("%d times …%s…, want once, in:\n%s", found, c.want, strings.Join(said, "\n"))
			}
		})
	}
}

// TestDiagnosisSaysItAgain when it was mended and comes back, and waits for the
// end of the warm-up.
func TestDiagnosisSaysItAgain(t *testing.T) {
	d := train.Diagnosis{Window: 5}
	var got []int
	for step := range 60 {
		s := train.Stats{Step: step, Pairs: 8, Chance: 2, Loss: 2, GradNorm: 1, LR: math.Min(float64(step), 10)}
		if step >= 20 && step < 40 {
			s.Loss = 1
		}
		if len(d.Look(s)) > 0 {
			got = append(got, step)
		}
	}
	// The rate stops rising at step 11; at step 15 five such steps are over. From
	// step 44 on the window has no good step.
	if want := []int{15, 44}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("said at steps %v, want %v", got, want)
	}
}

// TestStatsFollowTheirDefinitions: the mean cosine by comparing each with each,
// with micro-batches and without.
func TestStatsFollowTheirDefinitions(t *testing.T) {
	const n = 8
	m := model(t, 1)
	batch := pairs(t, 0, n)
	var images []image.Image
	var captions []string
	for _, p := range batch {
		images, captions = append(images, p.Image), append(captions, p.Caption)
	}
	mean := func(rows []float32) float64 {
		dim, sum := len(rows)/n, 0.0
		for i := range n {
			for j := range n {
				for k := range dim {
					if i != j {
						sum += float64(rows[i*dim+k]) * float64(rows[j*dim+k])
					}
				}
			}
		}
		return sum / (n * (n - 1))
	}
	e, err := m.EncodeImages(context.Background(), images...)
	check(t, err)
	image := mean(e.Data)
	e, err = m.EncodeTexts(context.Background(), captions...)
	check(t, err)
	text := mean(e.Data)
	for _, micro := range []int{0, 3} {
		cfg := config(1)
		cfg.MicroBatch = micro
		tr, err := train.New(model(t, 1), cfg)
		check(t, err)
		s, err := tr.Step(context.Background(), batch)
		check(t, err)
		for what, v := range map[string][2]float64{"image": {s.ImageCosine, image}, "text": {s.TextCosine, text}} {
			// Rows have length 1 to a few parts in 1e7.
			if diff := math.Abs(v[0] - v[1]); !(diff <= 1e-6) {
				t.Errorf("micro-batches of %d: %s cosine %g, want %g", micro, what, v[0], v[1])
			}
		}
		if s.Repeated != 0 || s.Clamped {
			t.Errorf("micro-batches of %d: %d repeated pairs, clamped %t, want none", micro, s.Repeated, s.Clamped)
		}
	}
}
