// Package checkpoint reads and writes CLIP models on disk in four layouts:
// goclip's own, open_clip's, Hugging Face's CLIPModel and SiglipModel, and (to read)
// OpenAI's own files.
//
// A checkpoint is opened with [Open], which finds out the layout and what the
// model computes, a [Spec]. Towers are made from that, and [Checkpoint.Fill]
// gives their parameters memory. [Save] writes a model in any of the first
// three layouts.
//
// A setting that would change the numbers and that the towers do not have is
// refused by name, never ignored.
package checkpoint
