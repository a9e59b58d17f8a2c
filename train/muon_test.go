package train_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/train"
)

// muon is a run's configuration.
func muon(steps int) train.Config {
	cfg := config(steps)
	cfg.Optimizer = train.OptimizerMuon
	return cfg
}

// slowMuon is the definition in float64: the update of a matrix of so many rows from its gradient, and its momentum.
func slowMuon(w, momentum, g []float64, rows int, rate, decay, beta float64) {
	cols := len(g) / rows
	x, norm := make([]float64, len(g)), 0.0
	for i, d := range g {
		momentum[i] = beta*momentum[i] + (1-beta)*d
		x[i] = beta*momentum[i] + (1-beta)*d
		norm += x[i] * x[i]
	}
	for i := range x {
		x[i] /= math.Sqrt(norm) + 1e-7
	}
	for range 5 {
		gram := slowProduct(x, slowTranspose(x, rows, cols), rows, cols, rows)
		once := slowProduct(gram, x, rows, rows, cols)
		twice := slowProduct(gram, once, rows, rows, cols)
		for i := range x {
			x[i] = 3.4445*x[i] - 4.7750*once[i] + 2.0315*twice[i]
		}
	}
	for i, d := range x {
		w[i] -= rate * (decay*w[i] + 0.2*math.Sqrt(float64(max(rows, cols)))*d)
	}
}

func slowTranspose(x []float64, rows, cols int) []float64 {
	y := make([]float64, len(x))
	for i := range rows {
		for j := range cols {
			y[j*rows+i] = x[i*cols+j]
		}
	}
	return y
}

func slowProduct(a, b []float64, m, k, n int) []float64 {
	c := make([]float64, m*n)
	for i := range m {
		for j := range n {
			for p := range k {
				c[i*n+j] += a[i*k+p] * b[p*n+j]
			}
		}
	}
	return c
}

func wide(x []float32, factor float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v) * factor
	}
	return y
}

// TestMuonByDefinition: matrices follow the definition in float64, wide and tall ones,
// with clipping, decay and a rate of each layer, and the first step of all others is AdamW's, to the bit.
func TestMuonByDefinition(t *testing.T) {
	cfg := muon(4)
	cfg.ClipNorm, cfg.LayerDecay, cfg.Momentum, cfg.MuonRate = 0.5, 0.8, 0.9, 3
	m, other := model(t, 1), model(t, 1)
	tr, err := train.New(m, cfg)
	check(t, err)
	momenta, shapes := map[string][]float64{}, map[bool]int{}
	for step := range 4 {
		before := map[string][]float64{}
		for _, p := range m.Params() {
			before[p.Name] = wide(p.Data, 1)
		}
		stats, err := tr.Step(context.Background(), pairs(t, 16*step, 16))
		check(t, err)
		scale := min(1, cfg.ClipNorm/stats.GradNorm)
		for _, p := range m.Params() {
			if !p.Multiplies() {
				continue
			}
			if momenta[p.Name] == nil {
				momenta[p.Name] = make([]float64, len(p.Data))
				shapes[p.Shape[0] > len(p.Data)/p.Shape[0]]++
			}
			depth := m.Text().(interface{ Depth(string) int }).Depth(p.Name)
			if strings.HasPrefix(p.Name, "visual.") {
				depth = m.Vision().(interface{ Depth(string) int }).Depth(p.Name)
			}
			rate := cfg.MuonRate * stats.LR * math.Pow(cfg.LayerDecay, float64(depth))
			want, start := before[p.Name], append([]float64(nil), before[p.Name]...)
			slowMuon(want, momenta[p.Name], wide(tr.Gradient(p.Name), scale), p.Shape[0], rate, cfg.WeightDecay, cfg.Momentum)
			var diff, moved, largest float64
			for i, v := range p.Data {
				diff = max(diff, math.Abs(float64(v)-want[i]))
				moved = max(moved, math.Abs(want[i]-start[i]))
				largest = max(largest, math.Abs(want[i]))
			}
			// The weight is rounded twice.
			if tol := 1e-4*moved + 2*0x1p-24*largest; !(diff <= tol && moved > 0) {
				t.Errorf("step %d, %s: moved by %g and off by %g, want at most %g", step, p.Name, moved, diff, tol)
			}
		}
	}
	if shapes[true] == 0 || shapes[false] == 0 {
		t.Errorf("%d tall matrices, %d others, want some of both", shapes[true], shapes[false])
	}

	m = model(t, 1)
	adamW := cfg
	adamW.Optimizer, adamW.Momentum, adamW.MuonRate = train.OptimizerAdamW, 0, 0
	for x, c := range map[*encoder.Model]train.Config{m: cfg, other: adamW} {
		tr, err := train.New(x, c)
		check(t, err)
		_, err = tr.Step(context.Background(), pairs(t, 0, 16))
		check(t, err)
	}
	for i, p := range m.Params() {
		if q := other.Params()[i]; !p.Multiplies() {
			sameBits(t, p.Name, p.Data, q.Data)
		}
	}
}

// TestMuonLearns in fewer steps than AdamW at the same rate.
func TestMuonLearns(t *testing.T) {
	const steps = 60
	last := map[train.Optimizer]float64{}
	for _, o := range []train.Optimizer{train.OptimizerAdamW, train.OptimizerMuon} {
		cfg := config(steps)
		cfg.Optimizer = o
		tr, err := train.New(model(t, 1), cfg)
		check(t, err)
		for i := range steps {
			s, err := tr.Step(context.Background(), pairs(t, 16*(i%8), 16))
			check(t, err)
			last[o] += s.Loss * float64(i/(steps-8)) / 8
		}
	}
	if got, other := last[train.OptimizerMuon], last[train.OptimizerAdamW]; !(got < 0.97*other) {
		t.Errorf("a mean loss of %.3f in the last steps, and of %.3f with AdamW: want less", got, other)
	}
}

// TestMuonResumes: an interrupted run ends as one that was not, to the bit, and one of AdamW
// does not go on from it.
func TestMuonResumes(t *testing.T) {
	src := drawn(t, 60)
	fit := func(dir string, steps int, cfg train.Config) ([]float32, error) {
		m := model(t, 1)
		tr, err := train.New(m, cfg)
		check(t, err)
		err = tr.Fit(context.Background(), src, plan(dir, steps))
		return weights(m), err
	}
	dir := filepath.Join(t.TempDir(), "run")
	want, err := fit("", 8, muon(8))
	check(t, err)
	_, err = fit(dir, 4, muon(8))
	check(t, err)
	got, err := fit(dir, 8, muon(8))
	check(t, err)
	sameBits(t, "weights", got, want)
	if _, err := fit(dir, 9, config(8)); err == nil || !strings.Contains(err.Error(), "train.Optimizer") {
		t.Errorf("got error %v, want one of train.Optimizer", err)
	}
}

// TestMuonOnRanks: a run goes on on another number of ranks, to the same bytes.
func TestMuonOnRanks(t *testing.T) {
	change := func(c *train.Config, m *encoder.Model) *encoder.Model {
		c.Optimizer = train.OptimizerMuon
		return m
	}
	whole, dir := t.TempDir(), t.TempDir()
	check(t, errors.Join(ranked(t, 1, 9, whole, 1, change)...))
	for i, n := range []int{3, 1, 4, 2} {
		check(t, errors.Join(ranked(t, n, []int{2, 4, 7, 9}[i], dir, 1, change)...))
	}
	last := func(dir string) map[string][]byte {
		const name = "step-00000009.safetensors"
		return map[string][]byte{name: checkpointFiles(t, dir)[name]}
	}
	sameFiles(t, "on 3, 1, 4 and 2 ranks", last(dir), last(whole))
}

// TestMuonIsChecked before it is silently something else.
func TestMuonIsChecked(t *testing.T) {
	for _, c := range []struct {
		change func(*train.Config)
		want   string
	}{
		{func(c *train.Config) { c.Optimizer = 7 }, "Optimizer"},
		{func(c *train.Config) { c.Momentum = 1 }, "Momentum is 1, want"},
		{func(c *train.Config) { c.Optimizer, c.Momentum = train.OptimizerAdamW, 0.9 }, "Momentum 0.9 and MuonRate 0 beside Optimizer adamw"},
		{func(c *train.Config) { c.MuonRate = -1 }, "MuonRate is -1, want"},
		{func(c *train.Config) { c.LockImage, c.LockText = true, true }, "no matrix is trained"},
	} {
		cfg := muon(1)
		c.change(&cfg)
		if _, err := train.New(model(t, 1), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %s", err, c.want)
		}
	}
}
