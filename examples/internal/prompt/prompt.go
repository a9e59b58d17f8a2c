// Package prompt knows the words of the drawn set's captions and what a caption
// becomes when they change.
package prompt

import (
	"slices"
	"strings"
)

// Words that can stand for each other in a caption.
var (
	sizes     = strings.Fields("small medium large")
	colors    = strings.Fields("red green blue yellow purple pink cyan brown")
	shapes    = strings.Fields("circle square triangle star cross ring heart diamond")
	relations = []string{"above", "below", "left of", "right of"}
)

// Rivals are captions that are false where this one is true: it with one word
// changed, and, where it is of two figures, with their colours exchanged, their
// shapes, and both. A caption without known words has none.
func Rivals(caption string) []string {
	words, sizes := split(caption), sizes
	if Figures(caption) > 1 {
		sizes = sizes[:2] // two large ones have no room
	}
	var out []string
	for i, w := range words {
		for _, kind := range [][]string{sizes, colors, shapes, relations} {
			if slices.Contains(kind, w) {
				out = append(out, changed(words, i, kind)...)
			}
		}
	}
	byColor := exchanged(words, colors)
	for _, e := range [][]string{byColor, exchanged(words, shapes), exchanged(byColor, shapes)} {
		if r := strings.Join(e, " "); r != caption && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// Relations are the caption with each relation but its own, none where it has none.
func Relations(caption string) []string {
	words := split(caption)
	for i, w := range words {
		if slices.Contains(relations, w) {
			return changed(words, i, relations)
		}
	}
	return nil
}

// Figures is how many shapes the caption names.
func Figures(caption string) int { return len(places(split(caption), shapes)) }

// split takes "left of" as one word.
func split(caption string) []string {
	var words []string
	for _, w := range strings.Fields(caption) {
		if last := len(words) - 1; w == "of" && last >= 0 && slices.Contains(relations, words[last]+" of") {
			words[last] += " of"
		} else {
			words = append(words, w)
		}
	}
	return words
}

// changed has every other of the kind as word i.
func changed(words []string, i int, kind []string) (out []string) {
	for _, other := range kind {
		if other != words[i] {
			c := slices.Clone(words)
			c[i] = other
			out = append(out, strings.Join(c, " "))
		}
	}
	return out
}

// exchanged has the two words of the kind in each other's places, if there are two.
func exchanged(words, kind []string) []string {
	out := slices.Clone(words)
	if at := places(words, kind); len(at) == 2 {
		out[at[0]], out[at[1]] = out[at[1]], out[at[0]]
	}
	return out
}

func places(words, kind []string) (at []int) {
	for i, w := range words {
		if slices.Contains(kind, w) {
			at = append(at, i)
		}
	}
	return at
}
