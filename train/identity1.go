package train

import (
	"maps"
	"slices"
	"strings"
)

// identityOf1 is the identity of a run that the first version wrote, in today's words.
// That version printed settings that were zero, and strings where there are types now.
func identityOf1(saved identity) identity {
	id := maps.Clone(saved)
	if id["model.Vision"] = "vit"; !isNothing(id["model.Vision.Stages"]) {
		id["model.Vision"] = "resnet"
	}
	id["model.Text"] = "transformer"
	if id["model.Text.ProjBias"] == "true" {
		id["model.Text.Proj"] = "linear"
	}
	delete(id, "model.Text.ProjBias")
	// What are zeros now, by name.
	for name, zero := range map[string]string{
		"model.Preprocess.Resize": "shortest", "model.Preprocess.Interpolation": "bicubic", "train.Groups": "caption",
	} {
		if id[name] == zero {
			delete(id, name)
		}
	}
	maps.DeleteFunc(id, func(name, value string) bool {
		return !isSaid(name) && isNothing(value)
	})
	return id
}

// isSaid reports whether a fact is one of those whose zeros are said, too.
func isSaid(name string) bool {
	return strings.HasPrefix(name, "data.") && name != "data.Augment" || strings.HasPrefix(name, schedule)
}

func isNothing(value string) bool {
	return slices.Contains([]string{"", "0", "false", "not set", "[]", "[0 0]", "[0 0 0]", "<nil>"}, value)
}
