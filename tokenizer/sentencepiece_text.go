package tokenizer

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// spmSpace is what sentencepiece writes for a space.
const spmSpace = "\u2581"

// apply appends the normalized text. Pieces of the user stay as they are.
func (n *spmNormalizer) apply(dst []byte, c *charsmap, user *prefixTrie, suffixSpace bool, text string) []byte {
	space := " "
	if n.escapeSpaces {
		space = spmSpace
	}
	b := []byte(text)
	if n.removeSpaces {
		for len(b) > 0 {
			part, size := normalizedPrefix(c, user, b)
			if string(part) != " " {
				break
			}
			b = b[size:]
		}
	}
	if len(b) == 0 {
		return dst
	}
	first := len(dst)
	if n.dummyPrefix && !suffixSpace {
		dst = append(dst, space...)
	}
	afterSpace := n.removeSpaces
	for len(b) > 0 {
		part, size := normalizedPrefix(c, user, b)
		b = b[size:]
		for afterSpace && len(part) > 0 && part[0] == ' ' {
			part = part[1:]
		}
		if len(part) > 0 {
			afterSpace = n.removeSpaces && part[len(part)-1] == ' '
		}
		for _, x := range part {
			if x == ' ' {
				dst = append(dst, space...)
			} else {
				dst = append(dst, x)
			}
		}
	}
	if n.removeSpaces {
		for bytes.HasSuffix(dst[first:], []byte(space)) {
			dst = dst[:len(dst)-len(space)]
		}
	}
	if n.dummyPrefix && suffixSpace {
		dst = append(dst, space...)
	}
	return dst
}

// normalizedPrefix returns what the beginning of b becomes, and its length: the longest
// string of the charsmap, else a character.
func normalizedPrefix(c *charsmap, user *prefixTrie, b []byte) (part []byte, size int) {
	if user != nil {
		if size, _ := user.longest(b); size > 0 {
			return b[:size], size
		}
	}
	if c != nil {
		if size, part := c.longest(b); size > 0 {
			return part, size
		}
	}
	if r, size := utf8.DecodeRune(b); r != utf8.RuneError || size > 1 {
		return b[:size], size
	}
	return []byte("\ufffd"), 1
}

// Decode returns the text of ids. Control pieces are left out, and bytes that make no
// character become U+FFFD. An id that does not exist is an error.
func (s *SentencePiece) Decode(ids []int32) (string, error) {
	var text, run []byte // run: of byte pieces
	start, seen := true, false
	for _, id := range ids {
		if id < 0 || int(id) >= len(s.pieces) {
			return "", fmt.Errorf("tokenizer: id %d, want less than %d", id, len(s.pieces))
		}
		piece := s.pieces[id].text
		if id, known := s.ID(piece); !known { // a gap of the ids
			text, run = appendBytePieces(text, run)
			text = append(text, piece...)
			start, seen = start && !seen && len(text) == 0, false
		} else if p := s.pieces[id]; p.kind == spmByte {
			b, _ := pieceByte(piece)
			run = append(run, b)
		} else {
			text, run = appendBytePieces(text, run)
			start = start && !seen && len(text) == 0
			text, seen = s.appendPiece(text, p, start)
		}
	}
	text, _ = appendBytePieces(text, run)
	if s.denormalize != nil {
		text = s.denormalizer.apply(nil, s.denormalize, nil, false, string(text))
	}
	return string(text), nil
}

// appendPiece appends the text of a piece, and tells whether it has taken away the space
// that a text's first piece begins with.
func (s *SentencePiece) appendPiece(text []byte, p spmPiece, start bool) ([]byte, bool) {
	switch p.kind {
	case spmControl:
		return text, false
	case spmUnknown:
		return append(text, s.unkSurface...), false
	}
	piece, taken := []byte(p.text), false
	if start && (s.normalizer.dummyPrefix || s.normalizer.removeSpaces) {
		piece, taken = bytes.CutPrefix(piece, []byte(spmSpace))
		taken = taken && !s.normalizer.removeSpaces
	}
	return append(text, bytes.ReplaceAll(piece, []byte(spmSpace), []byte(" "))...), taken
}

// appendBytePieces appends the characters of a run of byte pieces, and empties it.
func appendBytePieces(text, run []byte) (longer, empty []byte) {
	for len(run) > 0 {
		r, size := utf8.DecodeRune(run)
		text = utf8.AppendRune(text, r)
		run = run[size:]
	}
	return text, run
}

// pieceByte is the byte that a piece stands for.
func pieceByte(piece string) (b byte, ok bool) {
	if len(piece) != len("<0x00>") || piece[:3] != "<0x" || piece[5] != '>' {
		return 0, false
	}
	for _, c := range piece[3:5] {
		switch {
		case '0' <= c && c <= '9':
			b = b<<4 | byte(c-'0')
		case 'A' <= c && c <= 'F':
			b = b<<4 | byte(c-'A'+10)
		default:
			return 0, false
		}
	}
	return b, true
}
