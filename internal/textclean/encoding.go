package textclean

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"
)

// fixEncoding undoes wrong decodings of s, layer by layer.
func (f *fixer) fixEncoding(s string) string {
	for {
		fixed := f.peel(s)
		if fixed == s || !f.spend(len(s)) {
			return fixed
		}
		s = fixed
	}
}

// peel undoes one wrong decoding of s, if s looks like mojibake and there is a
// way back.
func (f *fixer) peel(s string) string {
	if isASCII(s) || !isBad(s) {
		return s
	}
	// Most likely s is UTF-8 that was read in a single-byte encoding.
	for i := range charsets {
		c := &charsets[i]
		b, ok := c.encode(s)
		if !ok {
			continue
		}
		if !c.dashes {
			b = restoreA0(b)
		}
		if c.sloppy {
			b = markLost(b)
		}
		if fixed, ok := decodeVariants(b); ok {
			return fixed
		}
	}
	// Or parts of it are.
	if fixed := f.fixParts(s); fixed != s {
		return fixed
	}
	// Latin-1 with control characters is Windows-1252 read as Latin-1.
	return replaceC1(s)
}

// replaceC1 replaces the C1 control characters of s by the characters that
// Windows-1252 has in their places.
func replaceC1(s string) string {
	return strings.Map(func(r rune) rune {
		if 0x80 <= r && r <= 0x9f {
			return windows1252(r)
		}
		return r
	}, s)
}

// Roles that a character can play in UTF-8 when its bytes are read in one of
// the encodings that resemble Latin-1.
const (
	leadOf2 = 1 << iota
	leadOf3
	leadOf4
	trailing
	// trailingOnly characters hardly stand for themselves beside mojibake:
	// dashes, quotes, bullets and ellipses do.
	trailingOnly
)

var roles = sync.OnceValue(func() map[rune]uint8 {
	table := make(map[rune]uint8, 400)
	for i := range charsets[:latinLike] {
		for b := 0x80; b <= 0xf3; b++ {
			r := charsets[i].decode(byte(b))
			switch {
			case b < 0xc0 && strings.ContainsRune("–—―‘’‚“”„•…", r):
				table[r] |= trailing
			case b < 0xc0:
				table[r] |= trailing | trailingOnly
			case 0xc2 <= b && b < 0xe0:
				table[r] |= leadOf2
			case 0xe0 <= b && b < 0xf0:
				table[r] |= leadOf3
			case b == 0xf0 || b == 0xf3: // others lead to unassigned planes
				table[r] |= leadOf4
			}
		}
	}
	table[' '] |= trailing // for U+00A0
	return table
})

// fixParts decodes again those stretches of s that have the form of UTF-8 and
// look bad by themselves, whatever surrounds them.
func (f *fixer) fixParts(s string) string {
	table := roles()
	var b strings.Builder
	var before uint8 // role of the previous character
	done := 0        // s[:done] is in b
	for i := 0; i < len(s); {
		n := 0
		if before&trailingOnly == 0 {
			n = utf8Form(table, s[i:])
		}
		if n == 0 {
			r, size := utf8.DecodeRuneInString(s[i:])
			before = table[r]
			i += size
			continue
		}
		part := s[i : i+n]
		// Shorter than s, so that this ends.
		if n < len(s) && isBad(part) {
			b.WriteString(s[done:i])
			b.WriteString(f.fixEncoding(part))
			done = i + n
		}
		last, _ := utf8.DecodeLastRuneInString(part)
		before = table[last]
		i += n
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// utf8Form returns the length of the longest start of s in which one role
// follows the other as in UTF-8.
func utf8Form(table map[rune]uint8, s string) int {
	end := 0
	for end < len(s) {
		r, n := utf8.DecodeRuneInString(s[end:])
		trails := 0
		switch role := table[r]; {
		case role&leadOf2 != 0:
			trails = 1
		case role&leadOf3 != 0:
			trails = 2
		case role&leadOf4 != 0:
			trails = 3
		default:
			return end
		}
		for range trails {
			r, size := utf8.DecodeRuneInString(s[end+n:])
			if size == 0 || table[r]&trailing == 0 {
				return end
			}
			n += size
		}
		end += n
	}
	return end
}

// restoreA0 puts back bytes A0 that some program took for spaces, where UTF-8
// needs them and the character they make is a likely one.
func restoreA0(b []byte) []byte {
	if bytes.IndexByte(b, ' ') < 0 {
		return b
	}
	b = restoreAGrave(b)
	for i := 0; i < len(b); i++ {
		n := matchLength(b[i:], a0Forms)
		for j := i; j < i+n; j++ {
			if b[j] == ' ' {
				b[j] = 0xa0
			}
		}
		i += max(n, 1) - 1
	}
	return b
}

// restoreAGrave restores à, C3 A0, as a word of its own: the no-break space and
// the space after it have become one. Only in the Portuguese às, àquele, àquela
// and àquilo was there no second space.
func restoreAGrave(b []byte) []byte {
	if !bytes.Contains(b, []byte("\xc3 ")) {
		return b
	}
	out := make([]byte, 0, len(b)+8)
	for i, c := range b {
		out = append(out, c)
		if c != 0xc3 || i+1 == len(b) || b[i+1] != ' ' {
			continue
		}
		rest := b[i+2:]
		inWord := false
		for _, ending := range []string{" ", "quele", "quela", "quilo", "s "} {
			inWord = inWord || bytes.HasPrefix(rest, []byte(ending))
		}
		if !inWord {
			out = append(out, 0xa0)
		}
	}
	return out
}

// markLost replaces what would be a character of UTF-8 but for bytes that have
// become a [substitute] or a "?" by U+FFFD.
func markLost(b []byte) []byte {
	if bytes.IndexByte(b, substitute) < 0 && bytes.IndexByte(b, '?') < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+8)
	for i := 0; i < len(b); {
		n := matchLength(b[i:], lossyForms)
		if n == 0 {
			out = append(out, b[i])
			i++
			continue
		}
		out = utf8.AppendRune(out, utf8.RuneError)
		i += n
	}
	return out
}
