package train_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/train"
)

// noise is a batch of n random images and captions of 3 to 30 letters.
func noise(m *encoder.Model, n int) *train.Batch {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	cfg := m.Config()
	side := cfg.Vision.Dims().ImageSize
	length, size := cfg.Text.Dims().ContextLength, 3*side[0]*side[1]
	b := &train.Batch{N: n, Pixels: make([]float32, n*size), Tokens: make([]int32, n*length)}
	for i := range b.Pixels {
		b.Pixels[i] = float32(rng.NormFloat64())
	}
	for i := range n {
		letters := make([]byte, 3+rng.IntN(28))
		for j := range letters {
			letters[j] = byte('a' + rng.IntN(26))
		}
		m.Tokenizer().Encode(b.Tokens[i*length:][:length], string(letters))
		b.Groups = append(b.Groups, int32(i-i%7/6)) // one pair of seven shares its caption with the one before
	}
	return b
}

// TestMicroBatchesAreExact compares loss and gradients with those of the batch
// at once.
func TestMicroBatchesAreExact(t *testing.T) {
	for _, c := range []struct {
		name     string
		n, micro int
		set      func(*train.Config)
	}{
		{"512 by 32", 512, 32, func(*train.Config) {}},
		{"with a rest", 50, 16, func(*train.Config) {}},
		{"one by one", 6, 1, func(*train.Config) {}},
		{"sigmoid", 40, 8, func(c *train.Config) { c.Loss = loss.Sigmoid{} }},
		{"several texts", 40, 8, func(c *train.Config) { c.LabelSmoothing = 0.1 }},
		{"locked image tower", 40, 8, func(c *train.Config) { c.LockImage = true }},
		{"locked towers", 40, 8, func(c *train.Config) { c.LockImage, c.LockText = true, true }},
		{"frozen temperature", 40, 8, func(c *train.Config) { c.Freeze = []string{"logit_scale"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(micro int) (train.Stats, map[string][]float32) {
				m := model(t, 1)
				cfg := config(1)
				c.set(&cfg)
				if cfg.Loss != nil {
					m = biased(t)
				}
				cfg.MicroBatch = micro
				tr, err := train.New(m, cfg)
				check(t, err)
				b := noise(m, c.n)
				if c.name == "several texts" {
					b = withTexts(m, b)
				}
				stats, err := tr.StepBatch(context.Background(), b)
				check(t, err)
				grads := make(map[string][]float32)
				for _, p := range m.Params() {
					if g := tr.Gradient(p.Name); g != nil {
						grads[p.Name] = slices.Clone(g)
					}
				}
				return stats, grads
			}
			wantStats, want := run(0)
			gotStats, got := run(c.micro)
			if gotStats.Loss != wantStats.Loss {
				t.Errorf("loss %v, want %v to the bit: embeddings do not depend on the batch around them", gotStats.Loss, wantStats.Loss)
			}
			if len(got) != len(want) {
				t.Errorf("%d gradients, want %d", len(got), len(want))
			}
			for name, w := range want {
				var top float64
				for _, v := range w {
					top = math.Max(top, math.Abs(float64(v)))
				}
				for i := range w {
					if diff := math.Abs(float64(got[name][i]) - float64(w[i])); !(diff <= 1e-5*top+1e-9) {
						t.Fatalf("gradient of %s[%d] is %g, want %g, the largest being %g", name, i, got[name][i], w[i], top)
					}
				}
			}
		})
	}
}

// TestMicroBatchMemory: a batch of 256 by 16 takes little more memory than a
// batch of 16, far from that of 256.
func TestMicroBatchMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	heap := func() float64 { // when pools and the finalizers of earlier tests have let go of all
		least, same := math.Inf(1), 0
		for same < 3 {
			runtime.GC()
			time.Sleep(time.Millisecond)
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			if same++; float64(s.HeapAlloc) < least-1e4 {
				least, same = float64(s.HeapAlloc), 0
			}
		}
		return least
	}
	measure := func(n, micro int) float64 {
		m := model(t, 1)
		cfg := config(1)
		cfg.MicroBatch = micro
		b := noise(m, n)
		before := heap()
		tr, err := train.New(m, cfg)
		check(t, err)
		_, err = tr.StepBatch(context.Background(), b)
		check(t, err)
		used := heap() - before
		runtime.KeepAlive(tr)
		runtime.KeepAlive(b)
		return used
	}
	small, large, cached, half := measure(16, 0), measure(256, 0), measure(256, 16), measure(128, 16)
	report := fmt.Sprintf("a step of 16 pairs keeps %.2f MB, of 256 %.2f MB, of 256 by 16 %.2f MB, of 128 by 16 %.2f MB", small/1e6, large/1e6, cached/1e6, half/1e6)
	// Beyond the small step's own there are the towers without gradients, the sum
	// of the gradients, and the embeddings with their similarities.
	if !(cached <= large/4 && cached-half <= large/32 && large >= 8*small) {
		t.Errorf("%s; want the third below a quarter of the second, and the fourth near it", report)
	}
}

// TestMicroBatchesStop between two of them when the context ends, and nothing
// has changed.
func TestMicroBatchesStop(t *testing.T) {
	m := model(t, 1)
	cfg := config(1)
	cfg.MicroBatch = 4
	tr, err := train.New(m, cfg)
	check(t, err)
	before := weights(m)
	ctx := &expiring{Context: context.Background(), left: 3}
	if _, err := tr.StepBatch(ctx, noise(m, 16)); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	sameBits(t, "weights after the interrupted step", weights(m), before)
	if ctx.left != 0 || tr.Steps() != 0 {
		t.Errorf("%d looks at the context left and %d steps done, want none", ctx.left, tr.Steps())
	}
}

// expiring is cancelled after it was looked at a number of times.
type expiring struct {
	context.Context
	left int
}

func (e *expiring) Err() error {
	if e.left == 0 {
		return context.Canceled
	}
	e.left--
	return nil
}

// biased is the small model with SigLIP's bias.
func biased(t testing.TB) *encoder.Model {
	t.Helper()
	cfg, bias := model(t, 1).Config(), -4.0
	cfg.LogitBias = &bias
	m, err := encoder.New(cfg, letters.Tokenizer{}, 1)
	check(t, err)
	return m
}
