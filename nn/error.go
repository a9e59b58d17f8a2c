package nn

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// Error is what layer functions panic with: the layer, what it wanted and what
// came.
type Error struct{ Layer, Msg string }

func (e *Error) Error() string { return e.Layer + ": " + e.Msg }

// Fail panics with an *Error, for [Catch] to turn into an error.
func Fail(layer, format string, args ...any) {
	panic(&Error{layer, fmt.Sprintf(format, args...)})
}

// Catch, deferred by an exported function, stores an *Error panic in *err behind
// the given prefix. Other panics pass through.
func Catch(err *error, prefix string) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = fmt.Errorf("%s: %w", prefix, r)
	default:
		panic(r)
	}
}

// WantShape fails unless x has the given shape; a negative size fits any.
func WantShape(layer, what string, x *G.Node, want ...int) {
	if x == nil {
		Fail(layer, "%s: the node is nil", what)
	}
	got := x.Shape()
	ok := len(got) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = want[i] < 0 || got[i] == want[i]
	}
	if !ok {
		Fail(layer, "%s has shape %v, want %s", what, got, pattern(want))
	}
}

func pattern(want []int) string {
	s := "("
	for i, n := range want {
		if i > 0 {
			s += ", "
		}
		if n < 0 {
			s += "any"
		} else {
			s += fmt.Sprint(n)
		}
	}
	return s + ")"
}
