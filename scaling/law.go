package scaling

import "math"

// Power is y = E + A·x^−Alpha. What more of x can buy is A·x^−Alpha; E stays.
type Power struct{ E, A, Alpha float64 }

// At returns y at x.
func (p Power) At(x float64) float64 { return p.E + p.A*math.Pow(x, -p.Alpha) }

// Joint is y = E + A/n^Alpha + B/d^Beta over n parameters and d samples. Repeats is how many
// further times all samples can be seen until another look is worth 1/e of a new sample: see
// [Effective]. It is 0 where no run saw one again, and infinite where those showed no loss of worth.
type Joint struct{ E, A, Alpha, B, Beta, Repeats float64 }

// At returns y for n parameters trained on d samples.
func (j Joint) At(n, d float64) float64 { return j.E + j.Params(n) + j.Samples(d) }

// Params is the part of y that more parameters would lessen, A/n^Alpha.
func (j Joint) Params(n float64) float64 { return j.A * math.Pow(n, -j.Alpha) }

// Samples is the part of y that more samples would lessen, B/d^Beta.
func (j Joint) Samples(d float64) float64 { return j.B * math.Pow(d, -j.Beta) }

// Optimal returns the parameters and samples of least y among all that cost the
// same number of FLOPs. One sample costs perSample.At(n) with perSample.E zero:
// for a transformer on T tokens about 6·T·n, so Alpha is near −1; [FitLine] finds
// it.
//
// With c = K·n^γ·d FLOPs, the derivative of y along the budget is zero where
// γ·Beta·B/d^Beta = Alpha·A/n^Alpha.
func (j Joint) Optimal(flops float64, perSample Power) (n, d float64) {
	k, gamma := perSample.A, -perSample.Alpha
	n = math.Pow(j.Alpha*j.A/(gamma*j.Beta*j.B)*math.Pow(flops/k, j.Beta), 1/(j.Alpha+gamma*j.Beta))
	return n, flops / perSample.At(n)
}
