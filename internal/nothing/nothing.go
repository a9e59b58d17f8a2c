// Package nothing calls functions with nothing, for the tests of what they say then.
package nothing

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"strings"
)

// Panics calls functions, and all methods of other values, with zero values in the place
// of arguments, but for a context, and returns what panicked, each as "name: value".
func Panics(values ...any) []string {
	var all []string
	for _, value := range values {
		v := reflect.ValueOf(value)
		if v.Kind() == reflect.Func && v.Type().NumMethod() == 0 {
			name := runtime.FuncForPC(v.Pointer()).Name()
			all = append(all, call(name[strings.LastIndex(name, "/")+1:], v)...)
			continue
		}
		for i := range v.NumMethod() {
			all = append(all, call(fmt.Sprintf("(%T).%s", value, v.Type().Method(i).Name), v.Method(i))...)
		}
	}
	return all
}

func call(name string, f reflect.Value) (panics []string) {
	defer func() {
		if r := recover(); r != nil {
			panics = []string{fmt.Sprintf("%s: %v", name, r)}
		}
	}()
	for _, out := range f.Call(arguments(f.Type())) {
		if out.Kind() != reflect.Func || out.IsNil() {
			continue
		}
		if t := out.Type(); t.CanSeq() || t.CanSeq2() {
			out.Call([]reflect.Value{reflect.MakeFunc(t.In(0), func([]reflect.Value) []reflect.Value {
				return []reflect.Value{reflect.ValueOf(false)}
			})})
		} else {
			out.Call(arguments(t))
		}
	}
	return nil
}

func arguments(f reflect.Type) []reflect.Value {
	in := make([]reflect.Value, f.NumIn())
	for i := range in {
		in[i] = reflect.Zero(f.In(i))
		if f.In(i) == reflect.TypeFor[context.Context]() {
			in[i] = reflect.ValueOf(context.Background())
		}
	}
	if f.IsVariadic() {
		in = in[:len(in)-1]
	}
	return in
}
