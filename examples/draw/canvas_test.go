package main

import (
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
)

func someParams(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 3))
	p := make([]float64, n)
	for i := range p {
		p[i] = float64(float32(rng.NormFloat64()))
	}
	return p
}

// defined is the weighted sum of the pixels of one view, in float64.
func defined(c canvas, params []float64, v view, weights []float32) (sum float64) {
	c.each(params, v, func(pixel int, rgb [3]float64, _ []cover, _ []blob) {
		for ch, value := range rgb {
			sum += float64(weights[ch*c.side*c.side+pixel]) * value
		}
	})
	return sum
}

// TestGradients of all parameters, against central differences in float64, whose
// error at this step is some 1e-9 of the third derivative.
func TestGradients(t *testing.T) {
	c := canvas{blobs: 3, side: 7, soft: 0.1}
	rng := rand.New(rand.NewPCG(1, 2))
	weights := make([]float32, 3*7*7)
	for i := range weights {
		weights[i] = float32(rng.NormFloat64())
	}
	for seed, v := range []view{{zoom: 1}, {0.05, -0.03, 1.1}, {-0.07, 0.02, 0.9}} {
		params := someParams(uint64(seed), size(3))
		grad := make([]float64, len(params))
		c.back(grad, params, v, weights)
		for i := range params {
			const h = 1e-5
			at := params[i]
			params[i] = at + h
			up := defined(c, params, v, weights)
			params[i] = at - h
			down := defined(c, params, v, weights)
			params[i] = at
			if want := (up - down) / (2 * h); !(math.Abs(grad[i]-want) <= 1e-7*(1+math.Abs(want))) {
				t.Errorf("view %d: gradient %d is %.10g, want %.10g", seed, i, grad[i], want)
			}
		}
	}
}

// TestNode: the node's values and gradients are the canvas's, for several
// images and views, between gorgonia's own nodes.
func TestNode(t *testing.T) {
	c := &canvas{blobs: 2, side: 6, soft: 0.1}
	views := []view{{zoom: 1}, {0.1, 0, 1.2}, {0, -0.1, 0.9}}
	const n = 2
	p := size(2)
	params := someParams(9, n*p)
	backing := make([]float32, n*p)
	for i, v := range params {
		backing[i] = float32(v)
	}
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float32, G.WithName("x"), G.WithShape(n, p), G.WithValue(tensor.New(tensor.WithShape(n, p), tensor.WithBacking(backing))))
	y := c.pixels(x, views)
	cost := G.Must(G.Sum(G.Must(G.Square(y))))
	grads, err := nn.Grad(cost, x)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := nn.NewMachine(g, y, grads[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := machine.Run(); err != nil {
		t.Fatal(err)
	}
	got, back := y.Value().Data().([]float32), grads[0].Value().Data().([]float32)
	each := 3 * 6 * 6
	for i := range n {
		want := make([]float64, p)
		for k, v := range views {
			pixels := make([]float32, each)
			c.paint(pixels, params[i*p:][:p], v)
			for j, value := range pixels {
				if at := got[(i*len(views)+k)*each+j]; at != value {
					t.Errorf("image %d, view %d, pixel %d is %g, want %g", i, k, j, at, value)
				}
				pixels[j] *= 2
			}
			c.back(want, params[i*p:][:p], v, pixels)
		}
		for j, w := range want {
			if b := float64(back[i*p+j]); !(math.Abs(b-w) <= 1e-5*(1+math.Abs(w))) {
				t.Errorf("image %d: gradient %d is %g, want %g", i, j, b, w)
			}
		}
	}
}
