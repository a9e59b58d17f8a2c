package logistic

import (
	"context"
	"math"
)

// memory is how many steps the estimate of the curvature is made from, and most
// how many are made.
const (
	memory = 20
	most   = 20_000
)

// minimise follows L-BFGS (Nocedal and Wright, Numerical Optimization, 2nd ed.,
// algorithm 7.5) from x, which it changes, until no element of the gradient is
// larger than the tolerance, or no step along the direction lowers the value: in
// a convex problem that is the limit of rounding. The gradient that f returns
// may be overwritten by its next call.
func minimise(ctx context.Context, x []float64, tolerance float64, f func(x []float64) (value float64, grad []float64)) error {
	var steps []curve
	value, grad := f(x)
	grad = append([]float64(nil), grad...)
	next := make([]float64, len(x))
	for range most {
		if err := ctx.Err(); err != nil {
			return err
		}
		if largest(grad) <= tolerance {
			return nil
		}
		d := direction(steps, grad)
		slope := dot(d, grad)
		length := 1.0
		if len(steps) == 0 {
			length = math.Min(1, 1/math.Sqrt(-slope))
		}
		// Halving until the value falls by a part of what the slope promises; the
		// problem is convex, so the curvature along the step is positive.
		var v float64
		var g []float64
		for {
			for i := range x {
				next[i] = x[i] + length*d[i]
			}
			if v, g = f(next); v <= value+1e-4*length*slope {
				break
			}
			if length /= 2; length < 1e-12 {
				return nil
			}
		}
		s := curve{make([]float64, len(x)), make([]float64, len(x)), 0}
		for i := range x {
			s.dx[i], s.dg[i] = next[i]-x[i], g[i]-grad[i]
		}
		if s.inner = dot(s.dx, s.dg); s.inner > 0 {
			if steps = append(steps, s); len(steps) > memory {
				steps = steps[1:]
			}
		}
		value = v
		copy(x, next)
		copy(grad, g)
	}
	return nil
}

// curve is one step and how the gradient changed along it.
type curve struct {
	dx, dg []float64
	inner  float64 // dx · dg
}

// direction is minus the gradient times the estimate of the inverse Hessian, by
// the two loops of algorithm 7.4.
func direction(steps []curve, grad []float64) []float64 {
	d := make([]float64, len(grad))
	for i, g := range grad {
		d[i] = -g
	}
	part := make([]float64, len(steps))
	for k := len(steps) - 1; k >= 0; k-- {
		part[k] = dot(steps[k].dx, d) / steps[k].inner
		axpy(d, -part[k], steps[k].dg)
	}
	if n := len(steps); n > 0 {
		scale := steps[n-1].inner / dot(steps[n-1].dg, steps[n-1].dg)
		for i := range d {
			d[i] *= scale
		}
	}
	for k, s := range steps {
		axpy(d, part[k]-dot(s.dg, d)/s.inner, s.dx)
	}
	return d
}

func dot(a, b []float64) float64 {
	var sum float64
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func axpy(dst []float64, alpha float64, x []float64) {
	for i, v := range x {
		dst[i] += alpha * v
	}
}
