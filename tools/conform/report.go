package main

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// testCase is one comparison with the reference, of one input or of what belongs to
// it.
type testCase struct {
	group string // such as "family:siglip": a line of the table, and a name of the list of what is to come
	name  string
	run   func(ctx context.Context, r *report) error
}

// comparison is the largest difference between two tensors and what is allowed.
type comparison struct {
	what      string
	diff, tol float64
	where     string // of the difference; empty where there is none
}

func (c comparison) ok() bool { return c.diff <= c.tol }

// ratio is the difference in tolerances; a NaN counts as more than any number.
func (c comparison) ratio() float64 {
	switch {
	case c.diff == 0:
		return 0
	case c.diff > 0 && c.tol > 0:
		return c.diff / c.tol
	}
	return math.Inf(1)
}

func (c comparison) String() string {
	if c.ok() {
		return fmt.Sprintf("%s: difference %.2g, tolerance %.2g", c.what, c.diff, c.tol)
	}
	return fmt.Sprintf("%s: difference %.4g, tolerance %.2g, %s", c.what, c.diff, c.tol, c.where)
}

// report gathers the comparisons of a case.
type report struct{ all []comparison }

// near compares two tensors. The difference of a NaN and anything is NaN, also
// where both are.
func (r *report) near(what string, got, want []float32, tol float64) {
	if len(got) != len(want) {
		r.mismatch(what, "got %d numbers, want %d", len(got), len(want))
		return
	}
	if len(want) == 0 {
		r.mismatch(what, "the tensor is empty")
		return
	}
	c := comparison{what: what, tol: tol}
	for i, w := range want {
		d := math.Abs(float64(got[i]) - float64(w))
		if !(d <= c.diff) && !math.IsNaN(c.diff) {
			c.diff, c.where = d, fmt.Sprintf("at %d: got %v, want %v", i, got[i], w)
		}
	}
	r.all = append(r.all, c)
}

// number is near for one number.
func (r *report) number(what string, got, want, tol float64) {
	c := comparison{what: what, tol: tol, diff: math.Abs(got - want)}
	if c.diff != 0 {
		c.where = fmt.Sprintf("got %v, want %v", got, want)
	}
	r.all = append(r.all, c)
}

// same compares what must be equal. The difference is the number of places.
func same[T comparable](r *report, what string, got, want []T) {
	if len(got) != len(want) {
		r.mismatch(what, "got %d, want %d: %v, want %v", len(got), len(want), got, want)
		return
	}
	c := comparison{what: what}
	for i, w := range want {
		if got[i] != w {
			if c.diff == 0 {
				c.where = fmt.Sprintf("first at %d: got %v, want %v", i, got[i], w)
			}
			c.diff++
		}
	}
	r.all = append(r.all, c)
}

// mismatch notes two things that cannot be compared.
func (r *report) mismatch(what, format string, args ...any) {
	r.all = append(r.all, comparison{what: what, diff: math.Inf(1), where: fmt.Sprintf(format, args...)})
}

var errTooFar = errors.New("too far from the reference")

// errUnsupported is wrapped by the failure of a case that asks for what goclip does not
// do.
var errUnsupported = errors.New("not supported")

func notSupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUnsupported, fmt.Sprintf(format, args...))
}

// summary shows the worst comparison and counts the others.
func (r *report) summary() (line string, err error) {
	failed := 0
	for _, c := range r.all {
		if !c.ok() {
			failed++
			err = errTooFar
		}
	}
	line = r.worst().String()
	switch {
	case failed > 1:
		line += fmt.Sprintf(" (%d of %d comparisons fail, this the worst)", failed, len(r.all))
	case len(r.all) > 1:
		line += fmt.Sprintf(" (the worst of %d)", len(r.all))
	}
	return line, err
}

// worst returns the comparison closest to its tolerance, or furthest above it.
func (r *report) worst() comparison {
	worst := r.all[0]
	for _, c := range r.all {
		if c.ratio() > worst.ratio() || c.ratio() == worst.ratio() && c.tol > worst.tol {
			worst = c
		}
	}
	return worst
}

// guarded runs a case. A panic is the case's failure, and so is a case that
// compared nothing.
func (c testCase) guarded(ctx context.Context, r *report) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if err := c.run(ctx, r); err != nil {
		return err
	}
	if len(r.all) == 0 {
		return errors.New("nothing to compare")
	}
	return nil
}

// largest is the largest absolute value.
func largest(x []float32) float64 {
	var m float64
	for _, v := range x {
		m = math.Max(m, math.Abs(float64(v))) // NaN where there is one
	}
	return m
}
