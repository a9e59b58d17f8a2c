package lists

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Templates reads prompt templates, in which {} stands for the label: one a line, several
// in quotes or between vertical bars, semicolons or tabs, lists of Python and of JSON,
// CLIP's own functions (lambda c: f'a photo of a {c}.'), and what CLIP_benchmark writes for
// {}, {c}. What is returned has {}. A template without a place for the label is an error.
func Templates(r io.Reader) ([]string, error) {
	text, err := readText(r)
	if err != nil {
		return nil, err
	}
	list, known, err := templatesOfJSON(text)
	if !known {
		list, err = lines(text)
	}
	if err != nil {
		return nil, err
	}
	var templates []string
	for _, e := range list {
		parts := []string{e.value}
		if !e.quoted {
			if parts, err = apart(e.value); err != nil {
				return nil, fmt.Errorf("line %d: %w", e.line, err)
			}
		}
		for _, part := range parts {
			t := Template(part)
			if !strings.Contains(t, "{}") {
				return nil, fmt.Errorf("line %d: %.60q has no {} for the label", e.line, part)
			}
			templates = append(templates, t)
		}
	}
	if len(templates) == 0 {
		return nil, errors.New("there are none")
	}
	return templates, nil
}

var place = regexp.MustCompile(`\{(?:c|0|label|class|classname|class_name|name)\}`)

// Template is a template as it is used, with {} where another name stands for the label.
func Template(t string) string {
	if strings.Contains(t, "{}") {
		return t
	}
	return place.ReplaceAllString(t, "{}")
}

// apart cuts a line without quotes into its templates.
func apart(line string) ([]string, error) {
	several := func(parts []string) bool {
		for i, p := range parts {
			if parts[i] = strings.TrimSpace(p); strings.Count(Template(p), "{}") != 1 {
				return false
			}
		}
		return len(parts) > 1
	}
	for _, sep := range []string{"\t", "|", ";"} {
		if parts := strings.Split(strings.Trim(line, sep), sep); several(parts) {
			return parts, nil
		}
	}
	if several(strings.Split(line, ",")) {
		return nil, fmt.Errorf("%.60q may be several templates or one with commas: want one a line, or quotes around each", line)
	}
	if i := strings.IndexAny(line, "[]\"'"); i == 0 {
		return nil, fmt.Errorf("%.60q looks like syntax, not like a template", line)
	}
	return []string{line}, nil
}

// templatesOfJSON reads a list, or a map with one.
func templatesOfJSON(text string) (list []item, known bool, err error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "{}" || text[0] != '[' && text[0] != '{' || !json.Valid([]byte(text)) {
		return nil, false, nil
	}
	var all []string
	if text[0] == '{' {
		fields, err := fieldsOf([]byte(text))
		if err != nil {
			return nil, true, err
		}
		if len(fields) != 1 {
			return nil, true, fmt.Errorf("a map of %d entries, want a list of templates, or a map with one", len(fields))
		}
		text = string(fields[0].value)
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, true, fmt.Errorf("want a list of templates: %w", err)
	}
	for i, t := range all {
		list = append(list, item{element: element{value: t, line: i + 1}, quoted: true})
	}
	return list, true, nil
}
