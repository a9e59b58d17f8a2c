// Package tokenizer turns captions into token ids: CLIP's byte-level byte pair
// encoding, with the cleaning that goes before it, its files, and its training.
package tokenizer
