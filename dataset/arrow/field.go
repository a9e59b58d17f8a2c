package arrow

import (
	"fmt"
)

// The kinds of fields, by their numbers in Arrow's Schema.fbs.
const (
	kindNull        = 1
	kindInt         = 2
	kindFloat       = 3
	kindBinary      = 4
	kindUtf8        = 5
	kindBool        = 6
	kindDate        = 8
	kindTime        = 9
	kindTimestamp   = 10
	kindList        = 12
	kindStruct      = 13
	kindFixedBytes  = 15
	kindFixedList   = 16
	kindDuration    = 18
	kindLargeBinary = 19
	kindLargeUtf8   = 20
	kindLargeList   = 21
)

// field is a column, or a part of one.
type field struct {
	name     string
	kind     byte
	width    int // bytes of a number
	signed   bool
	children []field
	buffer   int // the first of its buffers
}

const maxNesting = 16

// readField reads a field; buffers counts those of the fields before it.
func readField(f flat, buffers *int, depth int) (field, error) {
	one := field{name: f.string(0), kind: f.byte(2), buffer: *buffers, signed: true}
	if depth > maxNesting {
		return one, fmt.Errorf("%.40q: fields nest deeper than %d", one.name, maxNesting)
	}
	if _, coded := f.table(4); coded {
		return one, fmt.Errorf("%.40q: columns with a dictionary are not supported", one.name)
	}
	kind, _ := f.table(3)
	switch one.kind {
	case kindInt:
		one.width, one.signed = int(kind.int32(0))/8, kind.byte(1) != 0
	case kindFloat:
		one.width = 2 << min(kind.int16(0), 2)
	case kindDate, kindTime, kindTimestamp, kindDuration, kindBool, kindFixedBytes, kindFixedList, kindNull:
	case kindBinary, kindUtf8, kindLargeBinary, kindLargeUtf8, kindList, kindLargeList, kindStruct:
	default:
		return one, fmt.Errorf("%.40q: columns of Arrow's type %d are not supported", one.name, one.kind)
	}
	if one.kind == kindInt && one.width != 1 && one.width != 2 && one.width != 4 && one.width != 8 {
		return one, fmt.Errorf("%.40q: integers of %d bytes", one.name, one.width)
	}
	*buffers += one.own()
	for _, c := range f.tables(5) {
		child, err := readField(c, buffers, depth+1)
		if err != nil {
			return one, err
		}
		one.children = append(one.children, child)
	}
	if (one.kind == kindList || one.kind == kindLargeList) && len(one.children) != 1 {
		return one, fmt.Errorf("%.40q: a list of %d kinds of elements", one.name, len(one.children))
	}
	return one, nil
}

// own is the number of the field's buffers without its children's.
func (f field) own() int {
	switch f.kind {
	case kindNull:
		return 0
	case kindStruct, kindFixedList:
		return 1
	case kindBinary, kindUtf8, kindLargeBinary, kindLargeUtf8:
		return 3
	}
	return 2
}

func (f field) buffers() int {
	n := f.own()
	for _, c := range f.children {
		n += c.buffers()
	}
	return n
}

func (f field) child(name string) *field {
	for i := range f.children {
		if f.children[i].name == name {
			return &f.children[i]
		}
	}
	return nil
}

func (f field) binary() bool { return f.kind == kindBinary || f.kind == kindLargeBinary }

func (f field) text() bool { return f.kind == kindUtf8 || f.kind == kindLargeUtf8 }

func (f field) list() bool { return f.kind == kindList || f.kind == kindLargeList }

func (f field) offsetWidth() int64 {
	if f.kind == kindLargeBinary || f.kind == kindLargeUtf8 || f.kind == kindLargeList {
		return 8
	}
	return 4
}

// column is the values of a field in one batch.
type column struct {
	field
	rows    int
	valid   []byte // a bit a row; none where all are
	offsets []byte
	data    []byte
	inner   *column // of a list
	last    int64   // where the values of the row before end: none is given twice
}

// column reads the values of a field; none of its kinds has other values than texts,
// numbers and lists of those.
func (t *table) column(f field, buffers []span, rows int) (*column, error) {
	if f.own() < 2 || f.kind == kindFixedBytes {
		return nil, nil
	}
	c := &column{field: f, rows: rows}
	var err error
	if c.valid, err = t.bytes(buffers[f.buffer]); err != nil {
		return nil, err
	}
	second, err := t.bytes(buffers[f.buffer+1])
	if err != nil {
		return nil, err
	}
	need := int64(rows+1) * f.offsetWidth()
	switch {
	case len(c.valid) > 0 && len(c.valid) < (rows+7)/8:
		return nil, errShort
	case f.list() || f.text():
		if c.offsets = second; rows == 0 {
			return c, nil
		}
		if int64(len(second)) < need {
			return nil, errShort
		}
	default:
		c.data = second
	}
	if f.list() {
		n := offset(c.offsets, int64(rows), f.offsetWidth())
		if n < 0 || n > 8*t.size {
			return nil, errShort
		}
		c.inner, err = t.column(f.children[0], buffers, int(n))
		return c, err
	}
	if f.text() {
		c.data, err = t.bytes(buffers[f.buffer+2])
	}
	return c, err
}

// texts adds the values of a row.
func (c *column) texts(to []string, row int, limit int64) ([]string, error) {
	if len(c.valid) > 0 && c.valid[row/8]>>(row%8)&1 == 0 {
		return to, nil
	}
	if c.list() || c.text() {
		from, end := offset(c.offsets, int64(row), c.offsetWidth()), offset(c.offsets, int64(row)+1, c.offsetWidth())
		if from < c.last || end < from || end-from > limit {
			return to, errShort
		}
		c.last = end
		if c.text() {
			if end > int64(len(c.data)) {
				return to, errShort
			}
			return append(to, string(c.data[from:end])), nil
		}
		if c.inner == nil {
			return to, nil
		}
		var err error
		for i := from; i < end && err == nil; i++ {
			if i >= int64(c.inner.rows) || c.inner.list() {
				return to, errShort
			}
			to, err = c.inner.texts(to, int(i), limit)
		}
		return to, err
	}
	switch {
	case c.kind == kindBool:
		if row/8 >= len(c.data) {
			return to, errShort
		}
		return append(to, []string{"0", "1"}[c.data[row/8]>>(row%8)&1]), nil
	case c.width == 0:
		return to, nil
	case (row+1)*c.width > len(c.data):
		return to, errShort
	}
	return append(to, number(c.field, c.data[row*c.width:][:c.width])), nil
}
