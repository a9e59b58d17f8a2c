// Package checkpoint reads and writes CLIP models on disk in three layouts:
// Hugging Face's CLIPModel, open_clip's, and (to read) OpenAI's own files.
//
// A checkpoint is opened with [Open], which finds out the layout and what the
// model computes, a [Spec]. Towers are made from that, and [Checkpoint.Fill]
// gives their parameters memory. [Save] writes a model in either of the first
// two layouts.
//
// A setting that would change the numbers and that the towers do not have is
// refused by name, never ignored.
package checkpoint
