package eval

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

func model(t *testing.T) *encoder.Model {
	t.Helper()
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{16, 16}, PatchSize: 8, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8,
			Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 12, VocabSize: 130, Width: 16, Layers: 1, Heads: 2, EmbedDim: 8,
			Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(16),
	}, letters.Tokenizer{}, 3)
	check(t, err)
	return m
}

// sample is an image of noise.
func sample(key string, seed int, label string) dataset.Sample {
	return dataset.Sample{File: "set", Key: key, Label: label, Captions: []string{"one"}, Decode: func() (image.Image, error) {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		img := image.NewGray(image.Rect(0, 0, 9, 7))
		for i := range img.Pix {
			img.Pix[i] = uint8(rng.Uint32())
		}
		return img, nil
	}}
}

func broken(key string) dataset.Sample {
	return dataset.Sample{File: "set", Key: key, Captions: []string{"one"}, Decode: func() (image.Image, error) {
		return nil, errors.New("broken")
	}}
}

func set(samples ...dataset.Sample) dataset.Source {
	return dataset.NewIndexed(len(samples), func(i int) dataset.Sample { return samples[i] })
}

func decoded(t *testing.T, samples []dataset.Sample) []image.Image {
	t.Helper()
	imgs := make([]image.Image, len(samples))
	for i, s := range samples {
		var err error
		imgs[i], err = s.Decode()
		check(t, err)
	}
	return imgs
}

// spoil writes a NaN into every weight.
func spoil(ps []*nn.Param) {
	for _, p := range ps {
		p.Data[0] = float32(math.NaN())
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, want string, do func() error) {
	t.Helper()
	if err := do(); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// TestClassify labels image i with the class that the model, asked about this
// image alone, ranks at i mod 7: every number of the result is known then.
func TestClassify(t *testing.T) {
	ctx := context.Background()
	m := model(t)
	classes := strings.Fields("cat dog owl bee cow fox absent")
	c, err := m.NewClassifier(ctx, classes, "a {}")
	check(t, err)
	const n = 2*64 + 9 // two batches and a rest
	var samples []dataset.Sample
	var keys []string
	confusion := make([][]int, len(classes))
	for i := range confusion {
		confusion[i] = make([]int, len(classes))
	}
	right, top5 := 0, 0
	for i := range n {
		s := sample(fmt.Sprint(i), i, "")
		img, _ := s.Decode()
		best, err := c.Classify(ctx, img)
		check(t, err)
		truth := best[i%6]
		if truth.Label == "absent" {
			truth = best[6]
		}
		rank := slices.IndexFunc(best, func(p encoder.Prediction) bool { return p == truth })
		if rank == 0 {
			right++
		}
		if rank < 5 {
			top5++
		}
		s.Label = truth.Label
		confusion[truth.Index][best[0].Index]++
		keys = append(keys, s.Key)
		samples = append(samples, s)
		if i%50 == 20 {
			stranger := sample("stranger", i, "dragon")
			samples = append(samples, broken("unreadable"), stranger)
		}
	}
	var seen []string
	z, err := Classify(ctx, m, c, set(samples...), func(p dataset.Pair, best []encoder.Prediction) {
		seen = append(seen, p.Key)
		if len(best) != len(classes) || p.Image == nil {
			t.Errorf("%s: %d predictions and image %v", p.Key, len(best), p.Image)
		}
	})
	check(t, err)
	if !slices.Equal(seen, keys) {
		t.Errorf("saw the images %v, want %v", seen, keys)
	}
	if got, want := fmt.Sprint(z.Confusion), fmt.Sprint(confusion); got != want {
		t.Errorf("confusion\n%s, want\n%s", got, want)
	}
	if want := float64(right) / (n + 3); z.N() != n+3 || math.Abs(z.Accuracy()-want) > 1e-15 || z.Top5 != top5 {
		t.Errorf("%d images, accuracy %g, top five %d, want %d, %g, %d", z.N(), z.Accuracy(), z.Top5, n+3, want, top5)
	}
	for i, name := range classes {
		all := 0
		for _, k := range confusion[i] {
			all += k
		}
		want := 0.0
		if all > 0 {
			want = float64(confusion[i][i]) / float64(all)
		}
		if accuracy, n := z.Class(i); n != all || accuracy != want {
			t.Errorf("%s: accuracy %g of %d, want %g of %d", name, accuracy, n, want, all)
		}
	}
	var skipped []string
	for _, err := range z.Skipped {
		skipped = append(skipped, err.Error())
	}
	slices.Sort(skipped)
	if got, want := strings.Join(slices.Compact(skipped), "\n"), "set: unreadable: broken"; got != want || len(skipped) != 3 {
		t.Errorf("skipped %d:\n%s\nwant 3:\n%s", len(skipped), got, want)
	}
}

// TestLabelsThatDoNotMatch: pictures whose label is no class count as wrong and are named,
// and so are classes without pictures; underscores, spaces and Unicode's forms are no difference.
func TestLabelsThatDoNotMatch(t *testing.T) {
	ctx := context.Background()
	m := model(t)
	classify := func(o encoder.ClassifierOptions, labels []string, of ...string) *Classification {
		c, err := m.NewClassifierWith(ctx, labels, o)
		check(t, err)
		var samples []dataset.Sample
		for i, l := range of {
			samples = append(samples, sample(fmt.Sprint(i), i, l))
		}
		z, err := Classify(ctx, m, c, set(samples...), nil)
		check(t, err)
		return z
	}
	z := classify(encoder.ClassifierOptions{}, []string{"red_fox", "owl", "caf\u00e9", "cat"}, "red fox", "cafe\u0301", "dog", "dog", "owl")
	if got, want := fmt.Sprint(z.N(), z.Unknown, z.Missing), "5 [{dog 2}] [cat]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(z.Mismatch()), `eval: 2 of 5 images have labels that are no classes, "dog", and count as wrong; 1 of 4 classes have no image, "cat"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if z.Accuracy() > 0.6 {
		t.Errorf("accuracy %g, but two of five have no class", z.Accuracy())
	}
	z = classify(encoder.ClassifierOptions{Verbatim: true}, []string{"red_fox", "red fox"}, "red fox", "red_fox")
	if z.Mismatch() != nil || fmt.Sprint(z.count(0), z.count(1)) != "1 1" {
		t.Errorf("verbatim: %v, %v", z.Mismatch(), z.Confusion)
	}
	z = classify(encoder.ClassifierOptions{}, []string{"crane", "owl", "crane"}, "crane", "owl")
	if z.Mismatch() != nil || z.count(0) != 1 || z.count(2) != 0 {
		t.Errorf("the same name twice: %v, %v", z.Mismatch(), z.Confusion)
	}
	z = classify(encoder.ClassifierOptions{}, []string{"1", "0"}, "0", "1", "0")
	if z.Mismatch() != nil || z.count(0) != 1 || z.count(1) != 2 {
		t.Errorf("numbers are names: %v, %v", z.Mismatch(), z.Confusion)
	}
}

func TestClassifyRefuses(t *testing.T) {
	ctx := context.Background()
	m := model(t)
	classifier := func(labels ...string) *encoder.Classifier {
		c, err := m.NewClassifier(ctx, labels)
		check(t, err)
		return c
	}
	run := func(c *encoder.Classifier, samples ...dataset.Sample) func() error {
		return func() error {
			z, err := Classify(ctx, m, c, set(samples...), nil)
			if err != nil && z != nil {
				t.Error("a result beside an error")
			}
			return err
		}
	}
	c := classifier("cat", "dog")
	fails(t, "eval: the set is empty", run(c))
	fails(t, "eval: none of 1 images can be used; the first: set: x: broken", run(c, broken("x")))
	fails(t, `eval: none of 2 images can be used; the first: y: no label`, run(c, sample("y", 1, ""), sample("z", 1, "")))
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Classify(canceled, m, c, set(sample("x", 1, "cat")), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	spoil(m.Vision().Params())
	fails(t, "eval: none of 1 images can be used; the first: set: x: the image's embedding is not finite", run(c, sample("x", 1, "cat")))
}

// TestLargePictures end a batch early, and every image counts.
func TestLargeImages(t *testing.T) {
	ctx := context.Background()
	m := model(t)
	c, err := m.NewClassifier(ctx, []string{"cat"})
	check(t, err)
	large := sample("large", 0, "cat")
	large.Decode = func() (image.Image, error) {
		return image.NewGray(image.Rect(0, 0, 1<<13, (1<<24)>>13)), nil
	}
	z, err := Classify(ctx, m, c, set(sample("a", 1, "cat"), large, sample("b", 2, "cat")), nil)
	check(t, err)
	if z.N() != 3 || z.Accuracy() != 1 || z.Top5 != 3 {
		t.Errorf("%d images, accuracy %g, top five %d, want 3, 1, 3", z.N(), z.Accuracy(), z.Top5)
	}
}
