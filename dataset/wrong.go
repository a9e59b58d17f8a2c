package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxWrongLine is the longest line of a list of wrong captions, in bytes.
const maxWrongLine = 1 << 20

// ReadWrong reads a list of captions with others that are wrong beside the same images, as
// hard negatives are: a line each of JSON,
//
//	{"caption": "a red ring above a blue star", "wrong": ["a blue ring above a red star"]}
//
// Lines of one caption add to each other. An error names the line.
func ReadWrong(r io.Reader) (map[string][]string, error) {
	if r == nil {
		return nil, errors.New("dataset: wrong captions: no reader")
	}
	wrong := map[string][]string{}
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxWrongLine)
	n := 0
	for in.Scan() {
		n++
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		var line struct {
			Caption string   `json:"caption"`
			Wrong   []string `json:"wrong"`
		}
		d := json.NewDecoder(bytes.NewReader(in.Bytes()))
		d.DisallowUnknownFields()
		err := d.Decode(&line)
		if err == nil {
			if _, more := d.Token(); more != io.EOF {
				err = errors.New("more behind the object")
			}
		}
		switch {
		case err != nil:
		case line.Caption == "" || len(line.Wrong) == 0:
			err = errors.New(`want "caption" and "wrong", a list of one or more`)
		}
		for _, w := range line.Wrong {
			if err == nil && (w == "" || w == line.Caption) {
				err = fmt.Errorf("the wrong caption %q is empty or the right one", w)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("dataset: wrong captions: line %d: %w", n, err)
		}
		wrong[line.Caption] = append(wrong[line.Caption], line.Wrong...)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("dataset: wrong captions: line %d: %w", n+1, err)
	}
	if len(wrong) == 0 {
		return nil, errors.New("dataset: wrong captions: there are none")
	}
	return wrong, nil
}
