// Package tokenizer turns captions into token ids.
//
// [BPE] is CLIP's own tokenizer, byte-level byte pair encoding with the cleaning that goes
// before it, its files, and its training. A [Pipeline] is any other tokenizer, read from the
// files that models ship.
package tokenizer
