package checkpoint

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// maxConfig bounds the size of a JSON file; the largest in use have a few kilobytes.
const maxConfig = 1 << 20

func readConfig(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path) // a pipe would wait for a writer
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSmall(f, path)
}

// readSmall reads all of what has no more than maxConfig bytes.
func readSmall(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	if err == nil && len(b) > maxConfig {
		err = fmt.Errorf("%s has more than %d bytes", name, maxConfig)
	}
	return b, err
}

// object reads the fields of a JSON object, each once; null counts as absent.
// Errors of it and of the objects in it are collected.
type object struct {
	path   string
	fields map[string]json.RawMessage
	errs   *[]error
}

func parseObject(text []byte) *object {
	o := &object{errs: new([]error)}
	if err := json.Unmarshal(text, &o.fields); err != nil {
		o.fail("%v", err)
	} else if o.fields == nil {
		o.fail("is null, want an object")
	}
	return o
}

// fail notes an error, of a text that has an end whatever the file says.
func (o *object) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(text) > maxFault {
		text = strings.ToValidUTF8(text[:maxFault], "") + "…"
	}
	if len(*o.errs) < maxFaults {
		*o.errs = append(*o.errs, errors.New(text))
	}
}

const (
	maxFault  = 1000 // bytes of what is said about one field
	maxFaults = 20
)

// err is what was wrong so far.
func (o *object) err() error { return errors.Join(*o.errs...) }

func (o *object) name(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

// take returns a field's text and forgets the field.
func (o *object) take(key string) (json.RawMessage, bool) {
	raw, ok := o.fields[key]
	delete(o.fields, key)
	return raw, ok && string(raw) != "null"
}

// has reports whether the field is there and not null.
func (o *object) has(key string) bool {
	raw, ok := o.fields[key]
	return ok && string(raw) != "null"
}

// peek returns a string without forgetting the field; empty where it is none.
func (o *object) peek(key string) (s string) {
	_ = json.Unmarshal(o.fields[key], &s) // what is no string is refused by whoever takes it
	return s
}

// isNull reports whether the field is there and null.
func (o *object) isNull(key string) bool { return string(o.fields[key]) == "null" }

// set gives a field a value.
func (o *object) set(key string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		o.fail("%s: %v", o.name(key), err)
		return
	}
	if o.fields == nil {
		o.fields = make(map[string]json.RawMessage)
	}
	o.fields[key] = raw
}

// value returns a field, or def where it is absent.
func value[T int | float64 | bool | string](o *object, key string, def T) T {
	raw, ok := o.take(key)
	if !ok {
		return def
	}
	v := def
	if err := json.Unmarshal(raw, &v); err != nil {
		want := map[string]string{"int": "an integer", "float64": "a number", "bool": "true or false", "string": "a string"}
		o.fail("%s is %s, want %s", o.name(key), short(raw), want[fmt.Sprintf("%T", def)])
		return def
	}
	return v
}

// object returns the object in a field, an empty one where it is absent.
func (o *object) object(key string) *object {
	in := &object{path: o.name(key), errs: o.errs}
	if raw, ok := o.take(key); ok {
		if err := json.Unmarshal(raw, &in.fields); err != nil {
			o.fail("%s is %s, want an object", in.path, short(raw))
		}
	}
	return in
}

// list returns the elements of an array, or nil where the field is absent or
// something else, which it leaves in place.
func list[T int | float64 | string](o *object, key string) []T {
	var v []T
	if o.has(key) && json.Unmarshal(o.fields[key], &v) == nil {
		delete(o.fields, key)
		return v
	}
	return nil
}

// pair reads a side, or a height and a width.
func (o *object) pair(key string, def [2]int) [2]int {
	switch v := list[int](o, key); {
	case len(v) == 2:
		return [2]int(v)
	case v != nil:
		o.fail("%s has %d elements, want a number or 2 of them", o.name(key), len(v))
		return def
	case !o.has(key):
		o.take(key) // a null
		return def
	}
	n := value(o, key, 0)
	return [2]int{n, n}
}

// triple reads a number for each colour, or one for all.
func (o *object) triple(key string, def [3]float32) [3]float32 {
	v := list[float64](o, key)
	switch {
	case v == nil && !o.has(key):
		o.take(key) // a null
		return def
	case v == nil:
		x := value(o, key, 0.0)
		v = []float64{x, x, x}
	case len(v) != 3:
		o.fail("%s has %d elements, want 3", o.name(key), len(v))
		return def
	}
	return [3]float32{float32(v[0]), float32(v[1]), float32(v[2])}
}

// oneOf reads a string and returns what it stands for, given as pairs.
func (o *object) oneOf(key, def string, pairs ...string) string {
	v := value(o, key, def)
	var known []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == v {
			return pairs[i+1]
		}
		if pairs[i] != "" {
			known = append(known, pairs[i])
		}
	}
	o.fail("%s is %q, which is not supported; known are %s", o.name(key), v, strings.Join(known, ", "))
	return ""
}

// enumValue reads a string that is the name of one of the values; where the field is
// absent it is def.
func enumValue[E ~uint8, P interface {
	*E
	encoding.TextUnmarshaler
}](o *object, key string, v P, def E, known ...E) {
	name := fmt.Sprint(def)
	if name = value(o, key, name); v.UnmarshalText([]byte(name)) == nil && slices.Contains(known, *v) {
		return
	}
	var names []string
	for _, k := range known {
		names = append(names, fmt.Sprint(k))
	}
	o.fail("%s is %q, which is not supported; known are %s", o.name(key), name, strings.Join(names, ", "))
	*v = def
}

// only refuses a field that is present with another value than the given ones,
// in JSON.
func (o *object) only(key string, allowed ...string) {
	if raw, ok := o.take(key); ok && !slices.Contains(allowed, string(bytes.TrimSpace(raw))) {
		o.fail("%s is %s, which is not supported", o.name(key), short(raw))
	}
}

// none refuses the fields that were not read.
func (o *object) none() {
	if len(o.fields) == 0 {
		return
	}
	var names []string
	for _, k := range slices.Sorted(maps.Keys(o.fields)) {
		names = append(names, o.name(k))
	}
	if n := len(names) - maxFaults; n > 0 {
		names = append(names[:maxFaults], fmt.Sprintf("and %d more", n))
	}
	o.fail("not supported: %s", strings.Join(names, ", "))
}

// short is text fit for an error's line.
func short(raw []byte) string {
	if len(raw) > 60 {
		return string(raw[:57]) + "…"
	}
	return string(raw)
}
