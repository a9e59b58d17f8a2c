package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/logistic"
)

// clouds are images of several classes around a centre each, on the sphere.
func clouds(seed uint64, classes, each, dim int, noise float64) *Features {
	centres, rng := rand.New(rand.NewPCG(9, 9)), rand.New(rand.NewPCG(seed, 1))
	f := &Features{Images: &encoder.Embeddings{Dim: dim}}
	for c := range classes {
		centre := make([]float64, dim)
		for j := range centre {
			centre[j] = centres.NormFloat64()
		}
		for i := range each {
			row, sum := make([]float64, dim), 0.0
			for j := range row {
				row[j] = centre[j] + noise*rng.NormFloat64()
				sum += row[j] * row[j]
			}
			for _, v := range row {
				f.Images.Data = append(f.Images.Data, float32(v/math.Sqrt(sum)))
			}
			f.Images.N++
			f.Labels = append(f.Labels, fmt.Sprintf("class %02d", c))
			f.Keys = append(f.Keys, fmt.Sprintf("%d/%d", c, i))
		}
	}
	return f
}

// gradient is that of the mean loss with its part of the penalty, word for word.
func gradient(l *labelled, classes int, l2 float64, params []float64) []float64 {
	dim, n := l.x.Dim, float64(l.x.N)
	grad := make([]float64, len(params))
	for i := range classes * dim {
		grad[i] = l2 / n * params[i]
	}
	for i, y := range l.y {
		z, sum := make([]float64, classes), 0.0
		for c := range z {
			z[c] = params[classes*dim+c]
			for j, x := range l.x.Row(i) {
				z[c] += float64(x) * params[c*dim+j]
			}
			sum += math.Exp(z[c])
		}
		for c := range z {
			d := math.Exp(z[c]) / sum
			if c == y {
				d--
			}
			grad[classes*dim+c] += d / n
			for j, x := range l.x.Row(i) {
				grad[c*dim+j] += d * float64(x) / n
			}
		}
	}
	return grad
}

// TestProbeIsOptimal: the gradient vanishes at the weights found, for weak and
// strong L2.
func TestProbeIsOptimal(t *testing.T) {
	train := clouds(1, 5, 150, 12, 1.5)
	_, l, err := train.labelled()
	check(t, err)
	for _, l2 := range []float64{1e-2, 1, 100, 1e5} {
		p, err := FitProbe(context.Background(), train, nil, &ProbeOptions{L2: l2})
		check(t, err)
		var params []float64
		for _, w := range p.weights {
			params = append(params, float64(w))
		}
		// The weights are rounded to float32 after the fit.
		for i, g := range gradient(l, 5, l2, append(params, p.bias...)) {
			if !(math.Abs(g) <= 2*tolerance) {
				t.Errorf("L2 %g: gradient %d is %g, want at most %g", l2, i, g, 2*tolerance)
			}
		}
	}
}

// TestSearchForL2: no value of the coarse grid does better than the one chosen,
// and the probe knows new images.
func TestSearchForL2(t *testing.T) {
	ctx := context.Background()
	train, val, test := clouds(1, 6, 40, 16, 1.2), clouds(2, 6, 40, 16, 1.2), clouds(3, 6, 40, 16, 1.2)
	var told []int
	p, err := FitProbe(ctx, train, val, &ProbeOptions{Progress: func(done, total int) { told = append(told, done, total) }})
	check(t, err)
	if n := len(told); n < 2*9 || told[n-1] != told[n-2] {
		t.Errorf("progress %v, want it to end with all done", told)
	}
	classes, trained, err := train.labelled()
	check(t, err)
	held := val.within(classes, false)
	at := func(l2 float64) float64 {
		one := &fitting{ctx: ctx, classes: classes, found: make(map[float64]*logistic.Weights)}
		q, err := one.fit(trained, l2)
		check(t, err)
		accuracy, _ := q.judge(held)
		return accuracy
	}
	if got := at(p.L2); got != p.Validated {
		t.Errorf("accuracy %g at L2 %g, but the probe says %g", got, p.L2, p.Validated)
	}
	for i := range 7 {
		l2 := math.Pow(10, -6+float64(2*i))
		if a := at(l2); a > p.Validated || a == p.Validated && l2 > p.L2*1.000001 {
			t.Errorf("L2 %g has accuracy %g, but %g with %g was chosen", l2, a, p.L2, p.Validated)
		}
	}
	c, err := p.Classify(test)
	check(t, err)
	if c.N() != 240 || !(math.Abs(c.Accuracy()-p.Validated) <= 0.08) { // 4 deviations of 240 images
		t.Errorf("accuracy %g of %d images, %g in validation, want them within 0.08", c.Accuracy(), c.N(), p.Validated)
	}
	for i, row := range must(p.Probabilities(test.Images))(t) {
		sum := 0.0
		for _, v := range row {
			sum += v
		}
		if !(math.Abs(sum-1) <= 1e-12) {
			t.Fatalf("the probabilities of image %d sum to %g, want 1 within 1e-12", i, sum)
		}
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T { t.Helper(); check(t, err); return v }
}

// TestProbeIsDeterministic on one core and on several.
func TestProbeIsDeterministic(t *testing.T) {
	train := clouds(1, 3, 30, 8, 2)
	fit := func() *Probe {
		p, err := FitProbe(context.Background(), train, nil, &ProbeOptions{Seed: 5})
		check(t, err)
		return p
	}
	a := fit()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b := fit()
	if a.L2 != b.L2 || !slices.Equal(a.weights, b.weights) || !slices.Equal(a.bias, b.bias) {
		t.Errorf("two fits differ: L2 %g and %g", a.L2, b.L2)
	}
}

// TestSplit: a fifth of every class is held out, nothing twice, another for
// another seed.
func TestSplit(t *testing.T) {
	_, l, err := clouds(1, 3, 11, 2, 1).labelled()
	check(t, err)
	count := func(l *labelled) [3]int {
		var n [3]int
		for _, y := range l.y {
			n[y]++
		}
		return n
	}
	train, held := l.split(1)
	if count(train) != [3]int{9, 9, 9} || count(held) != [3]int{2, 2, 2} {
		t.Errorf("split into %v and %v of each class, want 9 and 2", count(train), count(held))
	}
	all := slices.Concat(train.x.Data, held.x.Data)
	sorted := slices.Clone(l.x.Data)
	slices.Sort(all)
	slices.Sort(sorted)
	if !slices.Equal(all, sorted) {
		t.Error("the two parts together are not the whole")
	}
	if _, other := l.split(2); slices.Equal(held.x.Data, other.x.Data) {
		t.Error("two seeds hold out the same images")
	}
}

func TestProbeRefuses(t *testing.T) {
	ctx := context.Background()
	train := clouds(1, 2, 9, 4, 1)
	with := func(change func(f *Features)) *Features {
		f := clouds(1, 2, 9, 4, 1)
		change(f)
		return f
	}
	unlabelled := with(func(f *Features) { clear(f.Labels) })
	one := with(func(f *Features) { f.Labels = slices.Repeat([]string{"x"}, 18) })
	strangers := with(func(f *Features) { f.Labels = slices.Repeat([]string{"y"}, 18) })
	for _, c := range []struct {
		train, val *Features
		o          *ProbeOptions
		want       string
	}{
		{unlabelled, nil, nil, "eval: probe: the training set has no labels"},
		{one, nil, nil, `eval: probe: the training set has only the class "x", want two or more`},
		{train, strangers, nil, "eval: probe: no image to choose L2 by: the validation set has none of the classes, or no class has five images to hold one out"},
		{train, clouds(1, 2, 9, 5, 1), nil, "eval: probe: embeddings of 5 numbers beside a training set's of 4"},
		{train, nil, &ProbeOptions{L2: -1}, "eval: probe: L2 is -1, want a number of 0 or more"},
	} {
		fails(t, c.want, func() error { _, err := FitProbe(ctx, c.train, c.val, c.o); return err })
	}
	p, err := FitProbe(ctx, train, strangers, &ProbeOptions{L2: 1})
	check(t, err)
	wrong, err := p.Classify(strangers)
	check(t, err)
	if wrong.N() != 18 || wrong.Accuracy() != 0 || wrong.Mismatch() == nil {
		t.Errorf("%d images, accuracy %g, %v: want 18, 0 and a mismatch", wrong.N(), wrong.Accuracy(), wrong.Mismatch())
	}
	fails(t, "eval: a probe of embeddings of 4 numbers cannot take 5",
		func() error { _, err := p.Classify(clouds(1, 2, 9, 5, 1)); return err })
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := FitProbe(canceled, train, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// TestKNNByDefinition sorts all neighbours of each image; many are as near.
func TestKNNByDefinition(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(1, 3))
	drawn := func(n int) *Features {
		f := &Features{Images: &encoder.Embeddings{N: n, Dim: 3, Data: make([]float32, 3*n)}, Keys: make([]string, n)}
		for i := range f.Images.Data {
			f.Images.Data[i] = float32(rng.IntN(5)-2) / 8 // sums are exact
		}
		for range n {
			f.Labels = append(f.Labels, string(rune('a'+rng.IntN(7))))
		}
		return f
	}
	train, test := drawn(150), drawn(80)
	train.Labels[3], test.Labels[3] = "", ""
	for _, o := range []KNNOptions{{}, {K: 1}, {K: 7, Temperature: 0.5}, {K: 1000, Temperature: 1}} {
		got, err := test.KNN(ctx, train, &o)
		check(t, err)
		k, temperature := o.K, o.Temperature
		if k == 0 {
			k, temperature = 20, 0.07
		}
		if o.K == 1 {
			temperature = 0.07
		}
		want := newClassification([]string{"a", "b", "c", "d", "e", "f", "g"}, false)
		for i, label := range test.Labels {
			if label == "" {
				continue
			}
			sim := func(j int) (sum float64) {
				for d, v := range test.Images.Row(i) {
					sum += float64(v) * float64(train.Images.Row(j)[d])
				}
				return sum
			}
			var order []int
			for j, l := range train.Labels {
				if l != "" {
					order = append(order, j)
				}
			}
			slices.SortStableFunc(order, func(a, b int) int {
				if d := sim(b) - sim(a); d != 0 {
					return int(math.Copysign(1, d))
				}
				return 0
			})
			p, sum := make([]float64, 7), 0.0
			for _, j := range order[:min(k, len(order))] {
				w := math.Exp((sim(j) - sim(order[0])) / temperature)
				p[train.Labels[j][0]-'a'] += w
				sum += w
			}
			for c := range p {
				p[c] /= sum
			}
			want.addProbabilities(int(label[0]-'a'), p)
		}
		if fmt.Sprint(got.Confusion, got.Top5, got.Calibration.Bins) != fmt.Sprint(want.Confusion, want.Top5, want.Calibration.Bins) {
			t.Errorf("%+v: got %v, top five %d, want %v, %d", o, got.Confusion, got.Top5, want.Confusion, want.Top5)
		}
		if len(got.Skipped) != 1 {
			t.Errorf("skipped %v, want the one without a label", got.Skipped)
		}
	}
	fails(t, "eval: k-NN: K is -1 and Temperature 0.07, want both above 0", func() error { _, err := test.KNN(ctx, train, &KNNOptions{K: -1}); return err })
	clear(train.Labels)
	fails(t, "eval: k-NN: the training set has no labels", func() error { _, err := test.KNN(ctx, train, nil); return err })
}

// TestProbeOfSeparableClasses: where every penalty is right on all that was held out, the
// probe is not the one that says 50 % of everything.
func TestProbeOfSeparableClasses(t *testing.T) {
	f := clouds(1, 2, 40, 8, 0.05)
	p, err := FitProbe(t.Context(), f, nil, nil)
	check(t, err)
	z, err := p.Classify(f)
	check(t, err)
	if ece := z.Calibration.ECE(); z.Accuracy() != 1 || !(ece < 0.05) {
		t.Errorf("accuracy %g, calibration error %g with L2 %g, want 1 and below 0.05", z.Accuracy(), ece, p.L2)
	}
}

// TestClassOnlyInTheTestSet: its images count as wrong, for all methods alike.
func TestClassOnlyInTheTestSet(t *testing.T) {
	train, test := clouds(1, 2, 20, 8, 0.05), clouds(1, 3, 20, 8, 0.05)
	p, err := FitProbe(t.Context(), train, nil, nil)
	check(t, err)
	probed, err := p.Classify(test)
	check(t, err)
	near, err := test.KNN(t.Context(), train, nil)
	check(t, err)
	for name, z := range map[string]*Classification{"probe": probed, "k-NN": near} {
		if z.N() != 60 || len(z.Unknown) != 1 || z.Unknown[0].Images != 20 || !(z.Accuracy() < 0.67) || !(z.Balanced() < 0.67) {
			t.Errorf("%s: %d images, unknown %v, accuracy %g, balanced %g: want 60 of which 20 are wrong", name, z.N(), z.Unknown, z.Accuracy(), z.Balanced())
		}
	}
}
