package eval

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadTemplates(t *testing.T) {
	got, err := ReadTemplates(strings.NewReader("# prompts\r\n[\n  'a bad photo of a {}.',\n\"the child's {}\" ,\n'the child\\'s {}',\n]\n\n{}, seen from above\n'{}'\n"))
	check(t, err)
	want := []string{"a bad photo of a {}.", "\"the child's {}\" ,", "the child's {}", "{}, seen from above", "{}"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for input, want := range map[string]string{
		"":                        "eval: templates: there are none",
		"# nothing\n":             "eval: templates: there are none",
		"a {}\na photo\n":         `eval: templates: line 2: "a photo" has no {} for the label`,
		"a \xff {}":               "eval: templates: not valid UTF-8",
		strings.Repeat("a", 2e6):  "eval: templates: more than 1048576 bytes",
		"'a photo of a {c}.',\n,": `eval: templates: line 1: "a photo of a {c}." has no {} for the label`,
	} {
		fails(t, want, func() error { _, err := ReadTemplates(strings.NewReader(input)); return err })
	}
	fails(t, "eval: templates: gone", func() error { _, err := ReadTemplates(iotest.ErrReader(errors.New("gone"))); return err })
}

// FuzzReadTemplates: whatever is accepted is one line and takes a label.
func FuzzReadTemplates(f *testing.F) {
	f.Add("a {}\n'b {}',\n# c\n")
	f.Fuzz(func(t *testing.T, input string) {
		got, err := ReadTemplates(strings.NewReader(input))
		if err != nil {
			if got != nil {
				t.Errorf("%q beside the error %v", got, err)
			}
			return
		}
		for _, template := range got {
			if !strings.Contains(template, "{}") || strings.Contains(template, "\n") {
				t.Errorf("template %q", template)
			}
		}
	})
}
