package tokenizer

// Tokenizer turns a caption into token ids. Implementations are safe for
// concurrent use.
type Tokenizer interface {
	// Encode fills dst, whose length is the context length, with the start token,
	// the caption's tokens, the end token, and zeros. It returns how many ids it
	// used, start and end included, and whether the caption did not fit; then the
	// end token is in the last place.
	Encode(dst []int32, s string) (n int, truncated bool)
	// VocabSize is one more than the largest id.
	VocabSize() int
}
