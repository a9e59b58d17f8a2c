package parquet

import (
	"io"

	"github.com/parquet-go/parquet-go"
)

// Write writes rows as one file. T is a struct whose fields are the columns, with tags as
// parquet-go has them: `parquet:"caption,snappy"`, `parquet:"embedding,list"`. The bytes
// follow from the rows alone: nothing in the file says when or where it was written.
func Write[T any](w io.Writer, rows []T) error {
	out := parquet.NewGenericWriter[T](w, parquet.CreatedBy("goclip", "1", "0"))
	for len(rows) > 0 {
		n := min(len(rows), rowsPerGroup)
		if _, err := out.Write(rows[:n]); err != nil {
			return err
		}
		if err := out.Flush(); err != nil { // ends the group
			return err
		}
		rows = rows[n:]
	}
	return out.Close()
}

// rowsPerGroup bounds what a reader has in memory at once.
const rowsPerGroup = 1 << 16
