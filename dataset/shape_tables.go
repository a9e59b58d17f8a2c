package dataset

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/lists"
)

// tableClaims: tables that name images of the set. Of two that say the same of the
// same images, as Flickr8k's captions.txt and its token file, the first one counts.
func tableClaims(e *evidence) ([]claim, error) {
	var found []*table
	var notes []string
	var wrong, refused error
	for _, f := range e.tableFiles() {
		t, err := e.byTable(f, e.o, false)
		conventional := isTable(f.path) && strings.HasPrefix(path.Base(f.path), "metadata.")
		switch {
		case errors.Is(err, errNoTable):
		case err != nil && conventional && refused == nil:
			refused = e.in(f, err)
		case err != nil && len(e.images) == 0 && isTable(f.path):
			return nil, e.in(f, err)
		case err != nil && e.o.Shape == Tables:
			wrong = errors.Join(wrong, e.in(f, err))
		case err != nil && isTable(f.path):
			notes = append(notes, fmt.Sprintf("%s was not read as a table of the images: %v", Printable(f.path), err))
		case err != nil:
		case t.said > 0, len(e.images) == 0 && len(t.list) > 0 && isTable(f.path):
			found = append(found, t)
		case isTable(f.path):
			notes = append(notes, fmt.Sprintf("%s says nothing of the images%s", Printable(f.path), t.firstFault()))
		}
	}
	switch {
	case refused == nil:
	case !slices.ContainsFunc(found, func(t *table) bool { return strings.HasPrefix(path.Base(t.file.path), "metadata.") }):
		return nil, refused
	default: // those of the other splits count
		notes = append(notes, fmt.Sprintf("one of several tables was not read: %v", refused))
	}
	if len(found) == 0 {
		if wrong != nil {
			return nil, wrong
		}
		e.remarks = append(e.remarks, notes...)
		return nil, nil
	}
	slices.SortStableFunc(found, func(a, b *table) int { return tableRank(a.file.path) - tableRank(b.file.path) })
	return joinTables(e, found, notes), nil
}

// firstFault says why a table without any good row has none.
func (t *table) firstFault() string {
	if i := slices.IndexFunc(t.list, func(r record) bool { return r.fault != nil }); i >= 0 {
		return fmt.Sprintf(": %v", t.list[i].fault)
	}
	if t.missing > 0 {
		return ": there is no image " + Printable(t.lacking)
	}
	return ""
}

// joinTables makes one claim of tables that go together, and one of each that says
// something else of the same images.
func joinTables(e *evidence, found []*table, notes []string) []claim {
	var kept, rivals []*table
	for _, t := range found {
		switch i := slices.IndexFunc(kept, t.overlaps); {
		case i < 0:
			kept = append(kept, t)
		case t.repeats(kept[i]):
			notes = append(notes, fmt.Sprintf("%s says the same as %s and was not read", Printable(t.file.path), Printable(kept[i].file.path)))
		default:
			rivals = append(rivals, t)
		}
	}
	claims := []claim{claimOf(e, kept)}
	claims[0].also = notes
	for _, t := range rivals {
		claims = append(claims, claimOf(e, []*table{t}))
	}
	return claims
}

func claimOf(e *evidence, tables []*table) claim {
	c := claim{shape: Tables, stated: true, used: map[string]bool{}}
	names := make([]string, len(tables))
	for i, t := range tables {
		c.covers += t.said
		c.used[t.file.path] = true
		names[i] = Printable(t.file.path)
	}
	subject, verb := names[0], "names"
	if len(tables) > 1 {
		subject, verb = fmt.Sprintf("%d tables, %s, …", len(tables), names[0]), "name"
	}
	c.why = fmt.Sprintf("%s %s %s of %s", subject, verb, thousands(c.covers), count(len(e.images), "image", "images"))
	for _, t := range tables {
		if t.missing > 0 {
			e.remarks = append(e.remarks, fmt.Sprintf("%s not there, as %s", count(t.missing, "image is", "images are"), Printable(t.lacking)))
		}
	}
	c.read = func() ([]record, error) {
		var list []record
		for _, t := range tables {
			list = append(list, t.list...)
		}
		return list, nil
	}
	return c
}

// overlaps tells whether two tables name the same images.
func (t *table) overlaps(other *table) bool {
	n := 0
	for name := range t.named {
		if _, ok := other.named[name]; ok {
			n++
		}
	}
	return n > 0 && 2*n > min(len(t.named), len(other.named))
}

// repeats tells whether a table has captions that another one has already.
func (t *table) repeats(other *table) bool {
	same, both := 0, 0
	for name, i := range t.named {
		j, ok := other.named[name]
		if !ok {
			continue
		}
		both++
		if slices.ContainsFunc(t.list[i].captions, func(c string) bool { return slices.Contains(other.list[j].captions, c) }) {
			same++
		}
	}
	return 2*same > both
}

// tableRank orders tables that say the same.
func tableRank(name string) int {
	base := strings.ToLower(path.Base(name))
	switch ext := path.Ext(base); {
	case strings.HasPrefix(base, "metadata.") && isTable(base):
		return 0
	case ext == ".csv" || ext == ".tsv":
		return 1
	case ext == ".jsonl" || ext == ".ndjson" || base == "captions.txt":
		return 2
	case ext == ".json":
		return 3
	}
	return 4
}

func (e *evidence) in(f file, err error) error {
	return fmt.Errorf("%s: %w", Printable(path.Join(e.name, f.path)), err)
}

// maxSniffed bounds the tables of unsure kind that are looked into.
const maxSniffed = 100

// tableFiles are the files that may be tables: by their names, or by how they begin.
// A text or JSON file with the name of an image belongs to that image.
func (e *evidence) tableFiles() []file {
	var found []file
	sniffed := 0
	for _, f := range e.shallowFirst() {
		switch ext := extension(f.path); {
		case e.lemmas(f):
		case isTable(f.path):
			found = append(found, f)
		case sniffed < maxSniffed && e.maybeTable(f):
			sniffed++
			if e.sniff(f, ext) {
				found = append(found, f)
			}
		}
	}
	return found
}

// lemmas tells Flickr8k.lemma.token.txt, which has the words of Flickr8k.token.txt in
// their basic forms, beside that.
func (e *evidence) lemmas(f file) bool {
	plain := strings.Replace(f.path, ".lemma.", ".", 1)
	return plain != f.path && slices.ContainsFunc(e.others, func(other file) bool { return other.path == plain })
}

// shallowFirst are the other files, those of the upper folders first: a table of the whole
// set lies above those of its parts, of which there may be hundreds.
func (e *evidence) shallowFirst() []file {
	list := slices.Clone(e.others)
	slices.SortStableFunc(list, func(a, b file) int { return strings.Count(a.path, "/") - strings.Count(b.path, "/") })
	return list
}

// maybeTable tells by its name whether a file may be a table that is not called one.
func (e *evidence) maybeTable(f file) bool {
	switch extension(f.path) {
	case "json", "txt", "token":
		return !e.stems[stem(f.path)] && !strings.HasSuffix(f.path, "_stats.json") &&
			!slices.Contains([]string{"state.json", "dataset_info.json", "dataset_dict.json"}, path.Base(f.path))
	}
	return false
}

// sniff tells whether a text may be a table, from its first lines.
func (e *evidence) sniff(f file, ext string) bool {
	r, err := e.open(f, e.o.MaxTableBytes)
	if err != nil {
		return false
	}
	defer r.Close()
	head, _ := lists.NewReader(io.LimitReader(r, 4096)).Peek(4096)
	text := strings.TrimSpace(string(head))
	if ext == "json" {
		return strings.HasPrefix(text, "[") || strings.HasPrefix(text, "{")
	}
	line, _, _ := strings.Cut(text, "\n")
	line = strings.TrimSuffix(line, "\r")
	if isToken(line) {
		return true
	}
	header := headerOf(line, commonest(line, ",\t;|"))
	if len(header) < 2 {
		return false
	}
	if _, err := findColumns(header, e.o); err == nil {
		return true
	}
	_, found, err := e.locate(f, header[0], e.o)
	return found && err == nil
}
