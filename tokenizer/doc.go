// Package tokenizer turns captions into token ids.
//
// [BPE] is CLIP's own tokenizer, byte-level byte pair encoding with the cleaning that goes
// before it, its files, and its training. A [Pipeline] is any other tokenizer, read from the
// files that models ship, and a [SentencePiece] a .model file as its own program reads it.
// [Framed] is what a model gets of either: [LoadHuggingFace], [LoadTikToken], [NewSiglip]
// and [NewCNCLIP] clean captions and put special tokens and padding around their ids as the
// models' own programs do.
package tokenizer
