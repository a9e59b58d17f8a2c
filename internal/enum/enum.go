// Package enum gives the values of small integer types names, for
// configurations as text.
package enum

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// String returns the name of v, or its number where it has none.
func String[E ~uint8](v E, names map[E]string) string {
	if name, ok := names[v]; ok {
		return name
	}
	return fmt.Sprintf("%d (unknown)", v)
}

// Valid is an error unless v has a name.
func Valid[E ~uint8](v E, names map[E]string) error {
	if _, ok := names[v]; !ok {
		return fmt.Errorf("is %d, want %s", v, list(names))
	}
	return nil
}

// Marshal returns the name of v.
func Marshal[E ~uint8](v E, names map[E]string) ([]byte, error) {
	if err := Valid(v, names); err != nil {
		return nil, err
	}
	return []byte(names[v]), nil
}

// Unmarshal gives v the value of a name.
func Unmarshal[E ~uint8](v *E, text []byte, names map[E]string) error {
	for value, name := range names {
		if name == string(text) {
			*v = value
			return nil
		}
	}
	return fmt.Errorf("is %q, want %s", text, list(names))
}

// list is the names in the order of their values, as in "a, b or c".
func list[E ~uint8](names map[E]string) string {
	var words []string
	for _, v := range slices.Sorted(maps.Keys(names)) {
		words = append(words, names[v])
	}
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
