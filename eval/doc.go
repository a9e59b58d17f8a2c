// Package eval measures models: zero-shot classification, retrieval, linear
// probes, nearest neighbours and calibration.
//
// [Classify] streams a set in constant memory; [Embed] keeps the embeddings, for
// several measurements. Everything is deterministic: one model and one set give
// the same figures on any number of cores.
package eval
