package encoder

import (
	"fmt"
	"sync"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// imageShape and textShape are what the shape of a compiled pass depends on.
type imageShape struct{ batch, patches int } // patches is 0 for pixels
type textShape struct {
	batch, tokens int
	mask, types   bool // are told beside the tokens
}

// session is one compiled forward pass with its inputs and its memory. It serves
// one goroutine at a time.
type session struct {
	machine  *nn.Machine
	pixels   []float32 // or patches
	grids    []int32   // of the patches
	tokens   []int32
	pooled   []int32
	mask     []int32 // nil where they are not told
	types    []int32
	features *G.Node
}

// run returns the features, (B, D), valid until the next run.
func (s *session) run() ([]float32, error) {
	if err := s.machine.Run(); err != nil {
		return nil, err
	}
	return s.features.Value().Data().([]float32), nil
}

// setGrids writes the grids of a batch; there are none where it takes pixels.
func (s *session) setGrids(grids [][2]int) {
	for i := range s.grids {
		s.grids[i] = int32(grids[i/2][i%2])
	}
}

// pool keeps idle sessions by shape, the last few used.
type pool[K comparable] struct {
	mu   sync.Mutex
	idle []idle[K] // most recently used last
}

type idle[K comparable] struct {
	shape K
	*session
}

// maxIdle bounds the memory that waits for a shape to come again.
const maxIdle = 8

func (p *pool[K]) take(shape K, build func() (*session, error)) (*session, error) {
	p.mu.Lock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if p.idle[i].shape == shape {
			s := p.idle[i].session
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			p.mu.Unlock()
			return s, nil
		}
	}
	p.mu.Unlock()
	return build()
}

func (p *pool[K]) put(shape K, s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == maxIdle {
		p.idle = append(p.idle[:0], p.idle[1:]...)
	}
	p.idle = append(p.idle, idle[K]{shape, s})
}

// reset forgets all sessions: the graph has changed.
func (p *pool[K]) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = nil
}

func (m *Model) imageSession(shape imageShape) (*session, error) {
	return compile(func(g *G.ExprGraph, s *session) (err error) {
		var in vision.Input
		if n := shape.patches; n > 0 {
			each, _ := m.patchLen()
			s.pixels, s.grids = make([]float32, shape.batch*n*each), make([]int32, 2*shape.batch)
			in.Patches, in.Grid = nn.Leaf(g, "patches", s.pixels, shape.batch, n, each), nn.Leaf(g, "grids", s.grids, shape.batch, 2)
		} else {
			size := m.cfg.Vision.Dims().ImageSize
			s.pixels = make([]float32, shape.batch*3*size[0]*size[1])
			in.Pixels = nn.Leaf(g, "pixels", s.pixels, shape.batch, 3, size[0], size[1])
		}
		return guarded("encoder: image tower", func() error {
			if s.features, err = m.image.Forward(in); err != nil {
				return err
			}
			return checkFeatures("image", s.features, g, shape.batch, max(1, m.vectors())*m.cfg.Vision.Dims().EmbedDim)
		})
	})
}

func (m *Model) textSession(shape textShape) (*session, error) {
	return compile(func(g *G.ExprGraph, s *session) (err error) {
		s.tokens, s.pooled = make([]int32, shape.batch*shape.tokens), make([]int32, shape.batch)
		in := text.Input{Tokens: nn.Leaf(g, "tokens", s.tokens, shape.batch, shape.tokens), Pooled: nn.Leaf(g, "pooled", s.pooled, shape.batch)}
		if shape.mask {
			s.mask = make([]int32, len(s.tokens))
			in.Mask = nn.Leaf(g, "mask", s.mask, shape.batch, shape.tokens)
		}
		if shape.types {
			s.types = make([]int32, len(s.tokens))
			in.Types = nn.Leaf(g, "types", s.types, shape.batch, shape.tokens)
		}
		return guarded("encoder: text tower", func() error {
			if s.features, err = m.text.Forward(in); err != nil {
				return err
			}
			if err := unread(g, in); err != nil {
				return err
			}
			return checkFeatures("text", s.features, g, shape.batch, m.cfg.Text.Dims().EmbedDim)
		})
	})
}

// unread reports what is told beside the tokens and the tower has not looked at.
func unread(g *G.ExprGraph, in text.Input) error {
	for _, told := range []struct {
		what string
		leaf *G.Node
	}{{"a mask", in.Mask}, {"token types", in.Types}} {
		if told.leaf != nil && !g.To(told.leaf.ID()).Next() {
			return fmt.Errorf("encoder: %s: the text tower reads none", told.what)
		}
	}
	return nil
}

// checkFeatures reports what a tower returns other than features, float32 (B, D), in
// the graph of its input.
func checkFeatures(tower string, n *G.Node, g *G.ExprGraph, b, d int) error {
	switch {
	case n == nil:
		return fmt.Errorf("encoder: %s tower: no features", tower)
	case n.Graph() != g:
		return fmt.Errorf("encoder: %s tower: the features belong to another graph than its input", tower)
	case n.Dtype() != tensor.Float32:
		return fmt.Errorf("encoder: %s tower: the features are %v, want float32", tower, n.Dtype())
	case !n.Shape().Eq(tensor.Shape{b, d}):
		return fmt.Errorf("encoder: %s tower: the features have shape %v, want (%d, %d)", tower, n.Shape(), b, d)
	}
	return nil
}

// compile builds a pass.
func compile(build func(*G.ExprGraph, *session) error) (*session, error) {
	var s *session
	machine, err := nn.Build(func(g *G.ExprGraph) ([]*G.Node, error) {
		s = &session{}
		err := build(g, s)
		return []*G.Node{s.features}, err
	})
	if err != nil {
		return nil, err
	}
	s.machine = machine
	return s, nil
}
