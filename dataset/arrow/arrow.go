// Package arrow reads Arrow's IPC streams for package dataset: what save_to_disk of
// Hugging Face's datasets writes. It reads plain columns, texts, images and lists of
// texts, without compression and dictionaries; one image is read without the others.
//
//	set, err := dataset.Open("saved", &dataset.Options{Formats: []dataset.Format{arrow.Format{}}})
package arrow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/goclip/goclip/dataset"
)

// Format is that of files called .arrow.
type Format struct{}

// Extension implements [dataset.Format].
func (Format) Extension() string { return ".arrow" }

// OpenTable implements [dataset.Format].
func (Format) OpenTable(r io.ReaderAt, size, limit int64) (dataset.Table, error) {
	t := &table{r: r, size: size, limit: limit}
	if err := t.messages(); err != nil {
		return nil, fmt.Errorf("arrow: %w", err)
	}
	return t, nil
}

// table is a stream with the places of its record batches.
type table struct {
	r           io.ReaderAt
	size, limit int64
	fields      []field
	labels      map[string][]string
	batches     []batch
	rows        int
}

// batch is a group of rows: where the values of each field are.
type batch struct {
	first, rows int
	buffers     []span // in the order of the fields
}

type span struct{ at, size int64 }

// maxMessage bounds what a message says of its rows, without them.
const maxMessage = 16 << 20

// messages goes through the stream by its messages' heads.
func (t *table) messages() error {
	for at := int64(0); at < t.size; {
		head, err := t.bytes(span{at, 8})
		if err != nil {
			return err
		}
		at += 8
		n := int64(int32(binary.LittleEndian.Uint32(head[4:])))
		if binary.LittleEndian.Uint32(head) != 0xffffffff {
			return errors.New("not a stream: no continuation mark at the beginning of a message (files of Feather's kind are not read)")
		}
		if n == 0 {
			break
		}
		if n < 0 || n > maxMessage {
			return fmt.Errorf("the head of a message has %d bytes, want 1 to %d", n, maxMessage)
		}
		text, err := t.bytes(span{at, n})
		if err != nil {
			return err
		}
		at += n
		body, err := t.message(text, at)
		if err != nil {
			return err
		}
		at += body
	}
	if t.fields == nil {
		return errors.New("the stream has no schema")
	}
	return nil
}

// message reads the head of one, and returns the size of its body.
func (t *table) message(text []byte, at int64) (int64, error) {
	m, err := root(text)
	if err != nil {
		return 0, err
	}
	size := m.int64(3)
	header, ok := m.table(2)
	if !ok || size < 0 || size > t.size-at {
		return 0, fmt.Errorf("a message without a header, or with a body of %d bytes where %d are left", size, t.size-at)
	}
	switch kind := m.byte(1); kind {
	case 1:
		return size, t.schema(header)
	case 3:
		return size, t.batch(header, span{at, size})
	case 2:
		return 0, errors.New("columns with a dictionary are not supported")
	}
	return size, nil
}

func (t *table) schema(s flat) error {
	if t.fields != nil {
		return errors.New("two schemas in one stream")
	}
	t.fields = []field{}
	buffers := 0
	for _, f := range s.tables(1) {
		one, err := readField(f, &buffers, 0)
		if err != nil {
			return err
		}
		t.fields = append(t.fields, one)
	}
	for _, pair := range s.tables(2) {
		if pair.string(0) == "huggingface" {
			t.labels = dataset.FeatureLabels([]byte(pair.string(1)))
		}
	}
	return nil
}

func (t *table) batch(h flat, body span) error {
	if _, compressed := h.table(3); compressed {
		return errors.New("compressed batches are not supported")
	}
	rows := h.int64(0)
	if rows < 0 || rows > 8*t.size || rows > math.MaxInt32 {
		return fmt.Errorf("a batch of %d rows in a file of %d bytes", rows, t.size)
	}
	b := batch{first: t.rows, rows: int(rows)}
	for _, s := range h.spans(2) {
		if s.at < 0 || s.size < 0 || s.at > body.size || s.size > body.size-s.at {
			return fmt.Errorf("a buffer of %d bytes at %d leaves its message of %d", s.size, s.at, body.size)
		}
		b.buffers = append(b.buffers, span{body.at + s.at, s.size})
	}
	want := 0
	for _, f := range t.fields {
		want += f.buffers()
	}
	if len(b.buffers) != want {
		return fmt.Errorf("a batch has %d buffers, its fields have %d", len(b.buffers), want)
	}
	if all := int64(t.rows) + rows; all > 8*t.size || all > math.MaxInt32 {
		return fmt.Errorf("%d rows in a file of %d bytes", all, t.size)
	}
	t.rows += b.rows
	t.batches = append(t.batches, b)
	return nil
}

// bytes reads a part of the file.
func (t *table) bytes(s span) ([]byte, error) {
	if s.at < 0 || s.size < 0 || s.at > t.size || s.size > t.size-s.at {
		return nil, fmt.Errorf("%d bytes at %d are not in a file of %d", s.size, s.at, t.size)
	}
	b := make([]byte, s.size)
	if n, err := t.r.ReadAt(b, s.at); n < len(b) {
		return nil, err
	}
	return b, nil
}

// Rows implements [dataset.Table].
func (t *table) Rows() int { return t.rows }

// Columns implements [dataset.Table].
func (t *table) Columns() []dataset.Column {
	var list []dataset.Column
	for _, f := range t.fields {
		c := dataset.Column{Name: f.name, Labels: t.labels[f.name]}
		switch {
		case f.kind == kindStruct && f.child("bytes") != nil:
			c.Image = true
			if f.child("path") != nil {
				c.Path = f.name + ".path"
			}
		case f.binary():
			c.Image = true
		}
		list = append(list, c)
	}
	return list
}

// Cells implements [dataset.Table].
func (t *table) Cells(columns []string, yield func(int, [][]string) error) error {
	found := make([]*field, len(columns))
	for i, name := range columns {
		found[i] = t.find(name)
	}
	cells := make([][]string, len(columns))
	for _, b := range t.batches {
		columns := make([]*column, len(found))
		for i, f := range found {
			if f != nil && !f.binary() {
				c, err := t.column(*f, b.buffers, b.rows)
				if err != nil {
					return fmt.Errorf("arrow: %s: %w", f.name, err)
				}
				columns[i] = c
			}
		}
		for row := range b.rows {
			for i, c := range columns {
				cells[i] = cells[i][:0]
				if c != nil {
					var err error
					if cells[i], err = c.texts(cells[i], row, t.limit); err != nil {
						return fmt.Errorf("arrow: row %d: %w", b.first+row, err)
					}
				}
			}
			if err := yield(b.first+row, cells); err != nil {
				return err
			}
		}
	}
	return nil
}

// find returns the field of a name, or of "name.child".
func (t *table) find(name string) *field {
	for i := range t.fields {
		f := &t.fields[i]
		if f.name == name {
			return f
		}
		for j := range f.children {
			if f.kind == kindStruct && f.name+"."+f.children[j].name == name {
				return &f.children[j]
			}
		}
	}
	return nil
}

// Image implements [dataset.Table].
func (t *table) Image(column string, row int) ([]byte, error) {
	f := t.find(column)
	if f != nil && f.kind == kindStruct {
		f = f.child("bytes")
	}
	if f == nil || !f.binary() {
		return nil, fmt.Errorf("arrow: %q is no column of images", column)
	}
	for _, b := range t.batches {
		if row >= b.first && row < b.first+b.rows {
			return t.value(*f, b, row-b.first)
		}
	}
	return nil, fmt.Errorf("arrow: row %d of %d", row, t.rows)
}

// value reads one value of bytes.
func (t *table) value(f field, b batch, row int) ([]byte, error) {
	valid := b.buffers[f.buffer]
	if valid.size > 0 {
		bits, err := t.bytes(span{valid.at + int64(row/8), 1})
		if err != nil || int64(row/8) >= valid.size {
			return nil, errors.Join(err, errShort)
		}
		if bits[0]>>(row%8)&1 == 0 {
			return nil, nil
		}
	}
	wide := f.offsetWidth()
	at := b.buffers[f.buffer+1]
	if int64(row+2)*wide > at.size {
		return nil, errShort
	}
	ends, err := t.bytes(span{at.at + int64(row)*wide, 2 * wide})
	if err != nil {
		return nil, err
	}
	from, to := offset(ends, 0, wide), offset(ends, 1, wide)
	data := b.buffers[f.buffer+2]
	switch {
	case from < 0 || to < from || to > data.size:
		return nil, errShort
	case to-from > t.limit:
		return nil, fmt.Errorf("%d bytes, more than the limit of %d", to-from, t.limit)
	}
	return t.bytes(span{data.at + from, to - from})
}

var errShort = errors.New("the values are longer than their buffers")

func offset(b []byte, i, wide int64) int64 {
	if wide == 8 {
		return int64(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
}

func number(f field, b []byte) string {
	bits := uint64(0)
	for i := len(b) - 1; i >= 0; i-- {
		bits = bits<<8 | uint64(b[i])
	}
	switch {
	case f.kind == kindFloat && len(b) == 8:
		return strconv.FormatFloat(math.Float64frombits(bits), 'g', -1, 64)
	case f.kind == kindFloat && len(b) == 4:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(bits))), 'g', -1, 32)
	case f.kind == kindFloat:
		return ""
	case f.signed:
		shift := 64 - 8*len(b)
		return strconv.FormatInt(int64(bits<<shift)>>shift, 10)
	}
	return strconv.FormatUint(bits, 10)
}
