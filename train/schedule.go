package train

import "math"

// Schedule gives the learning rate of each step, counted from 0.
type Schedule func(step int) float64

// Cosine rises linearly to lr over the warm-up steps and falls to zero along
// half a cosine until the last, as in CLIP's training.
func Cosine(lr float64, warmup, steps int) Schedule {
	return func(step int) float64 {
		if step < warmup {
			return lr * float64(step+1) / float64(warmup)
		}
		done := float64(step-warmup) / float64(max(steps-warmup, 1))
		return lr * (1 + math.Cos(math.Pi*math.Min(done, 1))) / 2
	}
}

// Constant rises linearly to lr over the warm-up steps and stays there.
func Constant(lr float64, warmup int) Schedule {
	return func(step int) float64 { return lr * math.Min(1, float64(step+1)/float64(max(warmup, 1))) }
}
