package dataset

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/goclip/goclip/internal/lists"
)

// table is what was read from one.
type table struct {
	file    file
	list    []record
	named   map[string]int // images that are there, by path; the first of their samples
	said    int            // those with a caption or a label
	missing int            // images that are not there
	lacking string         // the first of them
}

// byTable reads a table that is itself a file of the tree.
func (t *tree) byTable(f file, o *Options, bare bool) (*table, error) {
	r, err := t.open(f, o.MaxTableBytes)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return t.fromTable(r, f, o, bare)
}

// maxFaults bounds the faulty rows of a table that are samples of their own.
const maxFaults = 1000

// reading is a table on its way from rows to samples.
type reading struct {
	*table
	tree   *tree
	o      *Options
	index  map[sampleID]int
	faulty int
	last   record // of those beyond maxFaults
}

type sampleID struct {
	tarPath
	label string
}

// fromTable reads a table; images are relative to its folder. Rows that name one image
// with one label make one sample. With bare a list of images without a header is a table, too.
func (t *tree) fromTable(r io.Reader, f file, o *Options, bare bool) (*table, error) {
	p := &reading{table: &table{file: f, named: map[string]int{}}, tree: t, o: o, index: map[sampleID]int{}}
	s := &sheet{o: o, bare: bare, add: p.add, names: func(name string) bool {
		_, found, err := t.locate(f, name, o)
		return found && err == nil
	}}
	limited := &budget{r: r, left: o.MaxTableBytes}
	if err := s.read(limited, f.path); err != nil {
		return nil, err
	}
	if p.faulty > maxFaults {
		p.last.key = ""
		p.last.fault = fmt.Errorf("%s faulty, the last: %w", count(p.faulty-maxFaults, "more row is", "more rows are"), p.last.fault)
		p.list = append(p.list, p.last)
	}
	for _, i := range p.named {
		if r := p.list[i]; len(r.captions) > 0 || r.label != "" {
			p.said++
		}
	}
	return p.table, nil
}

func (p *reading) bad(row row, fault error) {
	r := record{tree: p.tree, key: row.image, file: file{tar: p.file.tar}, fault: fmt.Errorf("%s, line %d: %w", p.file.path, row.line, fault)}
	if p.faulty++; p.faulty > maxFaults {
		p.last = r
		return
	}
	p.list = append(p.list, r)
}

func (p *reading) add(row row) error {
	if row.err != nil {
		p.bad(row, row.err)
		return nil
	}
	if row.image == "" {
		p.bad(row, errors.New("no image is named"))
		return nil
	}
	captions, label, fault := described(row.captions, row.label, p.o)
	if fault != nil {
		p.bad(row, fault)
		return nil
	}
	f, found, err := p.tree.locate(p.file, row.image, p.o)
	if err != nil {
		return fmt.Errorf("line %d: %w", row.line, err)
	}
	id := sampleID{tarPath{f.tar, f.path}, label}
	if i, ok := p.index[id]; ok {
		p.list[i].captions = append(p.list[i].captions, captions...)
		return nil
	}
	p.index[id] = len(p.list)
	r := record{tree: p.tree, file: f, key: f.path, captions: captions, label: label}
	switch {
	case found:
		if _, twice := p.named[f.path]; !twice {
			p.named[f.path] = len(p.list)
		}
	case p.tree.inTar:
		p.lack(f.path)
		r.fault = errors.New("no such file in the archive")
	}
	if !found && !p.tree.inTar {
		p.lack(f.path)
	}
	p.list = append(p.list, r)
	return nil
}

// lack counts an image that is not there.
func (p *reading) lack(name string) {
	if p.missing++; p.missing == 1 {
		p.lacking = name
	}
}

// read reads a table of any form.
func (s *sheet) read(r io.Reader, name string) error {
	text := lists.NewReader(r)
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".jsonl", ".ndjson":
		return s.jsonLines(text)
	case ".json":
		return s.json(text)
	case ".csv", ".tsv":
		return s.csv(text)
	}
	first, _ := text.Peek(4096)
	if line, _, _ := strings.Cut(string(first), "\n"); isToken(line) {
		return s.tokens(text)
	}
	return s.csv(text)
}

// budget is a reader of so many bytes.
type budget struct {
	r    io.Reader
	left int64
}

var errBudget = errors.New("larger than MaxTableBytes")

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errBudget
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
