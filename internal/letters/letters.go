// Package letters is a tokenizer for tests that needs no training.
package letters

// Tokenizer takes each byte for a token, between a begin and an end token. It
// implements tokenizer.Tokenizer.
type Tokenizer struct{}

// VocabSize is that of the bytes below 128, and the two tokens.
func (Tokenizer) VocabSize() int { return 130 }

// Save has nothing to write: whoever loads the model brings a Tokenizer.
func (Tokenizer) Save(string) error { return nil }

// Encode fills dst, which holds two ids or more, and pads it with zeros.
func (Tokenizer) Encode(dst []int32, s string) (n int, truncated bool) {
	clear(dst)
	dst[0], n = 128, 1
	for _, c := range []byte(s) {
		if n == len(dst)-1 {
			truncated = true
			break
		}
		dst[n] = int32(c & 127)
		n++
	}
	dst[n] = 129
	return n + 1, truncated
}
