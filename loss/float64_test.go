package loss_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/goclip/goclip/nn"
)

// specification computes an objective of pairs without groups and its gradients by the
// image embeddings and by the scale, all in float64.
func (in batch) specification(objective string) (cost float64, image []float64, scale float64) {
	b, d := in.b, in.d
	z, g := make([]float64, b*b), make([]float64, b*b)
	for i := range b {
		for j := range b {
			z[i*b+j] = in.logit(i, j)
		}
	}
	rows, cols := make([]float64, b), make([]float64, b)
	for i := range b {
		for j := range b {
			rows[i] += math.Exp(z[i*b+j] - z[i*b+i])
			cols[i] += math.Exp(z[j*b+i] - z[i*b+i])
		}
	}
	for i := range b {
		cost += math.Log(rows[i]) + math.Log(cols[i])
		for j := range b {
			v := z[i*b+j]
			g[i*b+j] = (math.Exp(v-z[i*b+i])/rows[i] + math.Exp(v-z[j*b+j])/cols[j]) / float64(2*b)
			if i == j {
				g[i*b+j] = ((1-rows[i])/rows[i] + (1-cols[i])/cols[i]) / float64(2*b)
			}
		}
	}
	if cost /= float64(2 * b); objective == "sigmoid" {
		cost = 0
		for i := range b {
			for j := range b {
				sign := -1.0
				if i == j {
					sign = 1
				}
				v := sign * (z[i*b+j] + float64(in.bias))
				cost += math.Log1p(math.Exp(-v)) / float64(b)
				g[i*b+j] = -sign / (1 + math.Exp(v)) / float64(b)
			}
		}
	}
	image = make([]float64, b*d)
	for i := range b {
		for j := range b {
			scale += g[i*b+j] * z[i*b+j] / float64(in.scale)
			for k := range d {
				image[i*d+k] += float64(in.scale) * g[i*b+j] * float64(in.text[j*d+k])
			}
		}
	}
	return cost, image, scale
}

// TestFloat64: value and gradients lie within 1e-6 of the specification, relative to
// their size, for more pairs than a tile holds, from a model that knows nothing to one that is
// all but sure. At CLIP's largest scale a logit that counts is rounded by as much.
func TestFloat64(t *testing.T) {
	for _, objective := range []string{"infonce", "sigmoid"} {
		for _, scale := range []float32{1, 10, 20, 50, 100} {
			tol := 1e-6
			if scale > 50 {
				tol = 1.5e-6
			}
			for _, alike := range []float32{0, 0.4, 1} {
				in := random(3, 270, 256, scale)
				in.bias = -scale / 4
				for i := range in.text {
					in.text[i] += alike * in.image[i]
				}
				for i := range in.b {
					nn.NormalizeRow(in.text[i*in.d:][:in.d], in.text[i*in.d:][:in.d])
				}
				got := in.run(t, objective)
				cost, image, slope := in.specification(objective)
				if cost < 1e-6 {
					continue // so sure that the specification itself is not exact
				}
				what := fmt.Sprintf("%s at scale %g, alike %g", objective, scale, alike)
				near(t, what, got.cost, cost, tol*cost)
				near(t, what+": gradient of the scale", float64(got.scale[0]), slope, tol*math.Abs(slope))
				var off, size float64
				for i, w := range image {
					off += (float64(got.image[i]) - w) * (float64(got.image[i]) - w)
					size += w * w
				}
				near(t, what+": gradient of the images, relative", math.Sqrt(off/size), 0, tol)
			}
		}
	}
}

// BenchmarkLoss is a loss with its gradients.
func BenchmarkLoss(b *testing.B) {
	for _, objective := range []string{"infonce", "sigmoid"} {
		for _, pairs := range []int{128, 512, 2048, 4096} {
			b.Run(fmt.Sprintf("%s/%d", objective, pairs), func(b *testing.B) {
				_, m, _ := random(1, pairs, 512, 10).machine(b, objective)
				for b.Loop() {
					must(b, m.Run())
				}
			})
		}
	}
}
