package fewshot

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
)

const (
	classes = 5
	dim     = 12
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func unit(rng *rand.Rand, around []float32, noise float64) []float32 {
	row := make([]float32, dim)
	for j := range row {
		row[j] = float32(noise * rng.NormFloat64())
		if around != nil {
			row[j] += around[j]
		}
	}
	nn.NormalizeRow(row, row)
	return row
}

// world is classes with a direction each, of which the text rows know as much as
// faith says, and images around them.
type world struct {
	rng     *rand.Rand
	centres [][]float32
	text    *encoder.Embeddings
}

func newWorld(seed uint64, faith float32) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), text: &encoder.Embeddings{N: classes, Dim: dim}}
	for range classes {
		c := unit(w.rng, nil, 1)
		w.centres = append(w.centres, c)
		name := unit(w.rng, nil, 1)
		for j := range name {
			name[j] += faith * (c[j] - name[j])
		}
		nn.NormalizeRow(name, name)
		w.text.Data = append(w.text.Data, name...)
	}
	return w
}

// set draws n images a class.
func (w *world) set(n int, noise float64) Set {
	s := Set{Images: &encoder.Embeddings{N: n * classes, Dim: dim}}
	for i := range n * classes {
		s.Images.Data = append(s.Images.Data, unit(w.rng, w.centres[i%classes], noise)...)
		s.Classes = append(s.Classes, i%classes)
	}
	return s
}

func (w *world) task(shots, val int, noise float64) Task {
	return Task{Text: w.text, Scale: 20, Shots: w.set(shots, noise), Val: w.set(val, noise)}
}

func accuracy(h Head, s Set) float64 { return Test(h, s, classes).Accuracy() }

// defined is the paper's equation 6, in float64; skip leaves out one key.
func defined(c *Cache, keys []float64, x []float32, skip int) []float64 {
	z := make([]float64, classes)
	for k := range z {
		for j, v := range x {
			z[k] += float64(v) * float64(c.Text.W.Row(k)[j])
		}
	}
	for m, y := range c.Classes {
		if m == skip {
			continue
		}
		var sim float64
		for j, v := range x {
			sim += float64(v) * keys[m*dim+j]
		}
		z[y] += c.Alpha * math.Exp(-c.Beta*(1-sim))
	}
	return z
}

func doubles(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

func TestCacheIsThePapers(t *testing.T) {
	w := newWorld(1, 0.5)
	task := w.task(3, 1, 0.2)
	c := &Cache{ZeroShot(task.Text, task.Scale), task.Shots.Images, task.Shots.Classes, 1.7, 5.5}
	test := w.set(4, 0.2)
	got := c.Logits(test.Images)
	for i := range test.Classes {
		for k, want := range defined(c, doubles(c.Keys.Data), test.Images.Row(i), -1) {
			// Logits of up to 30 in float32, whose cosines are off by some 1e-7 each.
			if g := float64(got[i*classes+k]); !(math.Abs(g-want) <= 2e-5) {
				t.Errorf("image %d, class %d: logit %.7g, want %.7g", i, k, g, want)
			}
		}
	}
}

// TestKeyGradient compares with central differences of the definition, without
// the example's own key, in float64.
func TestKeyGradient(t *testing.T) {
	w := newWorld(2, 0.5)
	task := w.task(3, 1, 0.5)
	tr := newTuner(&Cache{ZeroShot(task.Text, 3), task.Shots.Images, task.Shots.Classes, 1.3, 2.5}, task.Shots)
	batch := []int{4, 0, 13, 7, 8}
	cost := func(keys []float64) float64 {
		var sum float64
		for _, i := range batch {
			z := defined(tr.Cache, keys, task.Shots.Images.Row(i), i)
			var e float64
			for _, v := range z {
				e += math.Exp(v)
			}
			sum += (math.Log(e) - z[task.Shots.Classes[i]]) / float64(len(batch))
		}
		return sum
	}
	keys := doubles(tr.Keys.Data)
	if got, want := tr.gradient(batch), cost(keys); !(math.Abs(got-want) <= 1e-5) {
		t.Errorf("the cost is %.8g, want %.8g within 1e-5", got, want)
	}
	for i := range keys {
		const h = 1e-5
		at := keys[i]
		keys[i] = at + h
		up := cost(keys)
		keys[i] = at - h
		down := cost(keys)
		keys[i] = at
		if got, want := float64(tr.grad[i]), (up-down)/(2*h); !(math.Abs(got-want) <= 1e-6) {
			t.Errorf("gradient %d is %.8g, want %.8g within 1e-6", i, got, want)
		}
	}
}

func TestNearestMeanByHand(t *testing.T) {
	text := &encoder.Embeddings{N: 2, Dim: 2, Data: []float32{1, 0, 1, 0}}
	shots := Set{&encoder.Embeddings{N: 3, Dim: 2, Data: []float32{1, 0, 0, 1, 0, -1}}, []int{0, 1, 0}}
	l, err := NearestMean(Task{Text: text, Scale: 2, Shots: shots})
	check(t, err)
	// Class 0 has the mean (1, -1)/√2, class 1 (0, 1).
	got := l.Logits(&encoder.Embeddings{N: 1, Dim: 2, Data: []float32{0.6, 0.8}})
	for i, want := range []float64{-0.2 * math.Sqrt2, 1.6} {
		if !(math.Abs(float64(got[i])-want) <= 1e-6) {
			t.Errorf("logit %d is %g, want %g", i, got[i], want)
		}
	}
}

// TestExamplesHelp: names that say little, and examples that tell; every method
// then beats the names, and training the keys is no worse than not to.
func TestExamplesHelp(t *testing.T) {
	w := newWorld(3, 0.3)
	task, test := w.task(8, 8, 0.25), w.set(200, 0.25)
	zero := accuracy(ZeroShot(task.Text, task.Scale), test)
	for _, m := range Methods() {
		h, err := m.Fit(context.Background(), task)
		check(t, err)
		if got := accuracy(h, test); !(got >= zero+0.15) {
			t.Errorf("%s: accuracy %.3f, zero-shot %.3f, want 0.15 more", m.Name, got, zero)
		}
	}
}

// TestMisleadingExamplesAreLeftOut: where names are right and the examples are of
// other classes, what is chosen on validation images stays with the names.
func TestMisleadingExamplesAreLeftOut(t *testing.T) {
	w := newWorld(4, 1)
	task, test := w.task(4, 10, 0.25), w.set(100, 0.25)
	for i, c := range task.Shots.Classes {
		task.Shots.Classes[i] = (c + 2) % classes
	}
	zero := accuracy(ZeroShot(task.Text, task.Scale), test)
	for _, m := range Methods()[1:] { // the mean does not know the names
		h, err := m.Fit(context.Background(), task)
		check(t, err)
		if got := accuracy(h, test); !(got >= zero-0.03) {
			t.Errorf("%s: accuracy %.3f, zero-shot %.3f", m.Name, got, zero)
		}
	}
}

// TestBestIsFirstOfEquals by the cross-entropy, not by the number right.
func TestBestIsFirstOfEquals(t *testing.T) {
	k := newChoice[int](&Set{Classes: []int{0, 1}})
	for i, z := range [][]float32{{0, 1, 1, 0}, {5, 0, 1, 0}, {3, 0, 0, 3}, {3, 0, 0, 3}, {1, 0, 0, 1}, {9, 0, 9, 0}} {
		k.offer(i, z)
	}
	if want := 2 * math.Log(1+math.Exp(-3)); k.best != 2 || !(math.Abs(k.cost-want) <= 1e-12) {
		t.Errorf("number %d with a cost of %g is best, want 2 with %g", k.best, k.cost, want)
	}
}

func TestSameBits(t *testing.T) {
	fit := func() []float32 {
		w := newWorld(5, 0.4)
		task := w.task(60, 4, 0.4) // more than one batch
		h, err := TipAdapterF(context.Background(), task, Finetune{Epochs: 3, LR: 0.01})
		check(t, err)
		l, err := Probe(context.Background(), task)
		check(t, err)
		test := w.set(3, 0.3)
		return append(h.Logits(test.Images), l.Logits(test.Images)...)
	}
	first := fit()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if !slices.Equal(first, fit()) {
		t.Error("another number of cores, other logits")
	}
}

// TestInputsAreLeftAlone: no method writes to what it was given.
func TestInputsAreLeftAlone(t *testing.T) {
	task := newWorld(6, 0.4).task(3, 3, 0.3)
	parts := [][]float32{task.Text.Data, task.Shots.Images.Data, task.Val.Images.Data}
	before := slices.Concat(parts...)
	for _, m := range Methods() {
		_, err := m.Fit(context.Background(), task)
		check(t, err)
		if !slices.Equal(before, slices.Concat(parts...)) {
			t.Fatalf("%s changed its task", m.Name)
		}
	}
}

func TestRefuses(t *testing.T) {
	ctx := context.Background()
	nan := float32(math.NaN())
	for _, c := range []struct {
		want  string
		spoil func(*Task)
	}{
		{"Text: want an embedding", func(t *Task) { t.Text = nil }},
		{"Text: want an embedding", func(t *Task) { t.Text.N = 1 }},
		{"Text: an embedding is not finite", func(t *Task) { t.Text.Data[3] = nan }},
		{"Scale is 0", func(t *Task) { t.Scale = 0 }},
		{"Scale is NaN", func(t *Task) { t.Scale = math.NaN() }},
		{"Shots: no images", func(t *Task) { t.Shots = Set{} }},
		{"Shots: 180 numbers for 15 embeddings, want 12 each", func(t *Task) { t.Shots.Images.Dim = 11 }},
		{"Shots: 14 classes for 15 images", func(t *Task) { t.Shots.Classes = t.Shots.Classes[1:] }},
		{"Shots: image 2 has class 5, want 0 to 4", func(t *Task) { t.Shots.Classes[2] = 5 }},
		{"Shots: class 0 has no example", func(t *Task) {
			for i := range t.Shots.Classes {
				t.Shots.Classes[i] = 1 + i%4
			}
		}},
		{"Val: no images", func(t *Task) { t.Val = Set{} }},
		{"Val: an embedding is not finite", func(t *Task) { t.Val.Images.Data[0] = nan }},
	} {
		for _, m := range Methods() {
			task := newWorld(7, 0.4).task(3, 3, 0.3)
			c.spoil(&task)
			if _, err := m.Fit(ctx, task); m.Name == "nearest mean" && strings.HasPrefix(c.want, "Val") {
				check(t, err)
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got error %v, want one with %s", m.Name, err, c.want)
			}
		}
	}
	task := newWorld(7, 0.4).task(3, 3, 0.3)
	for _, f := range []Finetune{{Epochs: -1}, {LR: -1}, {LR: math.NaN()}, {LR: math.Inf(1)}, {LR: 1e30, Epochs: 3}} {
		if _, err := TipAdapterF(ctx, task, f); err == nil || !strings.HasPrefix(err.Error(), "fewshot: Tip-Adapter-F: ") {
			t.Errorf("%+v: got error %v", f, err)
		}
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	for _, m := range Methods() {
		if m.Name == "linear probe" || m.Name == "Tip-Adapter-F" {
			if _, err := m.Fit(done, task); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, cancelled: got error %v", m.Name, err)
			}
		}
	}
}
