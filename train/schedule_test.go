package train_test

import (
	"math"
	"testing"

	"github.com/goclip/goclip/train"
)

// TestSchedules compares with open_clip's scheduler.py, written down once more:
// 100 steps of which 10 are warm-up and, of the last one, 20 cooldown.
func TestSchedules(t *testing.T) {
	const lr, warmup, cooldown, steps = 0.5, 10, 20, 100
	for _, c := range []struct {
		name     string
		schedule train.Schedule
		after    func(step float64) float64
	}{
		{"cosine", train.Cosine(lr, warmup, steps), func(s float64) float64 {
			return 0.5 * (1 + math.Cos(math.Pi*(s-warmup)/(steps-warmup))) * lr
		}},
		{"linear", train.Linear(lr, warmup, steps), func(s float64) float64 { return lr - lr*(s-warmup)/(steps-warmup) }},
		{"constant", train.Constant(lr, warmup), func(float64) float64 { return lr }},
		{"constant with cooldown", train.ConstantCooldown(lr, warmup, cooldown, steps), func(s float64) float64 {
			if s < steps-cooldown {
				return lr
			}
			return (1 - (s-(steps-cooldown))/cooldown) * lr
		}},
	} {
		for step := range steps {
			want := c.after(float64(step))
			if step < warmup {
				want = lr * float64(step+1) / warmup
			}
			if got := c.schedule(step); !(math.Abs(got-want) <= 1e-15) {
				t.Errorf("%s: step %d has rate %g, want %g", c.name, step, got, want)
			}
		}
		if got := c.schedule(steps + 5); c.name != "constant" && got != 0 {
			t.Errorf("%s: after the last step the rate is %g, want 0", c.name, got)
		}
	}
}

// TestSchedulesWithoutWarmup begin at the full rate, also where nothing is left
// to fall.
func TestSchedulesWithoutWarmup(t *testing.T) {
	for name, s := range map[string]train.Schedule{
		"cosine": train.Cosine(1, 0, 1), "linear": train.Linear(1, 0, 1),
		"constant": train.Constant(1, 0), "constant with cooldown": train.ConstantCooldown(1, 0, 0, 1),
	} {
		if got := s(0); got != 1 {
			t.Errorf("%s: the first rate is %g, want 1", name, got)
		}
	}
}
