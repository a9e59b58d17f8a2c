package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
)

// defined is recall@k word for word: the answers sorted by similarity, the wrong
// ones first among equals, and the share of queries with a right one in front.
func defined(queries, answers *encoder.Embeddings, k int, right func(query, answer int) bool) float64 {
	hits := 0
	for q := range queries.N {
		sim, order := make([]float64, answers.N), make([]int, answers.N)
		for a := range sim {
			order[a] = a
			for j, x := range queries.Row(q) {
				sim[a] += float64(x) * float64(answers.Row(a)[j])
			}
		}
		slices.SortFunc(order, func(a, b int) int {
			switch {
			case sim[a] != sim[b]:
				return cmp.Compare(sim[b], sim[a])
			case right(q, a):
				return 1
			}
			return -1
		})
		if slices.ContainsFunc(order[:min(k, len(order))], func(a int) bool { return right(q, a) }) {
			hits++
		}
	}
	return float64(hits) / float64(queries.N)
}

// TestRanks on embeddings made by hand: what is right stands beside each.
func TestRanks(t *testing.T) {
	images := &encoder.Embeddings{N: 3, Dim: 2, Data: []float32{1, 0, 0, 1, 0.6, 0.8}}
	texts := &encoder.Embeddings{N: 5, Dim: 2, Data: []float32{
		1, 0, // of image 0: nearest to it
		-1, 0, // of image 0: the last of all, yet the other is found
		0.6, 0.8, // of image 1: image 2 is nearer
		1, 0, // of image 2: as near to image 0 as its own
		0.8, 0.6, // of image 2: image 2 is nearest
	}}
	owner := []int{0, 0, 1, 2, 2}
	for _, c := range []struct {
		convention     Convention
		texts, byImage []int
	}{
		// Image 0 meets a tie with a wrong text, which counts against it.
		{ConventionPlain, []int{1, 0, 1}, []int{0, 2, 1, 1, 0}},
		{ConventionEqualTexts, []int{1, 0, 1}, []int{0, 2, 1, 1, 0}},
		{ConventionCLIPBenchmark, []int{0, 0, 1}, []int{0, 2, 1, 1, 0}},
		// Five pairs: image 0 twice, image 2 twice. The others of an image stand before or behind it.
		{ConventionOpenCLIP, []int{0, 4, 0, 3, 1}, []int{0, 4, 2, 2, 1}},
	} {
		got := found(t, c.convention, images, texts, owner)
		if !slices.Equal(got.texts, c.texts) || !slices.Equal(got.images, c.byImage) {
			t.Errorf("%s: image to text %v, text to image %v, want %v and %v", c.convention, got.texts, got.images, c.texts, c.byImage)
		}
	}
	at := recall([]int{0, 1, 2, 3, 9}, []int{0, 2, 1, 1, 0})
	for k, want := range map[int]float64{0: 0, 1: 0.4, 2: 0.8, 3: 1, 9: 1} {
		if at[k] != want {
			t.Errorf("recall@%d is %g, want %g", k, at[k], want)
		}
	}
	if got, want := ranked([]int{0, 2, 1, 3}), (Ranks{2.5, 2}); got != want {
		t.Errorf("ranks %v, want %v", got, want)
	}
}

// found is the outcome of texts that all differ, each of one image, in their order.
func found(t *testing.T, convention Convention, images, texts *encoder.Embeddings, owner []int) *outcome {
	t.Helper()
	list := make([][]string, images.N)
	for c, image := range owner {
		list[image] = append(list[image], fmt.Sprint(c))
	}
	o := newOutcome(convention, images.N, newCaptions(list))
	check(t, similarities(context.Background(), images, texts, o.toText))
	check(t, similarities(context.Background(), texts, images, o.toImage))
	return o
}

// TestEqualTexts: captions of the same words are one right answer for all their images.
func TestEqualTexts(t *testing.T) {
	images := &encoder.Embeddings{N: 3, Dim: 2, Data: []float32{1, 0, 0.8, 0.6, 0, 1}}
	list := [][]string{{"red"}, {"red"}, {"blue", "red"}}
	c := newCaptions(list)
	texts := &encoder.Embeddings{N: 2, Dim: 2, Data: []float32{1, 0, 0, 1}} // red, blue
	for convention, want := range map[Convention]string{
		ConventionEqualTexts:    "[0 0 0] [0 0 0 0]",
		ConventionPlain:         "[2 2 0] [0 1 0 2]", // red of the other images is wrong, and as near
		ConventionCLIPBenchmark: "[0 1 0] [0 1 0 2]",
		ConventionOpenCLIP:      "[0 1 0 3] [0 1 0 3]",
	} {
		o := newOutcome(convention, 3, c)
		check(t, similarities(t.Context(), images, texts, o.toText))
		check(t, similarities(t.Context(), texts, images, o.toImage))
		if got := fmt.Sprint(o.texts, " ", o.images); got != want {
			t.Errorf("%s: ranks %s, want %s", convention, got, want)
		}
	}
}

// TestRanksByDefinition: several captions an image, many ties, both ways.
func TestRanksByDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	drawn := func(n int) *encoder.Embeddings {
		e := &encoder.Embeddings{N: n, Dim: 3, Data: make([]float32, 3*n)}
		for i := range e.Data {
			e.Data[i] = float32(rng.IntN(5)-2) / 8 // sums are exact
		}
		return e
	}
	for n := range 12 {
		var owner []int
		for i := range n + 1 {
			for range 1 + rng.IntN(4) {
				owner = append(owner, i)
			}
		}
		images, texts := drawn(n+1), drawn(len(owner))
		a := func(image, text int) bool { return owner[text] == image }
		b := func(text, image int) bool { return owner[text] == image }
		ks := []int{1, 2, 3, 5, 100}
		got := found(t, ConventionPlain, images, texts, owner)
		toText, toImage := recall(ks, got.texts), recall(ks, got.images)
		for _, k := range ks {
			if want := defined(images, texts, k, a); toText[k] != want {
				t.Errorf("%d images: image to text recall@%d is %g, want %g", n+1, k, toText[k], want)
			}
			if want := defined(texts, images, k, b); toImage[k] != want {
				t.Errorf("%d images: text to image recall@%d is %g, want %g", n+1, k, toImage[k], want)
			}
		}
	}
}

// TestChance: embeddings without relation find each other by chance, k/n.
func TestChance(t *testing.T) {
	const n = 400
	rng := rand.New(rand.NewPCG(7, 8))
	drawn := func() *encoder.Embeddings {
		e := &encoder.Embeddings{N: n, Dim: 16, Data: make([]float32, 16*n)}
		for i := range e.Data {
			e.Data[i] = float32(rng.NormFloat64())
		}
		return e
	}
	ks := []int{20, 100, 300}
	owner := make([]int, n)
	for i := range owner {
		owner[i] = i
	}
	at := recall(ks, found(t, ConventionPlain, drawn(), drawn(), owner).texts)
	for _, k := range ks {
		want := float64(k) / n
		tol := 4 * math.Sqrt(want*(1-want)/n)
		if diff := math.Abs(at[k] - want); !(diff <= tol) {
			t.Errorf("recall@%d is %g, want %g within %g", k, at[k], want, tol)
		}
	}
}

// TestRetrieve runs a model over images with one to four captions, of which two
// have one key, two one caption, one is unreadable and one caption is too long.
func TestRetrieve(t *testing.T) {
	ctx := context.Background()
	m := model(t)
	rng := rand.New(rand.NewPCG(1, 9))
	var samples []dataset.Sample
	var texts []string
	var owner []int
	for i := range 9 {
		s := sample(fmt.Sprint("image ", i), i, "")
		s.Captions = nil
		for range 1 + i%4 {
			s.Captions = append(s.Captions, string([]byte{'a' + byte(rng.IntN(26)), 'a' + byte(rng.IntN(26)), 'a' + byte(i)}))
		}
		samples = append(samples, s)
	}
	samples[3].Key = samples[5].Key
	samples[4] = broken("image 4")
	samples[7].Captions[1] = samples[6].Captions[0]
	samples[8].Captions[0] = strings.Repeat("long", 9)
	var imgs []dataset.Sample
	for _, s := range samples {
		if s.Key == "image 4" {
			continue
		}
		for _, c := range s.Captions {
			texts, owner = append(texts, c), append(owner, len(imgs))
		}
		imgs = append(imgs, s)
	}
	r, err := Retrieve(ctx, m, set(samples...), 1, 2, 5)
	check(t, err)
	images, err := m.EncodeImages(ctx, decoded(t, imgs)...)
	check(t, err)
	words, err := m.EncodeTexts(ctx, texts...)
	check(t, err)
	for _, k := range []int{1, 2, 5} {
		if want := defined(images, words, k, func(i, c int) bool { return owner[c] == i }); r.PlainImageToText[k] != want || r.ImageToText[k] < want {
			t.Errorf("image to text recall@%d is %g, want %g", k, r.PlainImageToText[k], want)
		}
		if want := defined(words, images, k, func(c, i int) bool { return owner[c] == i }); r.PlainTextToImage[k] != want || r.TextToImage[k] < want {
			t.Errorf("text to image recall@%d is %g, want %g", k, r.PlainTextToImage[k], want)
		}
	}
	different := len(slices.Compact(slices.Sorted(slices.Values(texts))))
	if r.Images != 8 || r.Captions != len(texts) || r.Different != different || r.Truncated != 1 {
		t.Errorf("%d images, %d captions, %d different, %d truncated, want 8, %d, %d, 1", r.Images, r.Captions, r.Different, r.Truncated, len(texts), different)
	}
	if len(r.Skipped) != 1 || r.Skipped[0].Error() != "set: image 4: broken" {
		t.Errorf("skipped %v, want image 4", r.Skipped)
	}
	fails(t, "eval: the set is empty", func() error { _, err := Retrieve(ctx, m, set(), 1); return err })
	fails(t, "eval: none of 2 images can be used; the first: set: x: broken", func() error {
		_, err := Retrieve(ctx, m, set(broken("x"), broken("y")), 1)
		return err
	})
	spoil(m.Text().Params())
	fails(t, "eval: a caption's embedding is not finite", func() error { _, err := Retrieve(ctx, m, set(samples...), 1); return err })
}
