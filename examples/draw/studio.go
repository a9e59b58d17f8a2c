package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// studio is the graph with its inputs. It is the one tensor that the solver sees.
type studio struct {
	n       int
	prompts int
	rng     *rand.Rand
	canvas  canvas
	views   []view
	machine *nn.Machine
	images  *tensor.Dense // (N, P)
	offset  []float32     // of the pixels: normalisation and noise
	mean    []float32     // normalisation alone
	grad    *G.Node
	cosines *G.Node // (N·V, T)
}

func (s *studio) Value() G.Value         { return s.images }
func (s *studio) Grad() (G.Value, error) { return s.grad.Value(), nil }

func newStudio(model *encoder.Model, prompts *encoder.Embeddings, blobs, n int, seed uint64) (*studio, error) {
	var s *studio
	machine, err := nn.Build(func(g *G.ExprGraph) (wanted []*G.Node, err error) {
		if s, err = setUp(g, model, prompts, blobs, n, seed); err != nil {
			return nil, err
		}
		return []*G.Node{s.grad, s.cosines}, nil
	})
	if err != nil {
		return nil, err
	}
	s.machine = machine
	return s, nil
}

// setUp adds a studio to an empty graph.
func setUp(g *G.ExprGraph, model *encoder.Model, prompts *encoder.Embeddings, blobs, n int, seed uint64) (*studio, error) {
	cfg := model.Config()
	seen := cfg.Vision.Dims().ImageSize
	side := seen[0]
	if seen[1] != side {
		return nil, fmt.Errorf("draw: the model sees images of %v, want a square", seen)
	}
	p, b := size(blobs), n*looks
	s := &studio{n: n, prompts: prompts.N, rng: rand.New(rand.NewPCG(seed, 0xd4a3)), canvas: canvas{blobs: blobs, side: side}, views: make([]view, looks)}
	s.images = dense(s.blank(p), n, p)
	leaf := func(name string, t *tensor.Dense) *G.Node { return nn.Leaf(g, name, t.Float32s(), t.Shape()...) }
	gain, offset := dense(nil, b, 3, side, side), dense(nil, b, 3, side, side)
	s.offset = offset.Float32s()
	for i := range s.offset {
		c := i / (side * side) % 3
		gain.Float32s()[i] = 1 / cfg.Preprocess.Std[c]
		s.offset[i] = -cfg.Preprocess.Mean[c] / cfg.Preprocess.Std[c]
	}
	s.mean = slices.Clone(s.offset)
	images := leaf("images", s.images)
	pixels := s.canvas.pixels(images, s.views) // (N·V, 3, S, S)
	pixels, err := G.HadamardProd(pixels, leaf("gain", gain))
	if err != nil {
		return nil, err
	}
	if pixels, err = G.Add(pixels, leaf("offset", offset)); err != nil {
		return nil, err
	}
	features, err := model.Vision().Forward(vision.Input{Pixels: pixels}) // (N·V, D)
	if err != nil {
		return nil, err
	}
	// The prompt's column comes first.
	text := leaf("prompts", dense(transpose(prompts), prompts.Dim, prompts.N))
	s.cosines = nn.MatMul(nn.L2Normalize(features), text) // (N·V, T)
	cost, err := s.cost(g, prompts.N)
	if err != nil {
		return nil, err
	}
	grads, err := nn.Grad(cost, images)
	if err != nil {
		return nil, err
	}
	s.grad = grads[0]
	return s, nil
}

func dense(data []float32, shape ...int) *tensor.Dense {
	if data == nil {
		return tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

// cost is a sum over the views: of the cross-entropy of choosing the prompt among
// all by their cosines, which tells it from the rivals, and of minus its cosine,
// which brings the image near. A prompt without rivals has only the latter.
func (s *studio) cost(g *G.ExprGraph, prompts int) (*G.Node, error) {
	first := dense(nil, prompts, 1)
	first.Float32s()[0] = 1
	right, err := G.Mul(s.cosines, nn.Leaf(g, "first", first.Float32s(), prompts, 1))
	if err != nil {
		return nil, err
	}
	if right, err = G.Sum(right); err != nil {
		return nil, err
	}
	if prompts == 1 {
		return G.Neg(right)
	}
	scale := G.NewConstant(float32(sharpness))
	scaled, err := G.HadamardProd(s.cosines, scale)
	if err != nil {
		return nil, err
	}
	odds, err := G.Sum(nn.Exp(scaled), 1)
	if err != nil {
		return nil, err
	}
	all, err := G.Log(odds)
	if err != nil {
		return nil, err
	}
	if all, err = G.Sum(all); err != nil {
		return nil, err
	}
	if right, err = G.Mul(right, G.NewConstant(float32(sharpness+closeness))); err != nil {
		return nil, err
	}
	return G.Sub(all, right)
}

func transpose(e *encoder.Embeddings) []float32 {
	out := make([]float32, len(e.Data))
	for i := range e.N {
		for j, v := range e.Row(i) {
			out[j*e.N+i] = v
		}
	}
	return out
}

// begin has every attempt start from the best of many random images, as the
// model finds them. What one grey blob or the other turns into is else decided in
// the first steps, when neither looks like anything, for all attempts alike.
func (s *studio) begin() error {
	images, p := s.images.Float32s(), size(s.canvas.blobs)
	kept, best := slices.Clone(images), make([]float64, s.n)
	s.canvas.soft = sharpest
	for try := range tries {
		copy(images, s.blank(p))
		scores, err := s.scores()
		if err != nil {
			return err
		}
		for i, score := range scores {
			if try == 0 || score > best[i] {
				best[i] = score
				copy(kept[i*p:][:p], images[i*p:])
			}
		}
	}
	copy(images, kept)
	return nil
}

// blank are images of nearly round blobs of any colour, half of them on dark
// grounds. Two blobs lie on opposite sides of the centre.
func (s *studio) blank(p int) []float32 {
	out := make([]float32, s.n*p)
	for i := range s.n {
		row := out[i*p:][:p]
		row[0] = float32(1 - 2*(i%2))
		away := 0.3 * float64(s.canvas.blobs-1)
		sin, cos := math.Sincos(2 * math.Pi * s.rng.Float64())
		for k := range s.canvas.blobs {
			b := row[ground+k*perBlob:][:perBlob]
			for j := range b {
				b[j] = float32(0.2 * s.rng.NormFloat64())
			}
			for c := range 3 {
				b[atColor+c] = float32(s.rng.NormFloat64())
			}
			side := away / placeScale * float64(1-2*k)
			b[atX], b[atY] = b[atX]+float32(side*cos), b[atY]+float32(side*sin)
			b[atOpacity] += 3
			b[atHole] -= 3
		}
	}
	return out
}

// look draws new views and new noise.
func (s *studio) look() {
	span := func(r float64) float64 { return r * (2*s.rng.Float64() - 1) }
	for i := range s.views {
		s.views[i] = view{span(shift), span(shift), 1 + span(zoom)}
	}
	for i, m := range s.mean {
		s.offset[i] = m + float32(noise*4*s.rng.NormFloat64())
	}
}

// smooth adds the gradients of the penalties on the outlines' waves and on radii,
// and keeps the ground.
func (s *studio) smooth() {
	grad, data := s.grad.Value().Data().([]float32), s.images.Float32s()
	p := size(s.canvas.blobs)
	for i, v := range data {
		j := i%p - ground
		switch {
		case j < 0:
			grad[i] = 0 // the ground stays: what a model makes of a middle grey, it has never been taught
		case j%perBlob >= atWaves:
			grad[i] += 2 * wavy * looks * v
		case j%perBlob == atX || j%perBlob == atY:
			grad[i] += 2 * inside * looks * (v - max(-1.1, min(1.1, v)))
		case j%perBlob == atRadius:
			grad[i] += 2 * roomy * looks * v
		}
	}
}

func (s *studio) keep(out []drawing) {
	p := size(s.canvas.blobs)
	for i := range out {
		out[i].frames = append(out[i].frames, doubles(s.images.Float32s()[i*p:][:p]))
	}
}

// score looks at the results from many views, with sharp edges.
func (s *studio) score(out []drawing) error {
	const times = 8
	s.canvas.soft = sharpest
	for range times {
		scores, err := s.scores()
		if err != nil {
			return err
		}
		for i, score := range scores {
			out[i].score += score / times
		}
	}
	return nil
}

// scores are those of the images as they are now, from new views.
func (s *studio) scores() ([]float64, error) {
	s.look()
	if err := s.machine.Run(); err != nil {
		return nil, err
	}
	cosines, out := s.cosines.Value().Data().([]float32), make([]float64, s.n)
	for i := range s.n * looks {
		row := cosines[i*s.prompts:][:s.prompts]
		score := row[0]
		if s.prompts > 1 {
			score += min(0, row[0]-slices.Max(row[1:]))
		}
		out[i/looks] += float64(score) / looks
	}
	return out, nil
}
