// Package nn holds the layers of the towers as fused gorgonia operations over
// the float32 primitives of internal/kernel.
//
// Shapes use one alphabet: B batch, L tokens, W width, H heads, D embedding,
// P patches, V vocabulary. All values are float32 and contiguous, except token
// ids and lengths, which are int32.
//
// Parameters live outside graphs ([Param]), because a gorgonia graph has fixed
// shapes and one model needs several graphs. A layer's Forward method adds its
// nodes to the graph of its input. Layer functions panic with an *[Error] on a
// shape that does not fit; every exported function of the towers turns it into
// an error with [Catch].
package nn
