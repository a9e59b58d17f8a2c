package tokenizer

// Tokenizer turns a caption into token ids. Implementations are safe for
// concurrent use.
type Tokenizer interface {
	// Encode fills dst, whose length is the context length, with the start token,
	// the caption's tokens, the end token, and padding: zeros in CLIP's tokenizer. It
	// returns how many ids it used, start and end included, and whether the caption did
	// not fit; then the end token is in the last place.
	Encode(dst []int32, s string) (n int, truncated bool)
	// VocabSize is one more than the largest id.
	VocabSize() int
}

// TryEncode is Encode of a tokenizer, with the error of one that can refuse a caption: those
// that are [Framed] can, where the vocabulary lacks a token for what is unknown.
func TryEncode(tok Tokenizer, dst []int32, s string) (n int, truncated bool, err error) {
	if f, ok := tok.(interface {
		TryEncode(dst []int32, s string) (n int, truncated bool, err error)
	}); ok {
		return f.TryEncode(dst, s)
	}
	n, truncated = tok.Encode(dst, s)
	return n, truncated, nil
}
