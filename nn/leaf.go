package nn

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Leaf is an input of a graph whose memory the caller keeps writing to. Two leaves of
// one name, type and shape in one graph are the same node.
func Leaf[T float32 | int32](g *G.ExprGraph, name string, data []T, shape ...int) *G.Node {
	return leaf(g, name, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)))
}

// leaf adds an input whose hash is another when the graph is built again. The graph's
// address stands before the name: FNV-1a reads byte by byte, so two names that have
// collided stay together whatever is written behind them.
func leaf(g *G.ExprGraph, name string, value *tensor.Dense) *G.Node {
	return G.NewTensor(g, value.Dtype(), value.Dims(),
		G.WithName(leafName(g, name)), G.WithShape(value.Shape()...), G.WithValue(value))
}

func leafName(g *G.ExprGraph, name string) string { return fmt.Sprintf("%p %s", g, name) }
