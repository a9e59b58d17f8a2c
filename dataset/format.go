package dataset

import "io"

// Format reads one kind of file with a table in it, images included, for [Open].
// Its methods may be called from several goroutines.
type Format interface {
	// Extension is that of its files: ".parquet".
	Extension() string

	// OpenTable reads what the file says of itself. The file has size bytes of
	// unknown origin; it stays open as long as the table is used. Limit bounds the
	// bytes of one cell.
	OpenTable(r io.ReaderAt, size, limit int64) (Table, error)
}

// Table is a table of a [Format]. Its methods may be called from several goroutines.
type Table interface {
	Columns() []Column
	Rows() int

	// Cells calls yield with the texts of the named columns, row by row: each the
	// values of one cell, none for null, several for a list. Numbers are written as
	// decimals. The slices are used again.
	Cells(columns []string, yield func(row int, cells [][]string) error) error

	// Image returns the encoded image in a column of images, nil for null.
	Image(column string, row int) ([]byte, error)
}

// Column describes one column of a [Table].
type Column struct {
	Name   string
	Image  bool     // it holds encoded images
	Path   string   // of images: the column of Cells with their paths, if there is one
	Labels []string // the names that its numbers stand for
}
