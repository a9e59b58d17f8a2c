// Package eval measures models: zero-shot classification, retrieval, linear
// probes, nearest neighbours and calibration.
//
// [Classify] goes through a set without keeping it; [Embed] keeps the embeddings
// and lets them be measured in every way. All of it is deterministic: one model
// and one set give the same figures on any number of cores.
package eval
