package train

import "math"

// Schedule gives the learning rate of each step, counted from 0. All schedules
// of this package begin with a linear warm-up to lr.
type Schedule func(step int) float64

// Cosine falls from lr to zero along half a cosine until the last step, as in
// CLIP's training.
func Cosine(lr float64, warmup, steps int) Schedule {
	return func(step int) float64 {
		return lr * rise(step, warmup) * (1 + math.Cos(math.Pi*done(step, warmup, steps))) / 2
	}
}

// Linear falls from lr to zero along a straight line until the last step.
func Linear(lr float64, warmup, steps int) Schedule {
	return func(step int) float64 {
		return lr * rise(step, warmup) * (1 - done(step, warmup, steps))
	}
}

// Constant stays at lr.
func Constant(lr float64, warmup int) Schedule {
	return func(step int) float64 { return lr * rise(step, warmup) }
}

// ConstantCooldown stays at lr and falls to zero along a straight line over the
// last steps, cooldown of them (Zhai et al., 2022, Scaling Vision Transformers).
// To train longer, resume from the checkpoint before the cooldown.
func ConstantCooldown(lr float64, warmup, cooldown, steps int) Schedule {
	return func(step int) float64 {
		return lr * rise(step, warmup) * (1 - done(step, steps-cooldown, steps))
	}
}

// rise is the warm-up's part of the rate, 1 after it.
func rise(step, warmup int) float64 {
	return math.Min(1, float64(step+1)/float64(max(warmup, 1)))
}

// done is how much of a fall over the steps from one to another lies behind.
func done(step, from, to int) float64 {
	return math.Min(1, math.Max(0, float64(step-from)/float64(max(to-from, 1))))
}
