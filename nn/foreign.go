package nn

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/internal/guard"
)

// guarded is an op of somebody else's type, whose panic becomes an error.
type guarded struct{ G.Op }

// Do implements gorgonia.Op.
func (o guarded) Do(in ...G.Value) (out G.Value, err error) {
	err = guard.Call(func() (err error) {
		out, err = o.Op.Do(in...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("nn: %v: %w", o.Op, err)
	}
	return out, nil
}

// guardForeign puts the ops of a finished graph that are neither ours nor gorgonia's
// behind a guard: gorgonia runs ops on a goroutine of its own, where a panic would
// end the process, and has no place to catch it. Nor has it one to exchange a
// node's op, which is a field that it keeps to itself.
func guardForeign(g *G.ExprGraph) error {
	for _, n := range g.AllNodes() {
		op := n.Op()
		if op == nil || !foreign(op) {
			continue
		}
		field := reflect.ValueOf(n).Elem().FieldByName("op")
		if !field.IsValid() || field.Type() != reflect.TypeFor[G.Op]() {
			return errors.New("nn: this version of gorgonia keeps its ops elsewhere")
		}
		*(*G.Op)(unsafe.Pointer(field.UnsafeAddr())) = guarded{op}
	}
	return nil
}

// foreign tells whether an op's type is neither gorgonia's nor of this package.
func foreign(op G.Op) bool {
	t := reflect.TypeOf(op)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	own := reflect.TypeFor[opNode]().PkgPath()
	return t.PkgPath() != own && !strings.HasPrefix(t.PkgPath(), "gorgonia.org/")
}
