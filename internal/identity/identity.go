// Package identity makes canonical descriptions of settings: equal settings
// have equal descriptions, in this version and in later ones.
package identity

import (
	"fmt"
	"image/color"
	"reflect"
	"slices"
	"strings"
)

// Describe returns the exported fields of a struct that are not zero, as in
// "EmbedDim=512 Width=768", in the order of their names. So a field that is added
// later, and whose zero means what was always meant, changes no description. A field
// with the struct tag `identity:"-"` has no part in it: what it says is known from
// elsewhere.
func Describe(settings any) string {
	var parts []string
	for _, f := range Fields(settings) {
		parts = append(parts, f.Name+"="+f.Value)
	}
	return strings.Join(parts, " ")
}

// Canonical is settings of which several values mean the same.
type Canonical interface {
	// Canonical returns the one of them that is described.
	Canonical() any
}

// Field is one setting that is not its default.
type Field struct{ Name, Value string }

// Fields lists what [Describe] describes, a nested struct's fields with its name in
// front. Functions and channels have no description and are left out.
func Fields(settings any) []Field {
	if c, ok := settings.(Canonical); ok {
		settings = c.Canonical()
	}
	var list []Field
	collect(&list, "", reflect.ValueOf(settings))
	slices.SortFunc(list, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func collect(list *[]Field, name string, v reflect.Value) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		if c, ok := v.Interface().(color.Color); ok {
			r, g, b, a := c.RGBA()
			*list = append(*list, Field{name, fmt.Sprint([]uint32{r, g, b, a})})
			return
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() && f.Tag.Get("identity") != "-" && !v.Field(i).IsZero() {
				collect(list, strings.TrimPrefix(name+"."+f.Name, "."), v.Field(i))
			}
		}
		return
	}
	if v.IsValid() && v.Kind() != reflect.Func && v.Kind() != reflect.Chan {
		*list = append(*list, Field{name, fmt.Sprint(v.Interface())})
	}
}
