package pairs

import (
	"maps"
	"slices"
	"testing"
)

func TestThereAndBack(t *testing.T) {
	for _, labels := range []map[string]string{nil, {"album": "May"}, {"b": "x=y", "a": "", "c": "ü"}} {
		list := Of(labels)
		if !slices.IsSorted(list) || len(list) != len(labels) {
			t.Errorf("%v as a list is %q", labels, list)
		}
		if got := Map(list); !maps.Equal(got, labels) {
			t.Errorf("%v came back as %v", labels, got)
		}
	}
	if got := Map([]string{"no pair"}); got != nil {
		t.Errorf("what is no pair became %v", got)
	}
}
