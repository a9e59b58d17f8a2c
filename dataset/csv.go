package dataset

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// csvRow returns the fields of the next row that is not blank, and its line.
// After a fault in its quotes, the row ends with its first line, so that no
// other row is lost with it.
func (l *lineReader) csvRow(sep byte) (fields []string, at int, err error) {
	text, err := l.next()
	for err == nil && text == "" {
		text, err = l.next()
	}
	at = l.at
	if err != nil {
		return nil, at, err
	}
	var row csvFields
	row.add(text, sep)
	var more []line
	for size := 0; row.open && err == nil; size += len(text) {
		text, err = l.next()
		if err == nil || err == errLongLine {
			more = append(more, line{text, err})
		}
		if err != nil || len(more) > maxRowLines || size > maxRowBytes {
			break
		}
		row.add(text, sep)
	}
	switch {
	case err != nil && err != io.EOF && err != errLongLine:
		return nil, at, err
	case row.open:
		l.restore(at, more)
		return nil, at, errOpenQuote
	case row.stray:
		l.restore(at, more)
		return nil, at, errStrayQuote
	}
	return row.done, at, nil
}

// csvFields cuts a row as RFC 4180 has it. A quote in a field that does not
// begin with one stands for itself.
type csvFields struct {
	done  []string
	part  strings.Builder
	open  bool // part is in quotes, and goes on in the next line
	stray bool // a quoted field goes on after its end
}

func (f *csvFields) add(text string, sep byte) {
	if f.open {
		f.part.WriteByte('\n')
	}
	for {
		if !f.open && !strings.HasPrefix(text, `"`) {
			field, rest, more := strings.Cut(text, string(rune(sep)))
			f.done = append(f.done, field)
			if !more {
				return
			}
			text = rest
			continue
		}
		if !f.open {
			f.open, text = true, text[1:]
		}
		rest, closed := f.quoted(text)
		if !closed {
			return
		}
		f.done = append(f.done, f.part.String())
		f.part, f.open = strings.Builder{}, false
		if rest == "" || rest[0] != sep {
			f.stray = rest != ""
			return
		}
		text = rest[1:]
	}
}

// quoted reads up to the quote that closes the field.
func (f *csvFields) quoted(text string) (rest string, closed bool) {
	for {
		before, after, found := strings.Cut(text, `"`)
		f.part.WriteString(before)
		if !found || !strings.HasPrefix(after, `"`) {
			return after, found
		}
		f.part.WriteByte('"')
		text = after[1:]
	}
}

// readCSV calls add for each row. An error is one of the whole table.
func readCSV(r io.Reader, o *Options, add func(row) error) error {
	lines := newLineReader(r)
	head, err := lines.next()
	if err == io.EOF {
		return errors.New("empty, not even a header line")
	}
	if err != nil {
		return fmt.Errorf("header line: %w", err)
	}
	sep := byte(o.Separator)
	if sep == 0 {
		sep = commonest(head, ",\t;")
	}
	var first csvFields
	first.add(head, sep)
	header := first.done
	cols, err := findColumns(header, o)
	if err != nil {
		return err
	}
	for {
		fields, at, err := lines.csvRow(sep)
		if err == io.EOF {
			return nil
		}
		next := row{line: at}
		switch {
		case err == errLongLine || err == errOpenQuote || err == errStrayQuote:
			next.err = err
		case err != nil:
			return fmt.Errorf("line %d: %w", at, err)
		case len(fields) != len(header):
			next.err = fmt.Errorf("fields: %d, columns in the header: %d (a field with a %q needs quotes)", len(fields), len(header), sep)
		default:
			next = cols.row(fields)
			next.line = at
		}
		if err := add(next); err != nil {
			return err
		}
	}
}

// commonest returns the character of set that text has most of; the first one
// where there is none.
func commonest(text, set string) byte {
	best := set[0]
	for i := range len(set) {
		if strings.Count(text, set[i:i+1]) > strings.Count(text, string(rune(best))) {
			best = set[i]
		}
	}
	return best
}

// columns are the places of a CSV's fields; -1 where there is none.
type columns struct{ image, caption, label int }

func findColumns(header []string, o *Options) (columns, error) {
	find := func(names []string) int {
		for _, name := range names {
			if i := slices.IndexFunc(header, func(h string) bool { return strings.TrimSpace(h) == name }); i >= 0 {
				return i
			}
		}
		return -1
	}
	c := columns{find(o.imageKeys()), find(o.captionKeys()), find(o.labelKeys())}
	var missing []string
	if c.image < 0 {
		missing = append(missing, "of the image ("+strings.Join(o.imageKeys(), ", ")+")")
	}
	if c.caption < 0 && (o.CaptionKey != "" || c.label < 0 && o.LabelKey == "") {
		missing = append(missing, "of the caption ("+strings.Join(o.captionKeys(), ", ")+")")
	}
	if c.label < 0 && (o.LabelKey != "" || c.caption < 0 && o.CaptionKey == "") {
		missing = append(missing, "of the label ("+strings.Join(o.labelKeys(), ", ")+")")
	}
	if missing == nil {
		return c, nil
	}
	return c, fmt.Errorf("no column %s; the columns are %s", strings.Join(missing, " nor "), listed(header))
}

// listed quotes names for a message, and not all of a thousand.
func listed(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i == 20 {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.40q", name)
	}
	return b.String()
}

func (c columns) row(fields []string) row {
	r := row{image: strings.Clone(fields[c.image])}
	if c.caption >= 0 {
		r.captions = []string{strings.Clone(fields[c.caption])}
	}
	if c.label >= 0 {
		r.label = strings.Clone(fields[c.label])
	}
	return r
}
