package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
)

// labelledNoise is n images of noise with labels and captions, two of them not
// to be used.
func labelledNoise(n int) []dataset.Sample {
	var samples []dataset.Sample
	for i := range n {
		s := sample(fmt.Sprint(i), i, string(rune('a'+i%3)))
		s.Captions = []string{fmt.Sprint("image ", i), s.Label}[:1+i%2]
		samples = append(samples, s)
	}
	samples[4], samples[n-1] = broken("4"), broken("last")
	return samples
}

// TestEmbedOnce: what is measured on embeddings is what is measured on the set.
func TestEmbedOnce(t *testing.T) {
	ctx := context.Background()
	m := model(t)
	src := set(labelledNoise(70)...)
	c, err := m.NewClassifier(ctx, []string{"a", "b"})
	check(t, err)
	var keys []string
	f, err := Embed(ctx, m, src, func(p dataset.Pair, row *encoder.Embeddings) {
		keys = append(keys, p.Key)
		if p.Image == nil || row.N != 1 {
			t.Errorf("%s: image %v, %d rows", p.Key, p.Image, row.N)
		}
	})
	check(t, err)
	if f.Images.N != 68 || !slices.Equal(f.Keys, keys) || f.Labels[5] != "a" || f.Captions[4][0] != "image 5" {
		t.Errorf("%d images %v, saw %v", f.Images.N, f.Keys, keys)
	}
	for _, what := range []struct {
		name    string
		streams func() (any, error)
		embeds  func() (any, error)
	}{
		{"zero-shot", func() (any, error) { return Classify(ctx, m, c, src, nil) }, func() (any, error) { return f.Classify(c) }},
		{"retrieval", func() (any, error) { return Retrieve(ctx, m, src, 1, 3) }, func() (any, error) { return f.Retrieve(ctx, m, 1, 3) }},
	} {
		want, err := what.streams()
		check(t, err)
		got, err := what.embeds()
		check(t, err)
		// Skipped samples are listed in another order: those that cannot be read first.
		if asJSON(t, got) != asJSON(t, want) {
			t.Errorf("%s: got\n%s, want\n%s", what.name, asJSON(t, got), asJSON(t, want))
		}
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := f.Retrieve(canceled, m, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	fails(t, "eval: the set is empty", func() error { _, err := Embed(ctx, m, set(), nil); return err })
}

// asJSON is v as JSON, its skipped samples sorted.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	check(t, err)
	var fields map[string]any
	check(t, json.Unmarshal(data, &fields))
	slices.SortFunc(fields["skipped"].([]any), func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	data, err = json.Marshal(fields)
	check(t, err)
	return string(data)
}

// TestFigures of a classification made by hand.
func TestFigures(t *testing.T) {
	c := newClassification([]string{"a", "b", "none"}, false)
	c.add(0, 0, 0, 0.9)
	c.add(0, 1, 1, 0.5)
	c.add(0, 2, 5, 0.4)
	c.addProbabilities(1, []float64{0.4, 0.4, 0.2}) // of equal ones the first wins
	if _, ok := c.truth("x", ""); ok {
		t.Error("nothing is a class")
	}
	var got map[string]any
	data, err := json.Marshal(c)
	check(t, err)
	check(t, json.Unmarshal(data, &got))
	delete(got, "calibration")
	want := map[string]any{
		"pictures": 4.0, "accuracy": 0.25, "top5": 0.75, "balanced": (1.0 / 3) / 2, "ece": (0.1 + 0.5 + 0.8) / 4,
		"classes": []any{
			map[string]any{"name": "a", "pictures": 3.0, "accuracy": 1.0 / 3},
			map[string]any{"name": "b", "pictures": 1.0, "accuracy": 0.0},
			map[string]any{"name": "none", "pictures": 0.0, "accuracy": 0.0},
		},
		"confusion": []any{[]any{1.0, 1.0, 1.0}, []any{1.0, 0.0, 0.0}, []any{0.0, 0.0, 0.0}},
		"skipped":   []any{"x: no label"},
	}
	if diff := math.Abs(got["ece"].(float64) - want["ece"].(float64)); !(diff <= 1e-15) {
		t.Errorf("ECE %v, want %v within 1e-15", got["ece"], want["ece"])
	}
	got["ece"] = want["ece"]
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v, want\n%v", got, want)
	}
}

// TestECEByDefinition: the mean over bins, weighted by their share, of
// |accuracy − confidence|.
func TestECEByDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n, bins = 1000, 15
	c := NewCalibration(0)
	var ps []float64
	var rights []bool
	for i := range n {
		p := rng.Float64()
		if i < bins+1 {
			p = float64(i) / bins // upper bounds belong to their bins
		}
		ps, rights = append(ps, p), append(rights, rng.Float64() < p*p)
		c.Add(p, rights[i])
	}
	want := 0.0
	for b := range bins {
		low, high := float64(b)/bins, float64(b+1)/bins
		count, confidence, right := 0.0, 0.0, 0.0
		for i, p := range ps {
			if p > low && p <= high || b == 0 && p == 0 {
				count++
				confidence += p
				if rights[i] {
					right++
				}
			}
		}
		if c.Bins[b].N != int(count) || c.Bins[b].Right != int(right) {
			t.Errorf("bin %d: %d of %d right, want %g of %g", b, c.Bins[b].Right, c.Bins[b].N, right, count)
		}
		if count > 0 {
			want += count / n * math.Abs(right/count-confidence/count)
		}
	}
	if diff := math.Abs(c.ECE() - want); !(diff <= 1e-13) || len(c.Bins) != bins {
		t.Errorf("ECE of %d bins is %g, want %g within 1e-13", len(c.Bins), c.ECE(), want)
	}
	if got := NewCalibration(3).ECE(); got != 0 {
		t.Errorf("ECE of nothing is %g, want 0", got)
	}
}

// TestWatch counts every sample of a pass.
func TestWatch(t *testing.T) {
	var got []int
	src := Watch(set(labelledNoise(12)...), func(done, total int) { got = append(got, done, total) })
	_, err := Embed(context.Background(), model(t), src, nil)
	check(t, err)
	for i := range 12 {
		if len(got) != 24 || got[2*i] != i+1 || got[2*i+1] != 12 {
			t.Fatalf("was told %v, want 1 to 12, of 12", got)
		}
	}
}
