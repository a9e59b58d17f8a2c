package eval

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxTemplates is the size of a file of templates in bytes.
const maxTemplates = 1 << 20

// ReadTemplates reads prompt templates, one per line, in the form of CLIP's
// published lists: {} stands for the label, and a line may be quoted and end in
// a comma, as an element of a Python list. Empty lines, lines that begin with #
// and those with a bracket alone are left out.
func ReadTemplates(r io.Reader) ([]string, error) {
	if r == nil {
		return nil, errors.New("eval: templates: the reader is nil")
	}
	data, err := io.ReadAll(io.LimitReader(r, maxTemplates+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("eval: templates: %w", err)
	case len(data) > maxTemplates:
		return nil, fmt.Errorf("eval: templates: more than %d bytes", maxTemplates)
	case !utf8.Valid(data):
		return nil, errors.New("eval: templates: not valid UTF-8")
	}
	var templates []string
	for i, line := range strings.Split(string(data), "\n") {
		line = unquote(strings.TrimSpace(line))
		switch {
		case line == "" || line == "[" || line == "]" || strings.HasPrefix(line, "#"):
		case !strings.Contains(line, "{}"):
			return nil, fmt.Errorf("eval: templates: line %d: %.60q has no {} for the label", i+1, line)
		default:
			templates = append(templates, line)
		}
	}
	if len(templates) == 0 {
		return nil, errors.New("eval: templates: there are none")
	}
	return templates, nil
}

// unquote takes the quotes and the comma from an element of a list.
func unquote(line string) string {
	inner := strings.TrimSuffix(line, ",")
	for _, quote := range []string{"'", `"`} {
		if len(inner) >= 2 && strings.HasPrefix(inner, quote) && strings.HasSuffix(inner, quote) {
			return strings.ReplaceAll(inner[1:len(inner)-1], `\`+quote, quote)
		}
	}
	return line
}
