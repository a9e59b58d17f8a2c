// Package pairs has labels as lists of name=value, for databases that know no maps.
package pairs

import (
	"slices"
	"strings"
)

// Of lists labels, sorted.
func Of(labels map[string]string) []string {
	list := make([]string, 0, len(labels))
	for name, value := range labels {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// Map is the labels of a list, nil for none. What is no pair is left out.
func Map(list []string) map[string]string {
	var labels map[string]string
	for _, l := range list {
		name, value, ok := strings.Cut(l, "=")
		if !ok {
			continue
		}
		if labels == nil {
			labels = make(map[string]string, len(list))
		}
		labels[name] = value
	}
	return labels
}
