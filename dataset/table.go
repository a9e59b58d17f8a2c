package dataset

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"path/filepath"
	"strings"
)

// byTable reads a table that is itself a file of the tree.
func (t *tree) byTable(table file, o *Options) ([]record, error) {
	r, err := t.open(table, math.MaxInt64)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", path.Join(t.name, table.path), err)
	}
	defer r.Close()
	return t.fromTable(r, table.path, o)
}

// fromTable reads the table called name; images are relative to its folder.
// Rows that name one image with one label make one sample.
func (t *tree) fromTable(r io.Reader, name string, o *Options) ([]record, error) {
	var list []record
	index := map[[2]string]int{}
	bad := func(row row, fault error) {
		list = append(list, record{tree: t, key: row.image, fault: fmt.Errorf("%s, line %d: %w", name, row.line, fault)})
	}
	add := func(row row) error {
		if row.err != nil {
			bad(row, row.err)
			return nil
		}
		if row.image == "" {
			bad(row, errors.New("no image is named"))
			return nil
		}
		captions, label, fault := described(row.captions, row.label, o)
		if fault != nil {
			bad(row, fault)
			return nil
		}
		if i, ok := index[[2]string{row.image, label}]; ok {
			list[i].captions = append(list[i].captions, captions...)
			return nil
		}
		where, err := t.locate(path.Dir(name), row.image, o)
		if err != nil {
			return fmt.Errorf("line %d: %w", row.line, err)
		}
		index[[2]string{row.image, label}] = len(list)
		f, fault := t.find(where)
		list = append(list, record{tree: t, file: f, key: row.image, captions: captions, label: label, fault: fault})
		return nil
	}
	read := readCSV
	if ext := strings.ToLower(path.Ext(name)); ext == ".jsonl" || ext == ".ndjson" {
		read = readJSONLines
	}
	if err := read(r, o, add); err != nil {
		if t.files != nil {
			name = path.Join(t.name, name)
		} else {
			name = t.name
		}
		return nil, fmt.Errorf("dataset: %s: %w", name, err)
	}
	return list, nil
}

// locate turns a table's path into one of the tree.
func (t *tree) locate(dir, image string, o *Options) (string, error) {
	name := filepath.ToSlash(image)
	clean := path.Clean(name)
	switch {
	case !isAbs(name) && clean != ".." && !strings.HasPrefix(clean, "../"):
		return path.Join(dir, clean), nil
	case t.fsys != anywhere{} || t.archive != nil:
		return "", fmt.Errorf("path %q leads out of the set, which cannot be here", image)
	case !o.AllowOutside:
		return "", fmt.Errorf("path %q leads out of the table's folder, and AllowOutside is not set", image)
	case isAbs(name):
		return name, nil
	}
	return path.Join(dir, clean), nil
}
