package dataset

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// lines calls add for what parse makes of each line that is not empty. An error is one of
// the whole table.
func (s *sheet) lines(r io.Reader, parse func(text string, next *row)) error {
	lines := newLineReader(r)
	for {
		text, err := lines.next()
		if err == io.EOF {
			return nil
		}
		next := row{line: lines.at}
		switch {
		case err == errLongLine:
			next.err = err
		case err != nil:
			return fmt.Errorf("line %d: %w", lines.at, err)
		case strings.TrimSpace(text) == "":
			continue
		default:
			parse(text, &next)
		}
		if err := s.add(next); err != nil {
			return err
		}
	}
}

// jsonLines calls add for each line. An error is one of the whole table.
func (s *sheet) jsonLines(r io.Reader) error {
	found, first := false, ""
	err := s.lines(r, func(text string, next *row) {
		var fields []string
		fields, next.err = next.parseJSON(text, s.o)
		found = found || next.image != ""
		if first == "" && fields != nil {
			first = listed(fields)
		}
	})
	if err != nil {
		return err
	}
	if !found && first != "" {
		return fmt.Errorf("no field of the image (%s) in any line; the first has %s", strings.Join(s.o.imageKeys(), ", "), first)
	}
	return nil
}

// parseJSON reads one object. It returns the names of its fields where the one
// of the image is missing.
func (r *row) parseJSON(text string, o *Options) (names []string, err error) {
	object, err := parseObject([]byte(text))
	if err != nil {
		return nil, err
	}
	return r.fromObject(object, o)
}

// fromObject reads an object that names an image.
func (r *row) fromObject(object object, o *Options) (names []string, err error) {
	img, err := object.strings(o.imageKeys())
	if err != nil {
		return nil, err
	}
	if len(img) != 1 || img[0] == "" {
		names = slices.Sorted(maps.Keys(object))
		return names, fmt.Errorf("no image is named; the fields are %s", listed(names))
	}
	r.image = img[0]
	return nil, object.describe(o, r)
}

type object map[string]json.RawMessage

func parseObject(text []byte) (object, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("not valid UTF-8: %.60q", text)
	}
	var fields object
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	return fields, nil
}

// describe takes captions and label from the object.
func (f object) describe(o *Options, r *row) (err error) {
	if r.captions, err = f.strings(o.captionKeys()); err != nil {
		return err
	}
	label, err := f.strings(o.labelKeys())
	if err != nil || len(label) == 0 {
		return err
	}
	if len(label) > 1 {
		return fmt.Errorf("%d labels for one image", len(label))
	}
	r.label = label[0]
	return nil
}

// strings returns the first of the named fields: a string, a number, a list of
// strings, or nothing.
func (f object) strings(names []string) ([]string, error) {
	for _, name := range names {
		raw, ok := f[name]
		if !ok {
			for field := range f { // TEXT, file-name
				if plainName(field) == plainName(name) {
					raw, ok = f[field], true
				}
			}
		}
		if !ok || string(raw) == "null" {
			continue
		}
		var one string
		var number json.Number
		var list []string
		switch {
		case json.Unmarshal(raw, &one) == nil:
			return []string{one}, nil
		case json.Unmarshal(raw, &number) == nil:
			return []string{number.String()}, nil
		case json.Unmarshal(raw, &list) == nil:
			return list, nil
		}
		return nil, fmt.Errorf("field %q is %.40s, want a string", name, raw)
	}
	return nil, nil
}
