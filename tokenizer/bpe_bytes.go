package tokenizer

import "strings"

// Vocabularies are written in the byte alphabet of GPT-2: each byte is one
// printable character, itself where that is printable in Latin-1, and one from
// U+0100 on otherwise. A symbol that ends a word has "</w>" behind it.
const wordEnd = "</w>"

// printable reports whether byte b stands for itself in the byte alphabet.
func printable(b byte) bool {
	return '!' <= b && b <= '~' || 0xa1 <= b && b != 0xad
}

// byteOrder returns the bytes in the order of their ids: first the printable.
func byteOrder() []byte {
	order := make([]byte, 0, 256)
	for _, first := range []bool{true, false} {
		for b := range 256 {
			if printable(byte(b)) == first {
				order = append(order, byte(b))
			}
		}
	}
	return order
}

// byteChars returns the characters of the bytes.
func byteChars() (chars [256]rune) {
	next := rune(0x100)
	for b := range chars {
		chars[b] = rune(b)
		if !printable(byte(b)) {
			chars[b] = next
			next++
		}
	}
	return chars
}

// spelled tells whether a symbol is written in the byte alphabet.
func spelled(symbol string) bool {
	chars, _ := strings.CutSuffix(symbol, wordEnd)
	for _, c := range chars {
		if _, ok := charByte(c); !ok {
			return false
		}
	}
	return chars != ""
}

// symbolBytes returns the bytes that a symbol stands for and whether it ends a
// word; text is nil where it is not [spelled].
func symbolBytes(symbol string) (text []byte, final bool) {
	if !spelled(symbol) {
		return nil, false
	}
	chars, final := strings.CutSuffix(symbol, wordEnd)
	for _, c := range chars {
		b, _ := charByte(c)
		text = append(text, b)
	}
	return text, final
}

// charByte returns the byte that a character of the byte alphabet stands for.
func charByte(c rune) (b byte, ok bool) {
	switch {
	case c <= 0xff:
		return byte(c), printable(byte(c))
	case c <= 0x120:
		return byte(c - 0x100), true // 00 to 20
	case c <= 0x142:
		return byte(c - 0x121 + 0x7f), true // 7F to A0
	}
	return 0xad, c == 0x143
}
