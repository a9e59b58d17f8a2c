// Package logistic is multinomial logistic regression on frozen features: the
// linear probe. The L2 penalty may pull the weights to zero, as usual, or to a
// given classifier, such as a zero-shot one.
package logistic

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/optimize"
)

// Regression is N examples with D features and a class each. It is not changed
// by fits, several of which may run at once.
type Regression struct {
	x             []float64 // (N, D)
	y             []int     // (N)
	n, d, classes int
}

// Config says which weights are sought: those that minimise
//
//	mean over the examples of −ln softmax(W·x + b)[y] + L2/2 · ‖W − Prior‖²
type Config struct {
	// L2 is the strength of the penalty, which keeps the optimum finite where
	// the classes can be separated. Required, positive. The C of scikit-learn is
	// 1/(N·L2).
	L2    float64
	Bias  bool     // adds b, which is not penalised
	Prior *Weights // what the penalty pulls to; nil is zero
	Start *Weights // where the search begins, as the result for another L2; nil is Prior
	// Tolerance is the largest element of the gradient at the end; zero means 1e-6.
	Tolerance float64
}

// Weights are a linear classifier's.
type Weights struct {
	W []float64 // (C, D)
	B []float64 // (C)
}

// New takes N rows of dim features and their classes, numbers below classes. It
// copies x.
func New(x []float32, dim int, y []int, classes int) (*Regression, error) {
	switch {
	case dim < 1 || classes < 2 || len(y) == 0:
		return nil, fmt.Errorf("logistic: %d examples of %d features and %d classes, want 1, 1 and 2 at least", len(y), dim, classes)
	case len(x) != len(y)*dim:
		return nil, fmt.Errorf("logistic: %d numbers, want %d examples × %d features", len(x), len(y), dim)
	}
	r := &Regression{make([]float64, len(x)), y, len(y), dim, classes}
	for i, c := range y {
		if c < 0 || c >= classes {
			return nil, fmt.Errorf("logistic: example %d has class %d, want 0 to %d", i, c, classes-1)
		}
	}
	for i, v := range x {
		if r.x[i] = float64(v); v-v != 0 {
			return nil, fmt.Errorf("logistic: feature %d of example %d is %g", i%dim, i/dim, v)
		}
	}
	return r, nil
}

// Fit minimises by L-BFGS in float64. The problem is convex and the penalty makes
// the optimum of W unique, so the start changes the time it takes only.
func (r *Regression) Fit(ctx context.Context, c Config) (*Weights, error) {
	size := r.classes * r.d
	switch {
	case !(c.L2 > 0) || math.IsInf(c.L2, 1):
		return nil, fmt.Errorf("logistic: L2 is %g, want a positive number", c.L2)
	case !(c.Tolerance >= 0):
		return nil, fmt.Errorf("logistic: Tolerance is %g, want 0 or more", c.Tolerance)
	case c.Prior != nil && len(c.Prior.W) != size, c.Start != nil && len(c.Start.W) != size:
		return nil, fmt.Errorf("logistic: Prior and Start want %d × %d weights", r.classes, r.d)
	}
	tolerance := cmp.Or(c.Tolerance, 1e-6)
	theta := make([]float64, size+r.classes) // W, and b where it is sought
	if !c.Bias {
		theta = theta[:size]
	}
	if start := c.Start; start != nil || c.Prior != nil {
		if start == nil {
			start = c.Prior
		}
		copy(theta[copy(theta, start.W):], start.B)
	}
	obj := newObjective(r, c)
	theta, err := obj.minimise(ctx, theta, tolerance)
	if err != nil {
		return nil, err
	}
	obj.moveTo(theta)
	if top := largest(obj.grad); !(top <= 100*tolerance) {
		return nil, fmt.Errorf("logistic: not converged: an element of the gradient is still %.2g", top)
	}
	w := &Weights{theta[:size:size], make([]float64, r.classes)}
	copy(w.B, theta[size:])
	return w, nil
}

// objective is what a fit minimises, with its memory.
type objective struct {
	*Regression
	Config
	z     []float64 // logits, then their gradients, (N, C)
	theta []float64 // where cost and grad are known
	cost  float64
	grad  []float64
}

func newObjective(r *Regression, c Config) *objective {
	return &objective{Regression: r, Config: c, z: make([]float64, r.n*r.classes)}
}

// minimise goes by L-BFGS from theta to where each element of the gradient is
// below the tolerance, or where no step lowers the value any more: in a convex
// problem that is the limit of rounding, for which the optimizer has an error.
func (o *objective) minimise(ctx context.Context, theta []float64, tolerance float64) ([]float64, error) {
	result, _ := optimize.Minimize(optimize.Problem{
		Func: func(theta []float64) float64 {
			o.moveTo(theta)
			return o.cost
		},
		Grad: func(grad, theta []float64) {
			o.moveTo(theta)
			copy(grad, o.grad)
		},
		Status: func() (optimize.Status, error) { return optimize.NotTerminated, ctx.Err() },
	}, theta, &optimize.Settings{
		GradientThreshold: tolerance,
		MajorIterations:   20_000,
		Converger:         optimize.NeverTerminate{},
	}, &optimize.LBFGS{})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return result.X, nil
}

// moveTo computes cost and grad at theta, unless it is there already.
func (o *objective) moveTo(theta []float64) {
	if slices.Equal(o.theta, theta) {
		return
	}
	o.theta = append(o.theta[:0], theta...)
	o.grad = slices.Grow(o.grad[:0], len(theta))[:len(theta)]
	size, c := o.classes*o.d, o.classes
	w, bias := theta[:size], theta[size:]
	for i := range o.z {
		o.z[i] = 0
		if len(bias) > 0 {
			o.z[i] = bias[i%c]
		}
	}
	multiply := gonum.Implementation{}.Dgemm
	multiply(blas.NoTrans, blas.Trans, o.n, c, o.d, 1, o.x, o.d, w, o.d, 1, o.z, c)
	o.cost = 0
	for i, y := range o.y {
		o.cost += crossEntropy(o.z[i*c:][:c], y, 1/float64(o.n))
	}
	multiply(blas.Trans, blas.NoTrans, c, o.d, o.n, 1, o.z, c, o.x, o.d, 0, o.grad[:size], o.d)
	for i := range w {
		diff := w[i]
		if o.Prior != nil {
			diff -= o.Prior.W[i]
		}
		o.cost += o.L2 / 2 * diff * diff
		o.grad[i] += o.L2 * diff
	}
	if len(bias) > 0 {
		clear(o.grad[size:])
		for i, g := range o.z {
			o.grad[size+i%c] += g
		}
	}
}

// crossEntropy returns −weight·ln softmax(z)[y] and makes of z its gradient.
func crossEntropy(z []float64, y int, weight float64) float64 {
	top := math.Inf(-1)
	for _, v := range z {
		top = math.Max(top, v)
	}
	var sum float64
	for _, v := range z {
		sum += math.Exp(v - top)
	}
	lse := top + math.Log(sum)
	cost := weight * (lse - z[y])
	for j, v := range z {
		z[j] = weight * math.Exp(v-lse)
	}
	z[y] -= weight
	return cost
}

func largest(x []float64) float64 {
	var top float64
	for _, v := range x {
		top = math.Max(top, math.Abs(v))
	}
	return top
}
