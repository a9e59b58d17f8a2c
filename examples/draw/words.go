package main

import (
	"slices"
	"strings"
)

// kinds are words that can stand for each other in a prompt.
var kinds = [][]string{
	strings.Fields("red green blue yellow purple pink cyan brown"),
	strings.Fields("circle square triangle star cross ring heart diamond"),
	{"above", "below", "left of", "right of"},
}

// rivals are the prompt with one known word changed: what a picture of it should
// not be taken for. A prompt without known words has none.
func rivals(prompt string) []string {
	var out []string
	words := strings.Fields(strings.ReplaceAll(prompt, " of ", " of_ "))
	for i := range words {
		if i+1 < len(words) && words[i+1] == "of_" {
			words[i] += " of" // "left of" is one word here
		}
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == "of_" })
	for i, w := range words {
		for _, kind := range kinds {
			if !slices.Contains(kind, w) {
				continue
			}
			for _, other := range kind {
				if other != w {
					changed := slices.Clone(words)
					changed[i] = other
					out = append(out, strings.Join(changed, " "))
				}
			}
		}
	}
	return out
}

// figures is how many shapes the prompt names, 1 or 2; two where it names none.
func figures(prompt string) int {
	n := 0
	for _, w := range strings.Fields(prompt) {
		if slices.Contains(kinds[1], w) {
			n++
		}
	}
	if n == 1 {
		return 1
	}
	return 2
}

// twenty are the prompts of the proof.
var twenty = []string{
	"a red circle", "a blue square", "a yellow star", "a green heart", "a purple ring", "a cyan diamond",
	"a pink triangle", "a brown cross", "a green circle", "a blue star", "a pink heart", "a yellow triangle",
	"a red ring", "a purple square", "a cyan cross", "a brown diamond",
	"a small red circle above a blue square", "a green star below a red heart",
	"a yellow circle left of a purple square", "a cyan triangle right of a red cross",
}
