package fax

import (
	"errors"
	"io"
	"testing"
)

// TestRows: three white pixels and five black ones, in every coding.
func TestRows(t *testing.T) {
	const row = 0x1f
	for _, c := range []struct {
		name   string
		coding Coding
		data   []byte
		rows   int
	}{
		{"runs", Runs, []byte{0x83, 0x83, 0, 0}, 2},                          // 1000 0011
		{"runs by words", RunWords, []byte{0x83, 0x83, 0, 0}, 2},             // libtiff counts words from what it has read ahead
		{"group 3", Group3, []byte{0, 0x18, 0x30, 0x01, 0x83}, 2},            // 0000 0000 0001, as above, and again
		{"no ends of rows", Group3, []byte{0x83, 0x83}, 2},                   //
		{"group 4", Group4, []byte{0x30, 0x78}, 2},                           // 001 1000 0011, then 1 1
		{"two-dimensional", Group3Two, []byte{0, 0x1c, 0x18, 0, 0x17, 0}, 2}, // 0000 0000 0001 1 1000 0011, 0000 0000 0001 0 1 1
	} {
		d := NewDecoder(c.coding, 8)
		for again := range 2 {
			d.Reset(c.data)
			for y := range c.rows {
				var got [1]byte
				if err := d.Row(got[:]); err != nil || got[0] != row {
					t.Errorf("%s, time %d, row %d: got %#x and error %v, want %#x", c.name, again, y, got, err, row)
				}
			}
		}
	}
}

// TestEnds: the end of the data is an error, but behind a row of Group 4.
func TestEnds(t *testing.T) {
	var row [1]byte
	d := NewDecoder(Group4, 8)
	d.Reset([]byte{0x30, 0x78, 0, 0x10, 0x01})
	for range 2 {
		if err := d.Row(row[:]); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Row(row[:]); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last row of Group 4: got %v, want EOF", err)
	}
	for _, coding := range []Coding{Runs, Group3, Group3Two, Group4} {
		d := NewDecoder(coding, 8)
		d.Reset(nil)
		if err := d.Row(row[:]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("coding %d of no data: got %v, want unexpected EOF", coding, err)
		}
	}
}

// FuzzRows: no input panics, and rows end.
func FuzzRows(f *testing.F) {
	f.Add([]byte{0x30, 0x78, 0, 0x10, 0x01}, uint8(Group4), uint8(8))
	f.Add([]byte{0, 0x1c, 0x18, 0, 0x17, 0}, uint8(Group3Two), uint8(8))
	f.Add([]byte{0x83, 0x83}, uint8(Runs), uint8(8))
	f.Fuzz(func(t *testing.T, data []byte, coding, width uint8) {
		w := int(width) + 1
		d := NewDecoder(Coding(coding%5), w)
		d.Reset(data)
		row := make([]byte, (w+7)/8)
		for range 100 {
			if d.Row(row) != nil {
				return
			}
			if beyond := byte(0xff) >> (w % 8); w%8 != 0 && row[len(row)-1]&beyond != 0 {
				t.Fatalf("pixels beyond the %d of a row: %x", w, row)
			}
		}
	})
}
