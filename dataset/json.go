package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// maxElement bounds one object in a list of a JSON file.
const maxElement = 16 << 20

// jsonFile reads a JSON file piece by piece.
type jsonFile struct {
	*json.Decoder
	limit *budget
	n     int // the object that is read, for messages
}

// next decodes one value.
func (f *jsonFile) next(v any) error {
	f.limit.left = maxElement
	f.n++
	err := f.Decode(v)
	if errors.Is(err, errBudget) {
		return fmt.Errorf("object %d is larger than %d bytes", f.n, maxElement)
	}
	return err
}

// each calls one for each element of the list that comes next.
func (f *jsonFile) each(one func() error) error {
	f.limit.left = maxElement
	if t, err := f.Token(); err != nil || t != json.Delim('[') {
		return cmpErr(err, "want a list")
	}
	for f.More() {
		f.limit.left = maxElement
		if err := one(); err != nil {
			return err
		}
	}
	_, err := f.Token()
	return err
}

func cmpErr(err error, want string) error {
	if err == nil {
		err = errors.New(want)
	}
	return err
}

// errNoTable says that a JSON file is something else.
var errNoTable = errors.New("no list of images: want objects with an image and a caption, COCO's captions, Karpathy's splits or a caption for each image's path")

// json reads a JSON file with what is known of images: a list of objects, COCO's
// captions, Karpathy's splits, or an object with a caption or several for each image.
func (s *sheet) json(r io.Reader) error {
	limit := &budget{r: r, left: maxElement}
	f := &jsonFile{Decoder: json.NewDecoder(limit), limit: limit}
	start, err := f.Token()
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	switch start {
	case json.Delim('['):
		return s.jsonList(f)
	case json.Delim('{'):
		return s.jsonObject(f)
	}
	return errNoTable
}

func (s *sheet) jsonList(f *jsonFile) error {
	named := false
	for f.More() {
		var fields object
		if err := f.next(&fields); err != nil {
			return fmt.Errorf("object %d: %w", f.n, err)
		}
		next := row{line: f.n}
		_, next.err = next.fromObject(fields, s.o)
		if named = named || next.image != ""; !named && f.n >= probed {
			return errNoTable
		}
		if err := s.add(next); err != nil {
			return err
		}
	}
	if !named {
		return errNoTable
	}
	return nil
}

func (s *sheet) jsonObject(f *jsonFile) error {
	var c coco
	for f.More() {
		f.limit.left = maxElement
		t, err := f.Token()
		if err != nil {
			return err
		}
		switch key, _ := t.(string); key {
		case "images":
			err = f.each(func() error { return c.image(f) })
		case "annotations":
			err = f.each(func() error { return c.annotation(f) })
		case "info", "licenses", "categories", "type", "dataset":
			var skip json.RawMessage
			err = f.next(&skip)
		default:
			err = s.pictureCaptions(f, key)
		}
		if err != nil {
			return fmt.Errorf("object %d: %w", f.n, err)
		}
	}
	return c.rows(s.add)
}

// pictureCaptions reads a field whose name is an image's path.
func (s *sheet) pictureCaptions(f *jsonFile, name string) error {
	var raw json.RawMessage
	if err := f.next(&raw); err != nil {
		return err
	}
	next := row{line: f.n, image: name}
	var number json.Number
	var fields object
	switch {
	case json.Unmarshal(raw, &fields) == nil && fields != nil:
		if next.err = fields.describe(s.o, &next); len(next.captions) == 0 && next.label == "" && f.n == 1 {
			return errNoTable
		}
	case json.Unmarshal(raw, &number) == nil && raw[0] != '"': // nobody's words
		next.label = number.String()
	default:
		if next.captions, next.err = (object{"": raw}).strings([]string{""}); next.err != nil && f.n == 1 {
			return errNoTable
		}
	}
	return s.add(next)
}

// coco is what COCO's captions and Karpathy's splits say: images with names, and
// captions by the number of an image or within it.
type coco struct {
	names    []row
	byID     map[string]int
	captions map[string][]string // of images that were not yet named
	none     int                 // annotations that are no captions
}

func (c *coco) image(f *jsonFile) error {
	var img struct {
		ID        json.RawMessage `json:"id"`
		FileName  string          `json:"file_name"`
		Filename  string          `json:"filename"`
		Filepath  string          `json:"filepath"`
		Sentences []struct {
			Raw    string   `json:"raw"`
			Tokens []string `json:"tokens"`
		} `json:"sentences"`
	}
	if err := f.next(&img); err != nil {
		return err
	}
	next := row{line: f.n, image: img.FileName}
	if next.image == "" {
		next.image = path.Join(img.Filepath, img.Filename)
	}
	for _, s := range img.Sentences {
		if s.Raw == "" {
			s.Raw = strings.Join(s.Tokens, " ")
		}
		next.captions = append(next.captions, s.Raw)
	}
	if c.byID == nil {
		c.byID, c.captions = map[string]int{}, map[string][]string{}
	}
	if id := idOf(img.ID); id != "" {
		if _, twice := c.byID[id]; twice {
			next.err = fmt.Errorf("another image has the id %s, too", id)
		} else {
			c.byID[id] = len(c.names)
		}
	}
	c.names = append(c.names, next)
	return nil
}

func (c *coco) annotation(f *jsonFile) error {
	var a struct {
		Image   json.RawMessage `json:"image_id"`
		Caption *string         `json:"caption"`
	}
	if err := f.next(&a); err != nil {
		return err
	}
	if a.Caption == nil {
		if c.none++; c.none == probed && len(c.captions) == 0 {
			return errors.New("its annotations are no captions")
		}
		return nil
	}
	if c.captions == nil {
		c.byID, c.captions = map[string]int{}, map[string][]string{}
	}
	id := idOf(a.Image)
	c.captions[id] = append(c.captions[id], strings.TrimSpace(*a.Caption))
	return nil
}

// idOf is a number, or a text, as it is compared: 1.0 and "1" are 1.
func idOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	whole, zeros, _ := strings.Cut(text, ".")
	if isNumber(whole) && strings.Trim(zeros, "0") == "" {
		return whole
	}
	return text
}

func (c *coco) rows(add func(row) error) error {
	if c.names == nil && c.captions == nil {
		return nil
	}
	if c.none > 0 && len(c.captions) == 0 {
		return errors.New("its annotations are no captions")
	}
	of := make([]string, len(c.names))
	for id, i := range c.byID {
		of[i] = id
	}
	for i, next := range c.names {
		if next.err == nil {
			next.captions = append(next.captions, c.captions[of[i]]...)
		}
		if err := add(next); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.captions)) {
		if _, known := c.byID[id]; known {
			continue
		}
		lost := row{line: len(c.names) + 1, err: fmt.Errorf("%s of image %.40s, which is not among the images", count(len(c.captions[id]), "caption", "captions"), id)}
		if err := add(lost); err != nil {
			return err
		}
	}
	return nil
}
