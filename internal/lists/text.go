// Package lists reads what people keep in small files of text: names of classes, prompt
// templates, tables. Whatever program wrote a file, its bytes become text in one place,
// and what a label's words are is said in one place.
package lists

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// look is how far into a file its encoding and its ends of lines are looked for.
const look = 64 << 10

// NewReader reads text as UTF-8 with lines that end in "\n" or "\r\n": a byte order mark
// is taken off, UTF-16 is decoded, with a mark or, where every other byte of the beginning
// is zero, without, and in a file whose lines end in "\r" alone they end in "\n". Bytes
// that are no UTF-8 are left for the caller to find.
func NewReader(r io.Reader) *bufio.Reader {
	br := bufio.NewReaderSize(r, look)
	head, _ := br.Peek(look)
	switch order, mark := wide16(head); {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = br.Discard(3)
	case order != nil:
		if mark {
			_, _ = br.Discard(2)
		}
		br = bufio.NewReaderSize(&utf16Reader{r: br, order: order}, look)
	}
	head, _ = br.Peek(look)
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		br = bufio.NewReaderSize(returns{br}, look)
	}
	return br
}

// Plain is [NewReader]'s reading of a text that is in memory.
func Plain(text []byte) []byte {
	plain, _ := io.ReadAll(NewReader(bytes.NewReader(text))) // which has no errors of its own
	return plain
}

// wide16 tells of the beginning of a file whether it is UTF-16, in which order, and whether
// a byte order mark says so.
func wide16(head []byte) (order binary.ByteOrder, mark bool) {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return binary.LittleEndian, true
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return binary.BigEndian, true
	}
	head = head[:min(len(head), 64)&^1]
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch n := len(head) / 2; {
	case n < 2:
	case zeros[1] == n && zeros[0] == 0:
		return binary.LittleEndian, false
	case zeros[0] == n && zeros[1] == 0:
		return binary.BigEndian, false
	}
	return nil, false
}

// utf16Reader makes UTF-8 of UTF-16. What is no character becomes U+FFFD, half of one at
// the end too.
type utf16Reader struct {
	r     *bufio.Reader
	order binary.ByteOrder
	rest  []byte // of the last character
}

func (u *utf16Reader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(u.rest) == 0 {
			r, err := u.next()
			if err != nil && n > 0 {
				return n, nil
			} else if err != nil {
				return 0, err
			}
			u.rest = utf8.AppendRune(u.rest, r)
		}
		k := copy(p[n:], u.rest)
		n, u.rest = n+k, u.rest[:copy(u.rest, u.rest[k:])]
	}
	return n, nil
}

// next reads one character.
func (u *utf16Reader) next() (rune, error) {
	unit, err := u.r.Peek(2)
	if len(unit) == 1 {
		_, _ = u.r.Discard(1)
		return utf8.RuneError, nil
	} else if err != nil {
		return 0, err
	}
	r := rune(u.order.Uint16(unit))
	if pair, _ := u.r.Peek(4); utf16.IsSurrogate(r) && len(pair) == 4 {
		if both := utf16.DecodeRune(r, rune(u.order.Uint16(pair[2:]))); both != utf8.RuneError {
			_, err = u.r.Discard(4)
			return both, err
		}
	}
	_, err = u.r.Discard(2)
	return r, err // AppendRune makes U+FFFD of half a pair
}

// returns makes line feeds of carriage returns.
type returns struct{ r io.Reader }

func (r returns) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	for i, c := range p[:n] {
		if c == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// maxText is the size of a list in bytes, as text.
const maxText = 8 << 20

// readText reads a whole list, with lines that end in "\n".
func readText(r io.Reader) (string, error) {
	if r == nil {
		return "", errors.New("the reader is nil")
	}
	data, err := io.ReadAll(io.LimitReader(NewReader(r), maxText+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxText:
		return "", fmt.Errorf("more than %d bytes", maxText)
	case !utf8.Valid(data):
		return "", errors.New("not valid UTF-8")
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }); i >= 0 {
		return "", fmt.Errorf("line %d: a control character, %q: this is no list of words", 1+strings.Count(text[:i], "\n"), text[i])
	}
	return text, nil
}
