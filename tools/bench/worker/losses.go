package main

import (
	"path/filepath"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
)

// losses are each loss with its gradients, of embeddings (B, 512): infonce/2048. What it gives is
// the loss and the gradient of the first image.
func losses(root string) maker {
	return func(name string) (work, error) {
		kind, b, err := caseOf(name)
		if err != nil {
			return nil, err
		}
		x, err := units(root, "image", b)
		if err != nil {
			return nil, err
		}
		y, err := units(root, "text", b)
		if err != nil {
			return nil, err
		}
		g := G.NewGraph()
		leaf := func(name string, v []float32, shape ...int) *G.Node {
			return G.NewTensor(g, tensor.Float32, len(shape), G.WithName(name), G.WithShape(shape...),
				G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
		}
		image, text := leaf("image", x, b, dim), leaf("text", y, b, dim)
		scale, bias := leaf("scale", []float32{10}, 1), leaf("bias", []float32{-3}, 1)
		f, wrt := loss.Loss(loss.InfoNCE{}), []*G.Node{image, text, scale}
		if kind == "sigmoid" {
			f, wrt = loss.Sigmoid{}, append(wrt, bias)
		}
		cost, err := f.Forward(loss.Input{Image: image, Text: text, Scale: scale, Bias: bias})
		if err != nil {
			return nil, err
		}
		grads, err := nn.Grad(cost, wrt...)
		if err != nil {
			return nil, err
		}
		m, err := nn.NewMachine(g, append(grads, cost)...)
		return func() ([]float32, error) {
			if err := m.Run(); err != nil {
				return nil, err
			}
			first := grads[0].Value().Data().([]float32)[:dim]
			return append([]float32{cost.Value().Data().(float32)}, first...), nil
		}, err
	}
}

// units are embeddings (B, 512), in memory such as towers write theirs to.
func units(root, side string, b int) ([]float32, error) {
	x, err := numbers[float32](filepath.Join(root, "unit-"+side), b*dim)
	y := kernel.Buffer(len(x))
	copy(y, x)
	return y, err
}
