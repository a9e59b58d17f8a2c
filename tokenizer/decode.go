package tokenizer

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goclip/goclip/internal/textclean"
)

// decoders work one after another.
type decoders []decoder

func (s decoders) decode(tokens []string) []string {
	for _, d := range s {
		tokens = d.decode(tokens)
	}
	return tokens
}

// decodeBytes reads the alphabet of byte-level tokenizers. Tokens with other characters
// are read as they are.
type decodeBytes struct{}

func (decodeBytes) decode(tokens []string) []string {
	var all []byte
	for _, t := range tokens {
		before := len(all)
		for _, r := range t {
			b, ok := charByte(r)
			if !ok {
				all = append(all[:before], t...)
				break
			}
			all = append(all, b)
		}
	}
	return []string{textclean.Valid(string(all))}
}

// decodeWordPiece joins the pieces of words and puts spaces between words.
type decodeWordPiece struct {
	prefix  string
	cleanup bool // no spaces before punctuation
}

func (d decodeWordPiece) decode(tokens []string) []string {
	for i, t := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(t, d.prefix); ok {
				t = rest
			} else {
				t = " " + t
			}
		}
		if d.cleanup {
			t = cleanUp(t)
		}
		tokens[i] = t
	}
	return tokens
}

// cleanUp takes spaces before punctuation and English endings away, one kind after another.
func cleanUp(s string) string {
	for _, pair := range [...][2]string{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"},
		{" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}} {
		s = strings.ReplaceAll(s, pair[0], pair[1])
	}
	return s
}

// decodeMetaspace reads the replacement as a space, and at the start as nothing where one
// was put there.
type decodeMetaspace struct {
	replacement rune
	prefix      bool
}

func (d decodeMetaspace) decode(tokens []string) []string {
	mark := string(d.replacement)
	for i, t := range tokens {
		space := " "
		if i == 0 && d.prefix {
			space = ""
		}
		tokens[i] = strings.ReplaceAll(t, mark, space)
	}
	return tokens
}

// decodeSuffix reads the end of a word as a space, but for the last one.
type decodeSuffix string

func (d decodeSuffix) decode(tokens []string) []string {
	for i, t := range tokens {
		space := " "
		if i == len(tokens)-1 {
			space = ""
		}
		tokens[i] = strings.ReplaceAll(t, string(d), space)
	}
	return tokens
}

// decodeFallback reads runs of <0x41>; runs that are not UTF-8 become U+FFFD, one a byte.
type decodeFallback struct{}

func (decodeFallback) decode(tokens []string) []string {
	out := tokens[:0:0]
	var run []byte
	flush := func() {
		switch {
		case len(run) == 0:
		case utf8.Valid(run):
			out = append(out, string(run))
		default:
			out = append(out, slices.Repeat([]string{"\ufffd"}, len(run))...)
		}
		run = run[:0]
	}
	for _, t := range tokens {
		if len(t) == 6 && strings.HasPrefix(t, "<0x") && t[5] == '>' {
			if b, err := strconv.ParseUint(strings.TrimPrefix(t[3:5], "+"), 16, 8); err == nil {
				run = append(run, byte(b))
				continue
			}
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out
}

// decodeFuse makes one string of all.
type decodeFuse struct{}

func (decodeFuse) decode(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// decodeStrip takes characters off the ends of each token.
type decodeStrip struct {
	content     rune
	start, stop int // how many at most
}

func (d decodeStrip) decode(tokens []string) []string {
	mark := string(d.content)
	for i, t := range tokens {
		for n := 0; n < d.start && strings.HasPrefix(t, mark); n++ {
			t = t[len(mark):]
		}
		for n := 0; n < d.stop && strings.HasSuffix(t, mark); n++ {
			t = t[:len(t)-len(mark)]
		}
		tokens[i] = t
	}
	return tokens
}

// decodeReplace puts content in the place of each match.
type decodeReplace struct{ replace }

// maxDecoded bounds what replacing makes of tokens: beyond it they stay as they are.
const maxDecoded = 1 << 26

func (d decodeReplace) decode(tokens []string) []string {
	total := 0
	for i, t := range tokens {
		var out []byte
		end := 0
		err := d.pattern.each([]byte(t), func(from, to int) {
			if total+len(out) <= maxDecoded {
				out = append(append(out, t[end:from]...), d.content...)
			}
			end = to
		})
		if err == nil && end+len(out) > 0 && total+len(out) <= maxDecoded {
			tokens[i] = string(append(out, t[end:]...))
		}
		total += len(tokens[i])
	}
	return tokens
}

// decodeCTC joins what a recogniser of speech repeats.
type decodeCTC struct {
	pad, delimiter string
	cleanup        bool
}

func (d decodeCTC) decode(tokens []string) []string {
	out := tokens[:0]
	for _, t := range slices.Compact(tokens) {
		t = strings.ReplaceAll(t, d.pad, "")
		if d.cleanup {
			t = strings.ReplaceAll(cleanUp(t), d.delimiter, " ")
		}
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}

// decodeRaw joins tokens that are bytes, as tiktoken's are.
type decodeRaw struct{}

func (decodeRaw) decode(tokens []string) []string {
	var all bytes.Buffer
	for _, t := range tokens {
		all.WriteString(t)
	}
	return []string{textclean.Valid(all.String())}
}
