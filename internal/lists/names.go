package lists

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Name is one entry of a list of classes.
type Name struct {
	Name string
	// IDs are what else a set may call the class: its number, where the list gives
	// numbers, its WordNet or Open Images id, and the whole line of a numbered one.
	IDs  []string
	Line int // in the file; of JSON the place in the list, from 1
}

// Names reads a list of classes, in its order: one a line, quoted or not, with comments
// that begin with #, numbers that count from 0 or 1 or the marks of a Markdown list before
// all lines, WordNet's ids, as in "n01440764 tench, Tinca tinca"; a list or dict of Python;
// a list or map of JSON; a table with a header that has a column of labels, where table is
// set also one of a single column. The same name may occur more than once. A line
// that looks like a piece of syntax is an error.
func Names(r io.Reader, table bool) ([]Name, error) {
	text, err := readText(r)
	if err != nil {
		return nil, err
	}
	names, known, err := namesOfJSON(text)
	if !known {
		names, known, err = namesOfTable(text, table)
	}
	if !known {
		names, err = namesOfLines(text)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if strings.TrimSpace(n.Name) == "" {
			return nil, fmt.Errorf("line %d: the label is empty", n.Line)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no labels, want one a line")
	}
	return names, nil
}

// header are the names of a table's columns of labels, and of ids.
var (
	nameColumns = []string{"label", "labels", "class", "classes", "name", "names", "class_name", "classname", "category", "display_name", "displayname"}
	idColumns   = []string{"id", "wnid", "synset", "index", "idx", "class_id", "class_idx", "label_id", "labelname", "number"}
)

// namesOfTable reads a table whose first line says so.
func namesOfTable(text string, single bool) (names []Name, known bool, err error) {
	head, _, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	sep := Separator(head)
	fields := strings.Split(strings.ToLower(head), string(sep))
	for i := range fields {
		fields[i] = strings.Trim(strings.TrimSpace(fields[i]), `"`)
	}
	column := func(of []string) int {
		return slices.IndexFunc(fields, func(f string) bool { return slices.Contains(of, f) })
	}
	name, id := column(nameColumns), column(idColumns)
	if name < 0 || len(fields) == 1 && !single || len(fields) > 1 && !plainHeader(fields) {
		return nil, false, nil
	}
	if len(fields) == 1 {
		sep = '\t' // a comma is the label's own
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = sep, len(fields), sep == '\t', true
	if _, err := r.Read(); err != nil {
		return nil, true, err
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return names, true, nil
		}
		if err != nil {
			return nil, true, err
		}
		line, _ := r.FieldPos(0)
		n := Name{Name: strings.TrimSpace(row[name]), Line: line}
		if id >= 0 && id != name {
			n.IDs = []string{strings.TrimSpace(row[id])}
		}
		names = append(names, n)
	}
}

// plainHeader tells a header from names of classes: its fields are single words.
func plainHeader(fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { return f != "" && strings.ContainsFunc(f, unicode.IsSpace) })
}

// Separator is the one of a table's columns by its header: the comma, tab, semicolon or
// vertical bar that it has most of, the first of these where it has none.
func Separator(header string) rune {
	best, most := ',', 0
	for _, sep := range ",\t;|" {
		if n := strings.Count(header, string(sep)); n > most {
			best, most = sep, n
		}
	}
	return best
}

// namesOfLines reads lines, with lists of Python among them.
func namesOfLines(text string) ([]Name, error) {
	list, err := lines(text)
	if err != nil {
		return nil, err
	}
	var plain []int // places of lines without quotes
	for i, e := range list {
		if !e.quoted {
			plain = append(plain, i)
		}
	}
	title := unmark(list, plain)
	names := make([]Name, 0, len(list))
	for i, e := range list {
		if i == title {
			continue
		}
		if !e.quoted && before.MatchString(e.value) { // behind a mark
			inner, err := (&literal{text: e.value, line: e.line}).elements("")
			if err != nil || len(inner) != 1 {
				return nil, fmt.Errorf("line %d: %.60q: want one label in quotes", e.line, e.value)
			}
			e.value, e.quoted = inner[0].value, true
		}
		n := e.name()
		if !e.quoted {
			if err := syntax(n.Name); err != nil {
				return nil, fmt.Errorf("line %d: %w", e.line, err)
			}
		}
		names = append(names, n)
	}
	if len(names) == 1 && len(plain) == 1 && names[0].IDs == nil && strings.Contains(names[0].Name, ",") {
		return nil, fmt.Errorf("line %d: one line with commas, %.40q: want one label a line, or quotes around each", names[0].Line, names[0].Name)
	}
	return names, nil
}

// item is an element of lines.
type item struct {
	element
	quoted bool
	whole  string // the line before its number was taken off
}

// known are ids of WordNet and of Open Images before the words of a label.
var known = regexp.MustCompile(`^(n\d{8}|/[mgt]/[0-9a-z_]+)[ \t,:]+(\S.*)$`)

func (e item) name() Name {
	n := Name{Name: e.value, Line: e.line}
	if e.key != "" {
		n.IDs = append(n.IDs, e.key)
	}
	if e.whole != "" && e.whole != e.value {
		n.IDs = append(n.IDs, e.whole)
	}
	if m := known.FindStringSubmatch(e.value); m != nil {
		n.IDs, n.Name = append(n.IDs, m[1]), m[2]
	}
	return n
}

// opening is a line that begins a list of Python, perhaps behind a name.
var opening = regexp.MustCompile(`^(?:\w+\s*=\s*)?(?:[\[(]\s*(?:$|#|[\])]|(?:lambda +\w+ *: *)?[fFrRuU]?['"])|\{\s*(?:$|#|['"]|\d+\s*:))`)

// lines cuts a text into its elements: those of lists in brackets, the quoted ones of a
// line, or else the line.
func lines(text string) (list []item, err error) {
	for n := 1; text != ""; n++ {
		line, rest, _ := strings.Cut(text, "\n")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case opening.MatchString(line):
			p := &literal{text: text, line: n}
			p.at = strings.IndexAny(text, "[({") + 1
			closing := map[byte]string{'[': "]", '(': ")", '{': "}"}[text[p.at-1]]
			elements, err := p.elements(closing)
			if err != nil {
				return nil, err
			}
			for _, e := range elements {
				list = append(list, item{element: e, quoted: true})
			}
			n, text = p.lineHere(), p.text[p.at:]
			line, rest, _ = strings.Cut(text, "\n")
			if line = strings.TrimSpace(strings.TrimLeft(line, ",; \t")); line != "" && !strings.HasPrefix(line, "#") {
				return nil, fmt.Errorf("line %d: %.40q behind the end of a list", n, line)
			}
		case before.MatchString(line):
			elements, err := (&literal{text: line, line: n}).elements("")
			if err != nil {
				return nil, fmt.Errorf("%w; a label that has quotes of its own is quoted as a whole", err)
			}
			for _, e := range elements {
				list = append(list, item{element: e, quoted: true})
			}
		default:
			list = append(list, item{element: element{value: line, line: n}})
		}
		text = rest
	}
	return list, nil
}

var (
	marked   = regexp.MustCompile(`^[-*•][ \t]+(\S.*)$`)
	numbered = regexp.MustCompile(`^(\d{1,9})(?:[ \t]*[.:,;)\]|=][ \t]*|[ \t]+)(\S.*)$`)
	titled   = regexp.MustCompile(`^[A-Za-z_]\w*:$`)
)

// unmark takes from the lines at places what stands before all of them: the marks of a
// list, numbers that count; and commas at the end. It returns the place of a title above
// such a list, as YAML has it, or -1.
func unmark(list []item, places []int) (title int) {
	title = -1
	if len(places) > 1 && titled.MatchString(list[places[0]].value) && (all(list, places[1:], marked) || counts(list, places[1:])) {
		title, places = places[0], places[1:]
	}
	if all(list, places, marked) {
		for _, i := range places {
			list[i].value = marked.FindStringSubmatch(list[i].value)[1]
		}
	}
	if n := len(places) - 1; n > 0 && !slices.ContainsFunc(places[:n], func(i int) bool { return !strings.HasSuffix(list[i].value, ",") }) {
		for _, i := range places {
			list[i].value = strings.TrimSpace(strings.TrimSuffix(list[i].value, ","))
		}
	}
	if counts(list, places) {
		for _, i := range places {
			m := numbered.FindStringSubmatch(list[i].value)
			list[i].whole, list[i].key, list[i].value = list[i].value, m[1], m[2]
		}
	}
	return title
}

func all(list []item, places []int, form *regexp.Regexp) bool {
	for _, i := range places {
		if !form.MatchString(list[i].value) {
			return false
		}
	}
	return len(places) > 0
}

// counts tells lines that are numbered from 0 or 1.
func counts(list []item, places []int) bool {
	first := 0
	for n, i := range places {
		m := numbered.FindStringSubmatch(list[i].value)
		if m == nil {
			return false
		}
		number, _ := strconv.Atoi(m[1])
		if n == 0 {
			first = number
		}
		if first > 1 || number != first+n {
			return false
		}
	}
	return len(places) > 1
}

// syntax is an error for a line that some program reads, and nobody says.
func syntax(line string) error {
	if line == "" {
		return errors.New("there is no label in it")
	}
	last := line[len(line)-1]
	what := ""
	switch {
	case !strings.ContainsFunc(line, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r) }):
		what = "there is no word in it"
	case strings.ContainsAny(line[:1], "[]{}<>(),;:=|"):
		what = fmt.Sprintf("it begins with %q", line[0])
	case strings.IndexByte("[{(<,;:=|\\", last) >= 0:
		what = fmt.Sprintf("it ends with %q", last)
	case strings.HasPrefix(line, "//") || strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "* ") || strings.Contains(line, " # "):
		what = "it has the mark of a comment or a list, and not all lines have"
	case strings.ContainsAny(line, "\t|;"):
		what = "it has several columns, and no header says which is the label's"
	case strings.ContainsAny(line, "{}") || strings.Count(line, "[") != strings.Count(line, "]") || strings.Count(line, "(") != strings.Count(line, ")"):
		what = "it has brackets that are not closed, or braces"
	case strings.Count(line, `"`)%2 == 1 && !(last == '"' && len(line) > 1 && line[len(line)-2] >= '0' && line[len(line)-2] <= '9'):
		what = "a quote is never closed"
	case assigned.MatchString(line):
		what = "it assigns something"
	case called.MatchString(line):
		what = "it calls a function"
	default:
		return nil
	}
	return fmt.Errorf("%.60q looks like syntax, not like a label: %s; a label that is so is put in quotes", line, what)
}

var called = regexp.MustCompile(`^[A-Za-z_][\w.]*\(.*\);?$`)

var assigned = regexp.MustCompile(`^\w+\s*=\s*\S|^[a-z_]+:(?:\s|$)`)
