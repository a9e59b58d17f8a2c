package main

import (
	"strings"

	"github.com/goclip/goclip/dataset/shapes"
)

// twenty are the prompts of the proof.
var twenty = []string{
	"a red circle", "a blue square", "a yellow star", "a green heart", "a purple ring",
	"a cyan diamond", "a pink triangle", "a brown cross", "a red ring", "a purple square",
	"a small red circle above a blue square", "a brown square above a pink heart", "a purple diamond above a yellow star",
	"a green star below a red heart", "a blue ring below a green triangle",
	"a yellow circle left of a purple square", "a pink ring left of a green cross", "a brown star left of a cyan heart",
	"a cyan triangle right of a red cross", "a blue heart right of a yellow triangle",
}

// templates are those of the drawn set, for prompts that bring their article.
func templates() []string {
	t := shapes.Set{}.Templates()
	for i := range t {
		t[i] = strings.Replace(t[i], "a {}", "{}", 1)
	}
	return t
}
