package nn

import G "gorgonia.org/gorgonia"

// BatchNormOf is the layer's op on any nodes.
func BatchNormOf(x, gamma, beta, mean, variance *G.Node, eps float64) *G.Node {
	return batchNorm(x, gamma, beta, mean, variance, eps)
}
