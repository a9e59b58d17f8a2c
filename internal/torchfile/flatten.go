package torchfile

import (
	"errors"
	"fmt"
	"strconv"
)

// Bounds of a flattened value. A pickle may hold itself or share its parts, so
// a short one can spell very many names. Without sharing, each part takes a byte
// of the pickle at least.
const (
	maxDepth     = 128 // a module is two levels, itself and its dict
	maxNameBytes = 16  // for each byte of the pickle
	maxShared    = 4   // bytes of tensors for each byte of the file, which holds shared storages once
	freelyShared = 1 << 20
)

// flattener collects the tensors of nested dicts, lists and modules.
type flattener struct {
	names   []string
	tensors map[string]*tensor
	pickle  int64 // bytes of the pickle
	size    int64 // of the file
	parts   int64 // visited
	bytes   int64 // of names
	data    int64 // bytes of tensors
}

// members returns the named parts of a dict or module.
func members(v any) (*dict, bool) {
	if o, ok := v.(*object); ok {
		v = o.state
	}
	d, ok := v.(*dict)
	return d, ok
}

func (f *flattener) walk(v any, name string, depth int) error {
	f.parts++
	f.bytes += int64(len(name))
	if depth > maxDepth || f.parts > f.pickle || f.bytes > maxNameBytes*f.pickle {
		return fmt.Errorf("the value is nested or shared beyond reason: %d levels, %d parts and %d bytes of names from a pickle of %d bytes",
			depth, f.parts, f.bytes, f.pickle)
	}
	if t, ok := v.(*tensor); ok {
		if f.tensors[name] != nil {
			return fmt.Errorf("two tensors are named %q", name)
		}
		// No sum of parts overflows: each is at most the file.
		if f.data += int64(t.elements()) * int64(t.dtype.Size()); f.data > max(maxShared*f.size, freelyShared) {
			return fmt.Errorf("tensors share storages beyond reason: up to %q, of storage %q, they have %d bytes from a file of %d", name, t.key, f.data, f.size)
		}
		f.names = append(f.names, name)
		f.tensors[name] = t
		return nil
	}
	if items, ok := sequence(v); ok {
		for i, it := range items {
			if err := f.walk(it, join(name, strconv.Itoa(i)), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if o, ok := v.(*object); ok {
		return f.walk(o.state, name, depth+1)
	}
	d, ok := v.(*dict)
	if !ok {
		return nil
	}
	for _, it := range d.items {
		key, err := keyName(it.key)
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if err := f.walk(it.value, join(name, key), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func keyName(key any) (string, error) {
	switch k := key.(type) {
	case string:
		return k, nil
	case int64:
		return strconv.FormatInt(k, 10), nil
	}
	return "", errors.New("a key is " + kind(key) + ", want a string or an int")
}

func join(name, key string) string {
	if name == "" {
		return key
	}
	return name + "." + key
}
