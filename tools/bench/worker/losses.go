package main

import (
	G "gorgonia.org/gorgonia"

	"fmt"
	"math"
	"path/filepath"

	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
	"gorgonia.org/tensor"
)

// losses are each loss with its gradients, of so many pairs.
func losses(c *cases, root string) {
	for _, kind := range []string{"infonce", "sigmoid"} {
		for _, b := range []int{128, 512, 2048, 4096, 8192} {
			c.add(fmt.Sprintf("%s/%d", kind, b), func() (work, error) { return lossOf(root, kind, b, 512) })
		}
	}
}

func lossOf(root, kind string, b, d int) (work, error) {
	x, err := numbers[float32](filepath.Join(root, "unit_image.f32"), b*d)
	if err != nil {
		return work{}, err
	}
	y, err := numbers[float32](filepath.Join(root, "unit_text.f32"), b*d)
	if err != nil {
		return work{}, err
	}
	g := G.NewGraph()
	leaf := func(name string, v []float32, shape ...int) *G.Node {
		return G.NewTensor(g, tensor.Float32, len(shape), G.WithName(name), G.WithShape(shape...),
			G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
	}
	image, text := leaf("image", x, b, d), leaf("text", y, b, d)
	scale, bias := leaf("scale", []float32{10}, 1), leaf("bias", []float32{-3}, 1)
	f, wrt := loss.Loss(loss.InfoNCE{}), []*G.Node{image, text, scale}
	if kind == "sigmoid" {
		f, wrt = loss.Sigmoid{}, append(wrt, bias)
	}
	cost, err := f.Forward(loss.Input{Image: image, Text: text, Scale: scale, Bias: bias})
	if err != nil {
		return work{}, err
	}
	grads, err := nn.Grad(cost, wrt...)
	if err != nil {
		return work{}, err
	}
	m, err := nn.NewMachine(g, append(grads, cost)...)
	if err != nil {
		return work{}, err
	}
	return work{m.Run, func() ([]float32, error) {
		if err := m.Run(); err != nil {
			return nil, err
		}
		size := func(n *G.Node) float32 {
			var sum float64
			for _, v := range n.Value().Data().([]float32) {
				sum += math.Abs(float64(v))
			}
			return float32(sum)
		}
		return []float32{cost.Value().Data().(float32), grads[2].Value().Data().([]float32)[0], size(grads[0]), size(grads[1])}, nil
	}}, nil
}
