// Package kernel holds the float32 primitives that the layers are made of:
// matrix products, activations, softmax, layer normalisation, reductions and
// AdamW's step. They work on plain slices, row-major, and know nothing of
// graphs or models.
//
// Every primitive has a version in plain Go, which is its specification.
// Lengths and strides are checked before any work; a slice that is too short
// is a bug of the caller and panics.
package kernel
