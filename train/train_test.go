package train_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/dataset/shapes"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

var raceDetector bool

func model(t testing.TB, seed uint64) *encoder.Model {
	t.Helper()
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{32, 32}, PatchSize: 8, Width: 32, Layers: 2, Heads: 2, EmbedDim: 16,
			Activation: nn.QuickGELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 40, VocabSize: 130, Width: 32, Layers: 1, Heads: 2, EmbedDim: 16,
			Activation: nn.QuickGELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: &vision.Preprocess{
			Size: [2]int{32, 32}, Resize: vision.ResizeShortest, Interpolation: vision.Bicubic,
			Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25},
		},
	}, letters.Tokenizer{}, seed)
	check(t, err)
	return m
}

// pairs are n drawn images from number from on.
func pairs(t testing.TB, from, n int) []dataset.Pair {
	t.Helper()
	src, err := shapes.Set{Seed: 1}.Train(from + n)
	check(t, err)
	out := make([]dataset.Pair, n)
	for i := range out {
		out[i], err = src.At(from + i).Pair(0)
		check(t, err)
	}
	return out
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func config(steps int) train.Config {
	return train.Config{LR: train.Cosine(2e-3, 2, steps), WeightDecay: 0.1, ClipNorm: 1}
}

// TestOverfits: eight pairs are soon told apart.
func TestOverfits(t *testing.T) {
	tr, err := train.New(model(t, 1), config(60))
	check(t, err)
	batch := pairs(t, 0, 8)
	var first, last train.Stats
	for i := range 60 {
		s, err := tr.Step(context.Background(), batch)
		check(t, err)
		if i == 0 {
			first = s
		}
		last = s
	}
	if diff := math.Abs(first.Chance - math.Log(8)); !(diff <= 1e-12) {
		t.Errorf("chance is %g, want ln 8", first.Chance)
	}
	if !(first.Loss > 1) || !(last.Loss < 0.05) {
		t.Errorf("loss went from %g to %g, want from above 1 to below 0.05", first.Loss, last.Loss)
	}
}

// TestSeedsAreBits: two runs end with the same weights, also on one core.
func TestSeedsAreBits(t *testing.T) {
	weights := func(procs int) []float32 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		m := model(t, 3)
		tr, err := train.New(m, config(4))
		check(t, err)
		for i := range 4 {
			_, err := tr.Step(context.Background(), pairs(t, 16*i, 16))
			check(t, err)
		}
		var all []float32
		for _, p := range m.Params() {
			all = append(all, p.Data...)
		}
		return all
	}
	want := weights(4)
	for _, procs := range []int{4, 1} {
		got := weights(procs)
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("on %d cores weight %d is %g, want %g to the bit", procs, i, got[i], want[i])
			}
		}
	}
}

// TestSteadyMemory: a step in steady state allocates under 2 MB, and the heap
// does not grow over 1,000 steps.
func TestSteadyMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	steps := 1000
	if testing.Short() {
		steps = 100
	}
	tr, err := train.New(model(t, 1), config(2*steps))
	check(t, err)
	b, err := tr.Prepare(pairs(t, 0, 16))
	check(t, err)
	run := func(n int) runtime.MemStats {
		for range n {
			_, err := tr.StepBatch(context.Background(), b)
			check(t, err)
		}
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s
	}
	before := run(10)
	after := run(steps)
	if perStep := (after.TotalAlloc - before.TotalAlloc) / uint64(steps); perStep > 2<<20 {
		t.Errorf("a step allocates %d bytes, want at most 2 MiB", perStep)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("the heap grew by %d bytes over %d steps", grown, steps)
	}
}

// TestNaN stops the training with the step and the tensor, and keeps the weights.
func TestNaN(t *testing.T) {
	m := model(t, 1)
	tr, err := train.New(m, config(10))
	check(t, err)
	batch := pairs(t, 0, 4)
	_, err = tr.Step(context.Background(), batch)
	check(t, err)
	b, err := tr.Prepare(batch)
	check(t, err)
	b.Pixels[5] = float32(math.NaN())
	var before []float32
	for _, p := range m.Params() {
		before = append(before, p.Data...)
	}
	_, err = tr.StepBatch(context.Background(), b)
	for _, want := range []string{"step 1", "not finite in the pixels of image 0 of the batch"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
	i := 0
	for _, p := range m.Params() {
		for _, v := range p.Data {
			if math.Float32bits(v) != math.Float32bits(before[i]) {
				t.Fatalf("%s changed", p.Name)
			}
			i++
		}
	}
	if _, err := tr.Step(context.Background(), batch); err != nil {
		t.Errorf("the next good batch: %v", err)
	}
}

// TestEqualCaptions are no negatives of each other, unless asked for.
func TestEqualCaptions(t *testing.T) {
	batch := pairs(t, 0, 4)
	batch[1].Caption = batch[0].Caption
	batch[3].Label = batch[2].Label
	for groups, want := range map[train.Groups]string{train.GroupByCaption: "[0 0 2 3]", train.GroupByLabel: "", train.GroupNone: "[0 1 2 3]"} {
		cfg := config(1)
		cfg.Groups = groups
		tr, err := train.New(model(t, 1), cfg)
		check(t, err)
		b, err := tr.Prepare(batch)
		check(t, err)
		if got := fmt.Sprint(b.Groups); want != "" && got != want {
			t.Errorf("Groups %v: got %s, want %s", groups, got, want)
		}
		if groups == train.GroupByLabel && b.Groups[3] != b.Groups[2] {
			t.Errorf("pairs of one label are in groups %v", b.Groups)
		}
	}
}

func TestBadInput(t *testing.T) {
	m := model(t, 1)
	tr, err := train.New(m, config(1))
	check(t, err)
	fails := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
	_, err = tr.Step(context.Background(), nil)
	fails("a batch of 0 pairs, want 2 or more: a contrastive loss needs negatives", err)
	_, err = tr.Step(context.Background(), pairs(t, 0, 1))
	fails("a batch of 1 pairs, want 2 or more: a contrastive loss needs negatives", err)
	_, err = tr.StepBatch(context.Background(), &train.Batch{N: 2, Pixels: make([]float32, 3)})
	fails("3 pixel values for 2 images of 3072", err)
	_, err = train.New(m, train.Config{})
	fails("LR is missing", err)
	cfg := config(1)
	cfg.Loss = loss.Sigmoid{}
	_, err = train.New(m, cfg)
	fails("Loss is sigmoid, but the model has no logit bias", err)
	cfg = config(1)
	cfg.Groups = 7
	_, err = train.New(m, cfg)
	fails("Groups is 7, want caption, label or none", err)
	long := pairs(t, 0, 2)
	long[0].Caption = strings.Repeat("word ", 50)
	s, err := tr.Step(context.Background(), long)
	check(t, err)
	if s.Truncated < 1 {
		t.Errorf("%d captions counted as truncated, want at least 1", s.Truncated)
	}
}

// TestAdamWIsAGorgoniaSolver runs it on a plain gorgonia graph against the
// algorithm in float64.
func TestAdamWIsAGorgoniaSolver(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	data, target := make([]float32, 6), make([]float32, 6)
	w, m, v := make([]float64, 6), make([]float64, 6), make([]float64, 6)
	for i := range data {
		data[i], target[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
		w[i] = float64(data[i])
	}
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float32, G.WithName("x"), G.WithShape(2, 3),
		G.WithValue(tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(data))))
	y := G.NewMatrix(g, tensor.Float32, G.WithName("y"), G.WithShape(2, 3),
		G.WithValue(tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(target))))
	cost := G.Must(G.Sum(G.Must(G.Square(G.Must(G.Sub(x, y))))))
	_, err := G.Grad(cost, x)
	check(t, err)
	vm := G.NewTapeMachine(g, G.BindDualValues(x))
	solver := &train.AdamW{LR: 0.1, Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: 0.2}
	for step := 1; step <= 5; step++ {
		check(t, vm.RunAll())
		check(t, solver.Step(G.NodesToValueGrads(G.Nodes{x})))
		if d, err := x.Grad(); err == nil { // bound gradients add up over runs
			clear(d.Data().([]float32))
		}
		vm.Reset()
		for i := range w {
			grad := 2 * (w[i] - float64(target[i]))
			w[i] *= 1 - 0.1*0.2
			m[i] = 0.9*m[i] + 0.1*grad
			v[i] = 0.98*v[i] + 0.02*grad*grad
			w[i] -= 0.1 * m[i] / (1 - math.Pow(0.9, float64(step))) / (math.Sqrt(v[i]/(1-math.Pow(0.98, float64(step)))) + 1e-6)
			if diff := math.Abs(float64(data[i]) - w[i]); !(diff <= 1e-5) {
				t.Fatalf("step %d: weight %d is %g, want %g", step, i, data[i], w[i])
			}
		}
	}
}
