package fewshot

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/goclip/goclip/encoder"
)

// Draw picks shots examples and val validation images of each class at random,
// without putting any back, and returns their places in the list of classes.
func Draw(of []int, classes, shots, val int, seed uint64) (examples, validation []int, err error) {
	if shots < 1 || val < 0 {
		return nil, nil, fmt.Errorf("fewshot: %d examples and %d validation images a class, want 1 and 0 at least", shots, val)
	}
	have := make([]int, classes)
	for _, i := range rand.New(rand.NewPCG(seed, 0xfe75407)).Perm(len(of)) {
		c := of[i]
		if c < 0 || c >= classes {
			return nil, nil, fmt.Errorf("fewshot: image %d has class %d, want 0 to %d", i, c, classes-1)
		}
		switch have[c]++; {
		case have[c] <= shots:
			examples = append(examples, i)
		case have[c] <= shots+val:
			validation = append(validation, i)
		}
	}
	for c, n := range have {
		if n < shots+val {
			return nil, nil, fmt.Errorf("fewshot: class %d has %d images, want %d examples and %d for validation", c, n, shots, val)
		}
	}
	return examples, validation, nil
}

// Method is a way to learn, with its name.
type Method struct {
	Name string
	Fit  func(context.Context, Task) (Head, error)
}

// Methods returns those of this package.
func Methods() []Method {
	return []Method{
		{"nearest mean", func(_ context.Context, t Task) (Head, error) { return NearestMean(t) }},
		{"linear probe", func(ctx context.Context, t Task) (Head, error) { return Probe(ctx, t) }},
		{"Tip-Adapter", func(_ context.Context, t Task) (Head, error) { return TipAdapter(t) }},
		{"Tip-Adapter-F", func(ctx context.Context, t Task) (Head, error) { return TipAdapterF(ctx, t, Finetune{}) }},
	}
}

// Study compares methods on one test set, from several draws of examples.
type Study struct {
	Text  *encoder.Embeddings // as in [Task]
	Scale float64
	Pool  Set // where examples and validation images are drawn from; the model should not have seen it
	Test  Set

	Shots   []int    // examples a class; nil means 1, 2, 4, 8 and 16
	Seeds   int      // draws of each number; zero means 5
	Val     int      // validation images a class at most, never more than examples; zero means 4
	Methods []Method // nil means Methods()
}

// Result is what one method made of one number of examples.
type Result struct {
	Method string
	Shots  int
	Runs   []Run // one for each draw; draw i is the same for all methods
}

// Run counts the test images of each class and those of them that were
// recognised.
type Run struct{ Right, Of []int }

// Accuracy is the share of the images of the classes given, or of all.
func (r Run) Accuracy(classes ...int) float64 {
	right, of := 0, 0
	for c := range r.Of {
		if len(classes) == 0 || slices.Contains(classes, c) {
			right, of = right+r.Right[c], of+r.Of[c]
		}
	}
	return float64(right) / float64(of)
}

// Test counts how a head does on a set.
func Test(h Head, s Set, classes int) Run {
	r := Run{make([]int, classes), make([]int, classes)}
	for i, got := range Predict(h, s.Images) {
		want := s.Classes[i]
		if r.Of[want]++; got == want {
			r.Right[want]++
		}
	}
	return r
}

// Run trains and tests every method with every number of examples. What is
// finished goes to done, which may be nil.
func (s Study) Run(ctx context.Context, done func(Result)) ([]Result, error) {
	if s.Shots == nil {
		s.Shots = []int{1, 2, 4, 8, 16}
	}
	if s.Seeds == 0 {
		s.Seeds = 5
	}
	if s.Val == 0 {
		s.Val = 4
	}
	if s.Methods == nil {
		s.Methods = Methods()
	}
	if s.Seeds < 1 || s.Val < 1 || len(s.Shots) == 0 {
		return nil, fmt.Errorf("fewshot: %d numbers of examples, Seeds %d, Val %d, want 1 or more", len(s.Shots), s.Seeds, s.Val)
	}
	whole := Task{Text: s.Text, Scale: s.Scale, Shots: s.Pool, Val: s.Test}
	if err := whole.validate(true); err != nil {
		return nil, fmt.Errorf("%w (of Pool and Test)", err)
	}
	var results []Result
	for _, shots := range s.Shots {
		row := make([]Result, len(s.Methods))
		for seed := range s.Seeds {
			examples, val, err := Draw(s.Pool.Classes, s.Text.N, shots, min(shots, s.Val), uint64(seed))
			if err != nil {
				return nil, err
			}
			t := Task{Text: s.Text, Scale: s.Scale, Shots: s.Pool.pick(examples), Val: s.Pool.pick(val)}
			for i, m := range s.Methods {
				head, err := m.Fit(ctx, t)
				if err != nil {
					return nil, fmt.Errorf("fewshot: %s, %d examples: %w", m.Name, shots, err)
				}
				row[i].Runs = append(row[i].Runs, Test(head, s.Test, s.Text.N))
			}
		}
		for i, m := range s.Methods {
			row[i].Method, row[i].Shots = m.Name, shots
			if done != nil {
				done(row[i])
			}
		}
		results = append(results, row...)
	}
	return results, nil
}

func (s Set) pick(places []int) Set {
	out := Set{Images: &encoder.Embeddings{N: len(places), Dim: s.Images.Dim}}
	for _, i := range places {
		out.Images.Data = append(out.Images.Data, s.Images.Row(i)...)
		out.Classes = append(out.Classes, s.Classes[i])
	}
	return out
}

// Interval returns the mean of independent measurements and half the width of its
// 95 % confidence interval by Student's t.
func Interval(values []float64) (mean, half float64, err error) {
	n := float64(len(values))
	if n < 2 {
		return 0, 0, errors.New("fewshot: an interval wants two measurements at least")
	}
	for _, v := range values {
		mean += v / n
	}
	var squares float64
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	freedom := n - 1
	t := distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile(0.975)
	return mean, t * math.Sqrt(squares/freedom/n), nil
}
