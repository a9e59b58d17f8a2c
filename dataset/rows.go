package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/goclip/goclip/internal/lists"
)

// row is one line of a table.
type row struct {
	line     int
	image    string
	captions []string
	label    string
	err      error // what is wrong with this row alone
}

// Bounds on a line of a table, and on a row that goes over several lines.
const (
	maxLine     = 1 << 20
	maxRowBytes = 64 << 10
	maxRowLines = 100
)

// What can be wrong with one row of a CSV, as against the reading of its file.
var (
	errLongLine   = fmt.Errorf("longer than %d bytes", maxLine)
	errOpenQuote  = errors.New("a quote is never closed")
	errStrayQuote = errors.New("a quoted field goes on after its closing quote")
)

// lineReader numbers the lines of a text and can take lines back.
type lineReader struct {
	r    *bufio.Reader
	at   int    // number of the line last read
	back []line // lines to read again, the next one last
}

type line struct {
	text string
	err  error
}

func newLineReader(r io.Reader) *lineReader { return &lineReader{r: lists.NewReader(r)} }

// next returns a line without its end. Of a line that is too long the rest is
// passed over.
func (l *lineReader) next() (string, error) {
	l.at++
	if n := len(l.back); n > 0 {
		last := l.back[n-1]
		l.back = l.back[:n-1]
		return last.text, last.err
	}
	var text []byte
	long := false
	for {
		part, err := l.r.ReadSlice('\n')
		if long = long || len(text)+len(part) > maxLine; !long {
			text = append(text, part...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		switch {
		case err != nil && err != io.EOF:
			return "", err
		case long:
			return "", errLongLine
		case err == io.EOF && len(text) == 0:
			return "", io.EOF
		}
		return string(bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))), nil
	}
}

// restore takes back the lines that next has given since line number at.
func (l *lineReader) restore(at int, lines []line) {
	l.at = at
	for _, last := range slices.Backward(lines) {
		l.back = append(l.back, last)
	}
}
