package dataset

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/lists"
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
	first := text
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
	case !row.open && !row.stray:
		return row.done, at, nil
	}
	l.restore(at, more)
	switch {
	case sep == '\t' || sep == '|': // where quotes are often just that
		return strings.Split(first, string(rune(sep))), at, nil
	case row.open:
		return nil, at, errOpenQuote
	}
	return nil, at, errStrayQuote
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

// sheet is a table that is being read.
type sheet struct {
	o   *Options
	add func(row) error
	// names tells whether a text names an image of the set.
	names func(string) bool
	// bare allows a list of images without a header.
	bare bool
}

// csv calls add for each row. An error is one of the whole table.
func (s *sheet) csv(r io.Reader) error {
	lines := newLineReader(r)
	head, sep, err := s.head(lines)
	if err == io.EOF {
		return errors.New("empty, not even a header line")
	}
	if err != nil {
		return fmt.Errorf("header line: %w", err)
	}
	header := headerOf(head, sep)
	cols, err := findColumns(header, s.o)
	if err == nil || s.o.ImageKey != "" {
		return errOr(err, func() error { return s.rows(lines, cols, len(header), sep) })
	}
	if found, ok := s.unnamed(header); ok {
		lines.restore(lines.at-1, []line{{head, nil}})
		return s.rows(lines, found, len(header), sep)
	}
	if cols.image < 0 {
		cols.image = s.search(lines, len(header), sep)
	}
	if err := cols.lack(header, s.o); err != nil {
		return err
	}
	return s.rows(lines, cols, len(header), sep)
}

// head reads up to the header, past comments and the line in which Excel names the
// separator.
func (s *sheet) head(lines *lineReader) (head string, sep byte, err error) {
	sep = byte(s.o.Separator)
	for {
		if head, err = lines.next(); err != nil {
			return "", 0, err
		}
		if named, ok := strings.CutPrefix(strings.ToLower(head), "sep="); ok && len(named) == 1 {
			sep = max(sep, named[0])
			continue
		}
		if plain, ok := strings.CutPrefix(head, "#"); ok && !s.names(headerOf(head, ',')[0]) {
			if _, err := findColumns(headerOf(plain, commonest(plain, ",\t;|")), s.o); err != nil {
				continue
			}
			head = plain
		}
		if sep == 0 {
			sep = commonest(head, ",\t;|")
		}
		return head, sep, nil
	}
}

func errOr(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

func headerOf(text string, sep byte) []string {
	var first csvFields
	first.add(text, sep)
	return trimmed(first.done, sep)
}

// trimmed takes off the spaces beside bars.
func trimmed(fields []string, sep byte) []string {
	if sep == '|' {
		for i, f := range fields {
			fields[i] = strings.TrimSpace(f)
		}
	}
	return fields
}

// unnamed reads a table without a header: an image and what is said of it, or, as in
// tiny-imagenet's val_annotations.txt, an image, its class and a box.
func (s *sheet) unnamed(first []string) (columns, bool) {
	switch {
	case len(first) == 2 && s.names(first[0]):
		return columns{0, 1, -1}, true
	case hasBox(first) && s.names(first[0]):
		return columns{0, -1, 1}, true
	}
	return columns{}, len(first) == 1 && s.bare && s.names(first[0])
}

// hasBox tells an image, a class and the four numbers of a box.
func hasBox(fields []string) bool {
	return len(fields) == 6 && !digits(fields[1]) && !slices.ContainsFunc(fields[2:], func(f string) bool { return !digits(f) })
}

// probed is the number of rows that are tried for names of images.
const probed = 20

// search finds the column most of whose fields name images, where no column has a
// known name; -1 for none.
func (s *sheet) search(lines *lineReader, width int, sep byte) int {
	start := lines.at
	var taken []line
	hits := make([]int, width)
	for len(taken) < probed {
		text, err := lines.next()
		if err != nil && err != errLongLine {
			break
		}
		taken = append(taken, line{text, err})
		fields := headerOf(text, sep)
		for i, f := range fields[:min(width, len(fields))] {
			if f != "" && s.names(f) {
				hits[i]++
			}
		}
	}
	lines.restore(start, taken)
	best := -1
	for i, n := range hits {
		if 2*n > len(taken) && (best < 0 || n > hits[best]) {
			best = i
		}
	}
	return best
}

func (s *sheet) rows(lines *lineReader, cols columns, width int, sep byte) error {
	for {
		fields, at, err := lines.csvRow(sep)
		if err == io.EOF {
			return nil
		}
		fields = trimmed(fields, sep)
		next := row{line: at}
		switch {
		case err == errLongLine || err == errOpenQuote || err == errStrayQuote:
			next.err = err
		case err != nil:
			return fmt.Errorf("line %d: %w", at, err)
		case width == 1 && len(fields) > 1:
			fields = []string{strings.Join(fields, string(rune(sep)))}
		case len(fields) == width-1 && sep == '|':
			fields = lostBar(fields)
		}
		switch {
		case next.err != nil:
		case len(fields) != width:
			next.err = fmt.Errorf("fields: %d, columns in the header: %d (a field with a %q needs quotes)", len(fields), width, sep)
		default:
			next = cols.row(fields)
			next.line = at
		}
		if err := s.add(next); err != nil {
			return err
		}
	}
}

// lostBar mends the row of Flickr30k's published table that lacks its second bar:
// "2199200615.jpg| 4   A dog runs across the grass .".
func lostBar(fields []string) []string {
	last := len(fields) - 1
	number, text, ok := strings.Cut(fields[last], " ")
	if !ok || !digits(number) {
		return fields
	}
	return append(fields[:last:last], number, strings.TrimSpace(text))
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
	c := columns{find(header, o.imageKeys()), find(header, o.captionKeys()), find(header, o.labelKeys())}
	return c, c.lack(header, o)
}

// find returns the column with the first of the names, as it is written or else in
// any letters, spaces and underscores aside; -1 for none.
func find(header, names []string) int {
	for _, same := range []func(string) string{strings.TrimSpace, plainName} {
		for _, name := range names {
			if i := slices.IndexFunc(header, func(h string) bool { return same(h) == same(name) }); i >= 0 {
				return i
			}
		}
	}
	return -1
}

var fill = strings.NewReplacer("_", "", " ", "", "-", "")

func plainName(s string) string { return strings.ToLower(fill.Replace(s)) }

// lack says which columns are missing.
func (c columns) lack(header []string, o *Options) error {
	for _, at := range []int{c.image, c.caption, c.label} {
		if at >= 0 && slices.Contains(header[at+1:], header[at]) {
			return fmt.Errorf("there are two columns %q", header[at])
		}
	}
	var missing []string
	if c.image < 0 {
		missing = append(missing, "of the image ("+strings.Join(o.imageKeys(), ", ")+")")
	}
	alone := len(header) == 1 && c.image == 0
	if c.caption < 0 && !alone && (o.CaptionKey != "" || c.label < 0 && o.LabelKey == "") {
		missing = append(missing, "of the caption ("+strings.Join(o.captionKeys(), ", ")+")")
	}
	if c.label < 0 && !alone && (o.LabelKey != "" || c.caption < 0 && o.CaptionKey == "") {
		missing = append(missing, "of the label ("+strings.Join(o.labelKeys(), ", ")+")")
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("no column %s; the columns are %s", strings.Join(missing, " nor "), listed(header))
}

// listed quotes names for a message, and not all of a thousand.
func listed(names []string) string { return lists.Quoted(names, 20, 40) }

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
