package eval

import (
	"fmt"
	"io"
	"maps"
	"path"
	"strings"

	"github.com/goclip/goclip/internal/lists"
)

// ReadTemplates reads prompt templates, in which {} stands for the label: one a line;
// several in quotes, or between vertical bars, semicolons or tabs; Python's and JSON's
// lists, CLIP's published functions (lambda c: f'a photo of a {c}.'), and CLIP_benchmark's
// {c}. Empty lines and those that begin with # are left out. The text may have a byte
// order mark, be UTF-16, and have any ends of lines.
func ReadTemplates(r io.Reader) ([]string, error) {
	templates, err := lists.Templates(r)
	if err != nil {
		return nil, fmt.Errorf("eval: templates: %w", err)
	}
	return templates, nil
}

// Label is one class of a list.
type Label struct {
	Name string
	// IDs are what else a set may call it: its number, or an id as WordNet's n01440764,
	// where the list has them.
	IDs []string
}

// ReadLabels reads a list of classes, in its order, from a file of the given name,
// which may be empty: one a line, quoted or not, with numbers before all lines or ids of
// WordNet or Open Images (n01440764 tench, Tinca tinca); lists, dicts and maps of Python
// and JSON; a table with a column label, class, name or category, in a .csv or .tsv also
// the only one. Lines that begin with # are comments. The text may have a byte order
// mark, be UTF-16, and have any ends of lines. The same name may be there twice. A line
// that looks like syntax and not like a label is an error.
func ReadLabels(r io.Reader, file string) ([]Label, error) {
	ext := strings.ToLower(path.Ext(file))
	names, err := lists.Names(r, ext == ".csv" || ext == ".tsv")
	if err != nil {
		return nil, fmt.Errorf("eval: labels: %w", err)
	}
	labels := make([]Label, len(names))
	for i, n := range names {
		labels[i] = Label{n.Name, n.IDs}
	}
	return labels, nil
}

// LabelNames returns the names of labels, and the name for each id that is not itself a
// name: see [dataset.Options].Names. An id of two names is left out.
func LabelNames(labels []Label) (names []string, byID map[string]string) {
	taken := make(map[string]bool)
	for _, l := range labels {
		names = append(names, l.Name)
		taken[lists.Words(l.Name)] = true
	}
	byID = make(map[string]string)
	for _, l := range labels {
		for _, id := range l.IDs {
			if other, ok := byID[id]; ok && other != l.Name {
				taken[lists.Words(id)] = true
			}
			byID[id] = l.Name
		}
	}
	maps.DeleteFunc(byID, func(id, _ string) bool { return taken[lists.Words(id)] })
	return names, byID
}
