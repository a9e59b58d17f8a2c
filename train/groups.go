package train

import (
	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/lists"
)

// Groups says which pairs of a batch are right answers for each other. Its text is
// "caption", "label" or "none".
type Groups uint8

// Which pairs are right answers for each other.
const (
	GroupByCaption Groups = iota // pairs with the same caption
	GroupByLabel                 // pairs whose labels have the same words; pairs without a label, by caption
	GroupNone                    // only a pair's own text and image
)

func groupNames() map[Groups]string {
	return map[Groups]string{GroupByCaption: "caption", GroupByLabel: "label", GroupNone: "none"}
}

func (g Groups) String() string { return enum.String(g, groupNames()) }

// MarshalText returns the name; invalid Groups are an error.
func (g Groups) MarshalText() ([]byte, error) { return enum.Marshal(g, groupNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (g *Groups) UnmarshalText(text []byte) error { return enum.Unmarshal(g, text, groupNames()) }

// number gives pairs that are right answers for each other one number.
func (g Groups) number(pairs []dataset.Pair) []int32 {
	groups, seen := make([]int32, len(pairs)), make(map[string]int32)
	for i, pair := range pairs {
		groups[i] = int32(i)
		key := pair.Caption
		if g == GroupByLabel && pair.Label != "" {
			key = lists.Words(pair.Label)
		}
		if of, ok := seen[key]; ok && g != GroupNone {
			groups[i] = of
		}
		seen[key] = groups[i]
	}
	return groups
}
