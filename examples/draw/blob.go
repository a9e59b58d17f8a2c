package main

import "math"

// An image is a grey ground and soft blobs on it, described by parameters without
// bounds, around 0 and of about the same weight, so that one learning rate suits
// all. The ground has one, a blob these:
const (
	atX       = iota // centre
	atY              //
	atRadius         // on a logarithmic scale
	atOpacity        //
	atHole           // how far the hole is open
	atInner          // radius of the hole, as a part of the blob's
	atColor          // three channels
	atWaves   = atColor + 3
	waves     = 8 // harmonics of the outline
	perBlob   = atWaves + waves
	ground    = 1
)

// size is the number of parameters of an image of so many blobs.
func size(blobs int) int { return ground + blobs*perBlob }

func blobsOf(params []float64) int { return (len(params) - ground) / perBlob }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// blob is one with its parameters brought to their scales. Its outline has the
// radius exp(logR + Σ aₕ cos hθ) at the angle θ from upwards, so that left and
// right mirror each other.
type blob struct {
	x, y, logR, opacity, hole, inner float64
	color                            [3]float64
	wave                             [waves]float64
}

// How the scales follow from the parameters: lengths are parts of the image's
// side.
const (
	placeScale  = 0.25
	radiusScale = 0.4
	firstRadius = 0.18
	colorScale  = 2
	toneScale   = 2
)

func waveScale(h int) float64 { return 0.3 / (1 + math.Sqrt(float64(h))) }

func newBlob(p []float64) blob {
	b := blob{
		x: 0.5 + placeScale*p[atX], y: 0.5 + placeScale*p[atY],
		logR:    math.Log(firstRadius) + radiusScale*p[atRadius],
		opacity: sigmoid(p[atOpacity]), hole: sigmoid(p[atHole]), inner: sigmoid(p[atInner]),
	}
	for c := range 3 {
		b.color[c] = sigmoid(colorScale * p[atColor+c])
	}
	for i := range b.wave {
		b.wave[i] = waveScale(i+1) * p[atWaves+i]
	}
	return b
}

// cover is what a blob does at one point, with what its gradient needs.
type cover struct {
	dx, dy, rho, r, slope float64 // slope: of ln r by θ
	cos                   [waves]float64
	body, inside, alpha   float64
}

// at returns the blob's cover at a point; edges are about soft wide.
func (b *blob) at(x, y, soft float64) (c cover) {
	c.dx, c.dy = x-b.x, y-b.y
	c.rho = math.Sqrt(c.dx*c.dx+c.dy*c.dy) + 1e-9
	cos1, sin1 := -c.dy/c.rho, c.dx/c.rho
	cos, sin, log := 1.0, 0.0, b.logR
	for h := range waves {
		cos, sin = cos*cos1-sin*sin1, sin*cos1+cos*sin1
		c.cos[h] = cos
		log += b.wave[h] * cos
		c.slope -= float64(h+1) * b.wave[h] * sin
	}
	c.r = math.Exp(log)
	c.body = sigmoid((c.r - c.rho) / soft)
	c.inside = sigmoid((b.inner*c.r - c.rho) / soft)
	c.alpha = b.opacity * c.body * (1 - b.hole*c.inside)
	return c
}

// back adds to grad, laid out as the parameters, what the loss's gradient by
// alpha makes of them.
func (b *blob) back(grad []float64, c *cover, soft, dAlpha float64) {
	open := 1 - b.hole*c.inside
	grad[atOpacity] += dAlpha * c.body * open * b.opacity * (1 - b.opacity)
	dBody := dAlpha * b.opacity * open * c.body * (1 - c.body) / soft
	dInside := -dAlpha * b.opacity * c.body * b.hole * c.inside * (1 - c.inside) / soft
	grad[atHole] -= dAlpha * b.opacity * c.body * c.inside * b.hole * (1 - b.hole)
	grad[atInner] += dInside * c.r * b.inner * (1 - b.inner)
	dLog := (dBody + b.inner*dInside) * c.r
	dRho := -dBody - dInside
	grad[atRadius] += radiusScale * dLog
	for h := range waves {
		grad[atWaves+h] += waveScale(h+1) * dLog * c.cos[h]
	}
	turn := dLog * c.slope / c.rho
	grad[atX] += placeScale * (turn*c.dy - dRho*c.dx) / c.rho
	grad[atY] += placeScale * (-turn*c.dx - dRho*c.dy) / c.rho
}
