package train_test

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/train"
)

// TestAdaptersAreTrainedAlone: the model's own weights keep their bits and have
// no gradient, and the loss falls.
func TestAdaptersAreTrainedAlone(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(*train.Config)
		frozen string // prefix of adapters that stay, too
	}{
		"all":                 {func(*train.Config) {}, "none"},
		"in micro-batches":    {func(c *train.Config) { c.MicroBatch = 3 }, "none"},
		"locked image tower":  {func(c *train.Config) { c.LockImage = true }, "visual."},
		"frozen by a pattern": {func(c *train.Config) { c.Freeze = []string{"transformer.*lora*"} }, "transformer."},
	} {
		t.Run(name, func(t *testing.T) {
			m := model(t, 1)
			check(t, m.AddLoRA(encoder.LoRA{Rank: 4, Alpha: 8}, 1))
			cfg := config(60)
			cfg.LR, cfg.MaxLogitScale = train.Constant(5e-3, 0), 2 // a clamp that the temperature of a training would meet
			c.set(&cfg)
			tr, err := train.New(m, cfg)
			check(t, err)
			before := weights(m)
			fresh := make(map[string][]float32)
			for _, p := range m.Adapters() {
				fresh[p.Name] = slices.Clone(p.Data)
			}
			b := noise(m, 8)
			b.Groups = nil
			var losses []float64
			for range 40 {
				s, err := tr.StepBatch(context.Background(), b)
				check(t, err)
				losses = append(losses, s.Loss)
			}
			if last := losses[len(losses)-1]; !(last < losses[0]/2) {
				t.Errorf("the loss went from %g to %g, want less than half", losses[0], last)
			}
			sameBits(t, "the model's own weights", weights(m), before)
			for _, p := range m.Adapters() {
				if same := slices.Equal(p.Data, fresh[p.Name]); same != strings.HasPrefix(p.Name, c.frozen) {
					t.Errorf("%s stayed as it was: %t", p.Name, same)
				}
			}
			// Input 1 of a linear layer is its weight, inputs 1 and 2 of a norm its own.
			for _, op := range []string{"linear.grad1", "linear.grad2", "layer norm.grad1", "layer norm.grad2", "matmul.grad1", "patch embedding.grad1", "token embedding.grad1"} {
				if n := train.Ops(tr)[op]; n != 0 {
					t.Errorf("%d of %s are computed, for a weight that is not trained", n, op)
				}
			}
		})
	}
}

// TestAdaptersOfAMappedModel: fine-tuning reads the checkpoint where it lies.
func TestAdaptersOfAMappedModel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	check(t, model(t, 1).Save(dir))
	m, err := encoder.Load(dir, &encoder.Options{Tokenizer: letters.Tokenizer{}})
	check(t, err)
	defer m.Close()
	if _, err := train.New(m, config(1)); err == nil || !strings.Contains(err.Error(), "or give it LoRA adapters") {
		t.Errorf("without adapters: got error %v", err)
	}
	check(t, m.AddLoRA(encoder.LoRA{Rank: 2}, 1))
	tr, err := train.New(m, config(10))
	check(t, err)
	s, err := tr.StepBatch(context.Background(), noise(m, 8))
	check(t, err)
	if !(s.GradNorm > 0) || math.IsInf(s.GradNorm, 0) {
		t.Errorf("gradient norm %g", s.GradNorm)
	}
}

// TestAdaptersGoOn: a run of adapters on a mapped model that stops goes on to the
// same bits, does not write to the model's file, and is refused on other weights
// and with other adapters.
func TestAdaptersGoOn(t *testing.T) {
	save := func(seed uint64) string {
		dir := filepath.Join(t.TempDir(), "model")
		check(t, model(t, seed).Save(dir))
		return dir
	}
	fit := func(base string, rank int, checkpoints string, steps int) ([]float32, error) {
		m, err := encoder.Load(base, &encoder.Options{Tokenizer: letters.Tokenizer{}})
		check(t, err)
		defer m.Close()
		check(t, m.AddLoRA(encoder.LoRA{Rank: rank}, 1))
		cfg := config(6)
		cfg.PatchDropout = 0.25
		tr, err := train.New(m, cfg)
		check(t, err)
		err = tr.Fit(context.Background(), drawn(t, 60), plan(checkpoints, steps))
		var all []float32
		for _, p := range m.Adapters() {
			all = append(all, p.Data...)
		}
		return all, err
	}
	base, dir := save(1), filepath.Join(t.TempDir(), "run")
	want, err := fit(base, 2, "", 6)
	check(t, err)
	_, err = fit(base, 2, dir, 4)
	check(t, err)
	for what, run := range map[string]struct {
		base string
		rank int
	}{"weights of the model": {save(2), 2}, "lora.Rank": {base, 3}} {
		if _, err := fit(run.base, run.rank, dir, 6); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("with another base or rank: got error %v, want …%s…", err, what)
		}
	}
	got, err := fit(base, 2, dir, 6)
	check(t, err)
	sameBits(t, "adapters", got, want)
}
