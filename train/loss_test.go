package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/train"
)

// hingeOp is hinge as one node of package nn, with its gradient by hand.
type hingeOp struct{ hinge }

func (h hingeOp) Forward(in loss.Input) (*G.Node, error) {
	b, d := in.Image.Shape()[0], in.Image.Shape()[1]
	grad := make([]float64, b*b) // by the cosines
	dot := func(x, y []float32) (sum float64) {
		for k := range x {
			sum += float64(x[k]) * float64(y[k])
		}
		return sum
	}
	back := func(other int, at func(i, j int) float64) nn.Pullback {
		return nn.Back(func(dx []float32, x nn.Inputs, _, dy []float32) {
			for i := range b {
				for k := range d {
					var sum float64
					for j := range b {
						sum += at(i, j) * float64(x.F32(other)[j*d+k])
					}
					dx[i*d+k] = float32(sum) * dy[0]
				}
			}
		})
	}
	return nn.Apply(nn.Op{
		Name: "hinge",
		Forward: func(y []float32, x nn.Inputs) {
			clear(grad)
			var sum float64
			for i := range b {
				image := x.F32(0)[i*d:][:d]
				for j := range b {
					if v := dot(image, x.F32(1)[j*d:][:d]) - dot(image, x.F32(1)[i*d:][:d]) + float64(h.margin); v > 0 {
						sum += v
						grad[i*b+j] += 1 / float64(b*b)
						grad[i*b+i] -= 1 / float64(b*b)
					}
				}
			}
			y[0] = float32(sum / float64(b*b))
		},
		Backward: []nn.Pullback{
			back(1, func(i, j int) float64 { return grad[i*b+j] }),
			back(0, func(i, j int) float64 { return grad[j*b+i] }),
		},
	}, in.Image, in.Text), nil
}

// plain is cosines and all that else a loss may read, of gorgonia's nodes:
// −scale·mean cosine of the pairs + bias².
type plain struct{}

func (plain) Name() string { return "plain" }

func (plain) Forward(in loss.Input) (*G.Node, error) {
	cosine := G.Must(G.Mean(G.Must(G.Sum(G.Must(G.HadamardProd(in.Image, in.Text)), 1))))
	scaled := G.Must(G.Neg(G.Must(G.Mul(cosine, G.Must(G.Sum(in.Scale))))))
	return G.Add(scaled, G.Must(G.Sum(G.Must(G.Square(in.Bias)))))
}

// TestOwnLoss: one of gorgonia's nodes gives the gradients of one by hand, all at once
// and in micro-batches; what it does not read stays as it is; nobody knows its chance.
func TestOwnLoss(t *testing.T) {
	run := func(l loss.Loss, micro int) (train.Stats, map[string][]float32) {
		m := biased(t)
		cfg := config(3)
		cfg.Loss, cfg.MicroBatch = l, micro
		tr, err := train.New(m, cfg)
		check(t, err)
		b := noise(m, 10)
		stats, err := tr.StepBatch(context.Background(), b)
		check(t, err)
		grads := make(map[string][]float32)
		for _, p := range m.Params() {
			grads[p.Name] = slices.Clone(tr.Gradient(p.Name))
		}
		if p := m.LogitBias(); p.Data[0] != -4 {
			t.Errorf("%s does not read the bias, which moved to %g", l.Name(), p.Data[0])
		}
		_, err = tr.StepBatch(context.Background(), b)
		check(t, err)
		return stats, grads
	}
	want, grads := run(hingeOp{hinge{0.3}}, 0)
	if want.Chance != 0 || !(want.Loss > 0.05) {
		t.Errorf("loss %g and chance %g, want one above 0.05 and none", want.Loss, want.Chance)
	}
	for name, c := range map[string]struct {
		loss  loss.Loss
		micro int
	}{"gorgonia's": {hinge{0.3}, 0}, "in micro-batches": {hinge{0.3}, 4}, "by hand, in micro-batches": {hingeOp{hinge{0.3}}, 4}} {
		t.Run(name, func(t *testing.T) {
			got, its := run(c.loss, c.micro)
			for what, pair := range map[string][2]float64{
				"loss": {got.Loss, want.Loss}, "norm": {got.GradNorm, want.GradNorm},
				"cosine of images": {got.ImageCosine, want.ImageCosine}, "cosine of texts": {got.TextCosine, want.TextCosine},
			} {
				if diff := math.Abs(pair[0] - pair[1]); !(diff <= 1e-5*math.Abs(pair[1])) {
					t.Errorf("%s: got %g, want %g", what, pair[0], pair[1])
				}
			}
			for name, w := range grads {
				top := 0.0
				for _, v := range w {
					top = math.Max(top, math.Abs(float64(v)))
				}
				for i := range w {
					if diff := math.Abs(float64(its[name][i]) - float64(w[i])); !(diff <= 1e-5*top+1e-8) {
						t.Fatalf("gradient of %s[%d] is %g, want %g, the largest being %g", name, i, its[name][i], w[i], top)
					}
				}
			}
		})
	}
}

// TestOwnLossReadsAll: temperature and bias have the gradients of the formula.
func TestOwnLossReadsAll(t *testing.T) {
	for _, micro := range []int{0, 4} {
		m := biased(t)
		cfg := config(1)
		cfg.Loss, cfg.MicroBatch = plain{}, micro
		tr, err := train.New(m, cfg)
		check(t, err)
		s, err := tr.StepBatch(context.Background(), noise(m, 10))
		check(t, err)
		// The loss is −scale·cosine + bias², with scale = exp(logit_scale) and bias = −4.
		for name, want := range map[string]float64{"logit_scale": s.Loss - 16, "logit_bias": -8} {
			if got := float64(tr.Gradient(name)[0]); !(math.Abs(got-want) <= 1e-5*math.Abs(want)) {
				t.Errorf("MicroBatch %d: gradient of %s is %g, want %g", micro, name, got, want)
			}
		}
	}
}

// TestOwnLossGoesOn: a run with a custom loss resumes to the same bits, and is refused
// with a loss of another name.
func TestOwnLossGoesOn(t *testing.T) {
	src := drawn(t, 60)
	fit := func(l loss.Loss, dir string, steps int) ([]float32, error) {
		m := model(t, 1)
		cfg := config(6)
		cfg.Loss = l
		tr, err := train.New(m, cfg)
		check(t, err)
		err = tr.Fit(context.Background(), src, plan(dir, steps))
		return weights(m), err
	}
	dir := filepath.Join(t.TempDir(), "run")
	want, err := fit(hinge{0.3}, "", 6)
	check(t, err)
	_, err = fit(hinge{0.3}, dir, 3)
	check(t, err)
	for _, c := range []struct {
		loss loss.Loss
		name string
	}{{hinge{0.4}, "hinge of margin 0.4"}, {nil, "infonce"}} {
		message := "train.Loss: the checkpoint has hinge of margin 0.3, this run " + c.name
		if _, err := fit(c.loss, dir, 6); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("got error %v, want …%s", err, message)
		}
	}
	got, err := fit(hinge{0.3}, dir, 6)
	check(t, err)
	sameBits(t, "weights of a run in two parts", got, want)
}

// made is a loss of a function, for those that should not be.
type made struct {
	name string
	f    func(in loss.Input) (*G.Node, error)
}

func (m made) Name() string                           { return m.name }
func (m made) Forward(in loss.Input) (*G.Node, error) { return m.f(in) }

func TestOwnLossRefused(t *testing.T) {
	bad := errors.New("not today")
	for want, l := range map[string]loss.Loss{
		"Loss train_test.made has no name":                                  made{},
		`Loss train_test.made is named "infonce", as package loss's own is`: made{name: "infonce"},
		`Loss train_test.made is named "sigmoid", as package loss's own is`: made{name: "sigmoid"},
		"loss odd: not today": made{"odd", func(loss.Input) (*G.Node, error) { return nil, bad }},
		"loss odd: no node":   made{"odd", func(loss.Input) (*G.Node, error) { return nil, nil }},
		"loss odd: it is of type Matrix float32 and shape (8, 16), want":        made{"odd", func(in loss.Input) (*G.Node, error) { return in.Image, nil }},
		"loss odd: it is of type float64 and shape (), want a scalar of float3": made{"odd", double},
		"the cost does not depend on":                                           made{"odd", func(in loss.Input) (*G.Node, error) { return G.Sum(in.Image) }},
	} {
		m := model(t, 1)
		cfg := config(1)
		cfg.Loss = l
		tr, err := train.New(m, cfg)
		if err == nil {
			_, err = tr.StepBatch(context.Background(), noise(m, 8))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want …%s…", err, want)
		}
	}
}

func double(in loss.Input) (*G.Node, error) {
	x := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{1, 2}))
	return G.Sum(G.NodeFromAny(in.Image.Graph(), x, G.WithName("x")))
}

// TestGroupsAreText in both directions.
func TestGroupsAreText(t *testing.T) {
	for g, name := range map[train.Groups]string{train.GroupByCaption: "caption", train.GroupByLabel: "label", train.GroupNone: "none"} {
		text, err := g.MarshalText()
		check(t, err)
		var back train.Groups
		check(t, back.UnmarshalText(text))
		if string(text) != name || fmt.Sprint(g) != name || back != g {
			t.Errorf("%v: text %q, which reads as %v, want %q", g, text, back, name)
		}
	}
}

// TestOneTower: there is nothing to contrast.
func TestOneTower(t *testing.T) {
	cfg := model(t, 1).Config()
	cfg.Text = nil
	m, err := encoder.New(cfg, nil, 1)
	check(t, err)
	if _, err := train.New(m, config(1)); err == nil || !strings.Contains(err.Error(), "one tower") {
		t.Errorf("got error %v, want …one tower…", err)
	}
}
