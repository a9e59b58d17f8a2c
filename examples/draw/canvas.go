package main

import (
	"image"
	"image/color"
	"runtime"
	"sync"
	"sync/atomic"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
)

// view is how an image is looked at: moved and enlarged a little.
type view struct{ dx, dy, zoom float64 }

func (v view) point(i, j, side int) (x, y float64) {
	at := func(k int) float64 { return 0.5 + ((float64(k)+0.5)/float64(side)-0.5)/v.zoom }
	return at(j) - v.dx, at(i) - v.dy
}

// canvas paints images of a number of blobs, side × side, with edges that are
// soft wide.
type canvas struct {
	blobs, side int
	soft        float64
}

// paint writes the image as the view has it, (3, S, S), values 0 to 1.
func (c canvas) paint(dst []float32, params []float64, v view) {
	c.each(params, v, func(pixel int, rgb [3]float64, _ []cover, _ []blob) {
		for ch, value := range rgb {
			dst[ch*c.side*c.side+pixel] = float32(value)
		}
	})
}

// back adds to grad what the gradient by the pixels, (3, S, S), makes of the
// parameters.
func (c canvas) back(grad, params []float64, v view, dPixels []float32) {
	n := c.side * c.side
	behind := make([][3]float64, c.blobs)
	c.each(params, v, func(pixel int, _ [3]float64, covers []cover, blobs []blob) {
		rgb := groundColor(params)
		for k, b := range blobs {
			behind[k] = rgb
			rgb = lay(rgb, b.color, covers[k].alpha)
		}
		var d [3]float64
		for ch := range d {
			d[ch] = float64(dPixels[ch*n+pixel])
		}
		for k := len(blobs) - 1; k >= 0; k-- {
			b, part := &blobs[k], grad[ground+k*perBlob:][:perBlob]
			var dAlpha float64
			for ch, v := range d {
				dAlpha += v * (b.color[ch] - behind[k][ch])
				part[atColor+ch] += colorScale * v * covers[k].alpha * b.color[ch] * (1 - b.color[ch])
				d[ch] = v * (1 - covers[k].alpha)
			}
			b.back(part, &covers[k], c.soft, dAlpha)
		}
		for ch, g := range groundColor(params) {
			grad[0] += toneScale * d[ch] * g * (1 - g)
		}
	})
}

// each computes every pixel. What it hands out is overwritten by the next.
func (c canvas) each(params []float64, v view, use func(pixel int, rgb [3]float64, covers []cover, blobs []blob)) {
	blobs, covers := make([]blob, c.blobs), make([]cover, c.blobs)
	for k := range blobs {
		blobs[k] = newBlob(params[ground+k*perBlob:])
	}
	for i := range c.side {
		for j := range c.side {
			x, y := v.point(i, j, c.side)
			rgb := groundColor(params)
			for k := range blobs {
				covers[k] = blobs[k].at(x, y, c.soft)
				rgb = lay(rgb, blobs[k].color, covers[k].alpha)
			}
			use(i*c.side+j, rgb, covers, blobs)
		}
	}
}

func groundColor(params []float64) [3]float64 {
	tone := sigmoid(toneScale * params[0])
	return [3]float64{tone, tone, tone}
}

func lay(under, over [3]float64, alpha float64) [3]float64 {
	for ch, v := range over {
		under[ch] += alpha * (v - under[ch])
	}
	return under
}

// pixels adds to the graph of images, (N, P), what all views see of each of
// them: (N·V, 3, S, S). The views and the softness may change from run to run.
func (c *canvas) pixels(images *G.Node, views []view) *G.Node {
	n, p := images.Shape()[0], images.Shape()[1]
	each := 3 * c.side * c.side
	return nn.Apply(nn.Op{
		Name:  "canvas",
		Shape: tensor.Shape{n * len(views), 3, c.side, c.side},
		Forward: func(y []float32, x nn.Inputs) {
			onAllCores(n*len(views), func(i int) {
				c.paint(y[i*each:][:each], doubles(x.F32(0)[i/len(views)*p:][:p]), views[i%len(views)])
			})
		},
		Backward: []nn.Pullback{nn.Back(func(dx []float32, x nn.Inputs, _, dy []float32) {
			onAllCores(n, func(i int) {
				grad, params := make([]float64, p), doubles(x.F32(0)[i*p:][:p])
				for k, v := range views {
					c.back(grad, params, v, dy[(i*len(views)+k)*each:][:each])
				}
				for j, g := range grad {
					dx[i*p+j] = float32(g)
				}
			})
		})},
	}, images)
}

// onAllCores calls f for each of n images. Each writes a place of its own, so
// the order of the calls does not matter.
func onAllCores(n int, f func(i int)) {
	var next atomic.Int64
	var cores sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		cores.Add(1)
		go func() {
			defer cores.Done()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		}()
	}
	cores.Wait()
}

func doubles(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// image returns the image as it is, without a view.
func (c canvas) image(params []float64) *image.RGBA {
	pixels := make([]float32, 3*c.side*c.side)
	c.paint(pixels, params, view{zoom: 1})
	img, n := image.NewRGBA(image.Rect(0, 0, c.side, c.side)), c.side*c.side
	for i := range n {
		level := func(ch int) uint8 { return uint8(255*pixels[ch*n+i] + 0.5) }
		img.SetRGBA(i%c.side, i/c.side, color.RGBA{level(0), level(1), level(2), 255})
	}
	return img
}
