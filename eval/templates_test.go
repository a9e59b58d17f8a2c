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
	want := []string{"a bad photo of a {}.", "the child's {}", "the child's {}", "{}, seen from above", "{}"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for input, want := range map[string]string{
		"":                        "eval: templates: there are none",
		"# nothing\n":             "eval: templates: there are none",
		"a {}\na photo\n":         `eval: templates: line 2: "a photo" has no {} for the label`,
		"a \xff {}":               "eval: templates: not valid UTF-8",
		strings.Repeat("a", 9e6):  "eval: templates: more than 8388608 bytes",
		"'a photo of a {x}.',\n,": `eval: templates: line 1: "a photo of a {x}." has no {} for the label`,
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

// TestReadLabels: names with their ids, of which those that are names themselves or of
// two classes name nothing else.
func TestReadLabels(t *testing.T) {
	labels, err := ReadLabels(strings.NewReader("n01440764 tench, Tinca tinca\nn01443537 goldfish\n"), "synsets.txt")
	check(t, err)
	names, ids := LabelNames(labels)
	if !slices.Equal(names, []string{"tench, Tinca tinca", "goldfish"}) || ids["n01440764"] != "tench, Tinca tinca" || len(ids) != 2 {
		t.Errorf("got %q, %v", names, ids)
	}
	_, ids = LabelNames([]Label{{"1", []string{"0"}}, {"0", []string{"1"}}, {"crane", []string{"2"}}, {"crane", []string{"3", "4"}}, {"owl", []string{"4"}}})
	if len(ids) != 2 || ids["2"] != "crane" || ids["3"] != "crane" {
		t.Errorf("got %v, want crane for 2 and 3: numbers that are names are names", ids)
	}
	labels, err = ReadLabels(strings.NewReader("label\na, b\n"), "x.TSV")
	check(t, err)
	if len(labels) != 1 || labels[0].Name != "a, b" {
		t.Errorf("a table of one column: got %v", labels)
	}
	fails(t, "eval: labels: no labels, want one a line", func() error { _, err := ReadLabels(strings.NewReader(" "), ""); return err })
}
