package prompt

import (
	"slices"
	"testing"
)

func TestRivals(t *testing.T) {
	if got := Rivals("something else of a kind"); len(got) != 0 {
		t.Errorf("rivals of a caption without known words: %q", got)
	}
	for caption, want := range map[string][]string{
		"a red ring": {"a pink ring", "a red star"},
		"a photo of a small red ring left of a blue star": {
			"a photo of a medium red ring left of a blue star", "a photo of a small pink ring left of a blue star",
			"a photo of a small red ring right of a blue star", "a photo of a small red ring left of a blue circle",
			"a photo of a small blue ring left of a red star", "a photo of a small red star left of a blue ring",
			"a photo of a small blue star left of a red ring",
		},
		"a red ring above a red star": {"a red star above a red ring"},
	} {
		got := Rivals(caption)
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%q: no rival %q", caption, w)
			}
		}
		for i, r := range got {
			if r == caption || slices.Contains(got[:i], r) {
				t.Errorf("%q: rival %q is the caption or comes twice", caption, r)
			}
		}
	}
	for caption, want := range map[string]int{"a red ring": 7 + 7, "a small red ring": 2 + 7 + 7, "a small red ring above a blue star": 1 + 4*7 + 3 + 3, "a red ring above a blue star": 4*7 + 3 + 3, "a red ring above a red star": 4*7 + 3 + 1} {
		if got := len(Rivals(caption)); got != want {
			t.Errorf("%q has %d rivals, want %d", caption, got, want)
		}
	}
}

func TestRelations(t *testing.T) {
	want := []string{"a ring above a star", "a ring below a star", "a ring right of a star"}
	if got := Relations("a ring left of a star"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Relations("a photo of a ring"); got != nil {
		t.Errorf("got %q for a caption without relation", got)
	}
}

func TestFigures(t *testing.T) {
	for caption, want := range map[string]int{"a sea": 0, "a red circle": 1, "a star right of a star": 2} {
		if got := Figures(caption); got != want {
			t.Errorf("%q: %d figures, want %d", caption, got, want)
		}
	}
}
