package lists

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// field is one of a JSON object, in its order.
type field struct {
	key   string
	value json.RawMessage
}

// namesOfJSON reads a list, a map of numbers or ids to names, or a map of names to
// numbers. Text that is no JSON is not known.
func namesOfJSON(text string) (names []Name, known bool, err error) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] != '[' && text[0] != '{' || !json.Valid([]byte(text)) {
		return nil, false, nil
	}
	if text[0] == '[' {
		names, err = namesOfList([]byte(text))
		return names, true, err
	}
	fields, err := fieldsOf([]byte(text))
	if err != nil {
		return nil, true, err
	}
	if len(fields) == 1 && bytes.HasPrefix(fields[0].value, []byte("[")) && !digits(fields[0].key) { // a set's name with its classes, as CLIP_benchmark has them
		names, err = namesOfList(fields[0].value)
		return names, true, err
	}
	names, err = namesOfMap(fields)
	return names, true, err
}

func namesOfList(text []byte) (names []Name, err error) {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	for i, raw := range list {
		n, err := nameOf(raw)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		n.Line = i + 1
		names = append(names, n)
	}
	return names, nil
}

// nameOf takes a string, a number, which is a name, an id with a name, or an object of
// them, as COCO's categories are.
func nameOf(raw json.RawMessage) (n Name, err error) {
	var list []string
	var object map[string]json.RawMessage
	switch {
	case json.Unmarshal(raw, &list) == nil && len(list) > 0:
		return Name{Name: list[len(list)-1], IDs: list[:len(list)-1]}, nil
	case json.Unmarshal(raw, &object) == nil && object != nil:
		for _, key := range idColumns {
			if id, err := scalar(object[key]); err == nil {
				n.IDs = append(n.IDs, id)
			}
		}
		for _, key := range nameColumns {
			if n.Name, err = scalar(object[key]); err == nil {
				return n, nil
			}
		}
		return n, errors.New("an object without a name")
	}
	n.Name, err = scalar(raw)
	return n, err
}

func scalar(raw json.RawMessage) (string, error) {
	var s string
	var number json.Number
	switch {
	case string(raw) == "null" || len(raw) == 0:
	case json.Unmarshal(raw, &s) == nil:
		return s, nil
	case json.Unmarshal(raw, &number) == nil:
		return number.String(), nil
	}
	return "", fmt.Errorf("%.40s, want a name", raw)
}

func namesOfMap(fields []field) (names []Name, err error) {
	byNumber, toNumber := true, true
	for _, f := range fields {
		byNumber = byNumber && digits(f.key)
		toNumber = toNumber && digits(string(f.value))
	}
	for i, f := range fields {
		if toNumber && !byNumber {
			names = append(names, Name{Name: f.key, IDs: []string{string(f.value)}, Line: i + 1})
			continue
		}
		n, err := nameOf(f.value)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", f.key, err)
		}
		if n.IDs != nil && !byNumber {
			return nil, fmt.Errorf("entry %q is a list, and there are %d entries: want one list of names, or one name each", f.key, len(fields))
		}
		n.IDs, n.Line = append([]string{f.key}, n.IDs...), i+1
		names = append(names, n)
	}
	if byNumber || toNumber {
		slices.SortStableFunc(names, func(a, b Name) int {
			return cmp.Or(cmp.Compare(len(a.IDs[0]), len(b.IDs[0])), strings.Compare(a.IDs[0], b.IDs[0]))
		})
	}
	return names, nil
}

func digits(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}

// fieldsOf reads an object in its order. A name that is there twice is an error.
func fieldsOf(text []byte) (fields []field, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		f := field{key: key.(string)}
		if err := d.Decode(&f.value); err != nil {
			return nil, err
		}
		if seen[f.key] {
			return nil, fmt.Errorf("the field %q is there twice", f.key)
		}
		seen[f.key] = true
		fields = append(fields, f)
	}
	_, err = d.Token()
	if err == io.EOF {
		err = nil
	}
	return fields, err
}
