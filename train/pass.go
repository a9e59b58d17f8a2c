package train

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/nn"
	"github.com/goclip/goclip/loss"
)

// shape is what a compiled training pass depends on.
type shape struct{ batch, tokens int }

// pass is one compiled forward and backward pass.
type pass struct {
	shape
	graph   *G.ExprGraph
	machine *nn.Machine
	pixels  []float32
	tokens  []int32
	last    []int32
	groups  []int32
	cost    *G.Node
	grads   []*G.Node
}

func (t *Trainer) pass(s shape) (*pass, error) {
	if p := t.passes[s]; p != nil {
		return p, nil
	}
	for {
		p, err := t.compile(s)
		if errors.Is(err, nn.ErrCollision) {
			continue
		}
		if err == nil {
			t.passes[s] = p
		}
		return p, err
	}
}

func (t *Trainer) compile(s shape) (*pass, error) {
	size := t.model.Config().Vision.ImageSize
	p := &pass{
		shape:  s,
		pixels: make([]float32, s.batch*3*size[0]*size[1]),
		tokens: make([]int32, s.batch*s.tokens),
		last:   make([]int32, s.batch),
		groups: make([]int32, s.batch),
		graph:  G.NewGraph(),
	}
	g := p.graph
	image, err := t.model.Vision().Forward(leaf(g, "pixels", p.pixels, s.batch, 3, size[0], size[1]))
	if err != nil {
		return nil, err
	}
	text, err := t.model.Text().Forward(leaf(g, "tokens", p.tokens, s.batch, s.tokens), leaf(g, "last", p.last, s.batch))
	if err != nil {
		return nil, err
	}
	scale, err := loss.Scale(t.model.LogitScale().Node(g))
	if err != nil {
		return nil, err
	}
	var bias *G.Node
	objective := loss.GroupedInfoNCE
	if t.cfg.Loss == "sigmoid" {
		objective, bias = loss.GroupedSigmoid, t.model.LogitBias().Node(g)
	}
	groups := leaf(g, "groups", p.groups, s.batch)
	if p.cost, err = objective(groups)(nn.L2Normalize(image), nn.L2Normalize(text), scale, bias); err != nil {
		return nil, err
	}
	var weights []*G.Node
	for _, w := range t.weights {
		weights = append(weights, w.param.Node(g))
	}
	if p.grads, err = nn.Grad(p.cost, weights...); err != nil {
		return nil, err
	}
	p.machine, err = nn.NewMachine(g, append([]*G.Node{p.cost}, p.grads...)...)
	return p, err
}

// load fills the inputs of the pass for b.
func (t *Trainer) load(b *Batch) (*pass, error) {
	cfg := t.model.Config()
	length := cfg.Text.ContextLength
	size := 3 * cfg.Vision.ImageSize[0] * cfg.Vision.ImageSize[1]
	switch {
	case b.N < 2:
		return nil, fmt.Errorf("train: a batch of %d: contrast needs 2 pairs or more", b.N)
	case len(b.Pixels) != b.N*size:
		return nil, fmt.Errorf("train: %d pixel values for %d pictures of %d", len(b.Pixels), b.N, size)
	case len(b.Tokens) != b.N*length:
		return nil, fmt.Errorf("train: %d token ids for %d captions of %d", len(b.Tokens), b.N, length)
	case b.Groups != nil && len(b.Groups) != b.N:
		return nil, fmt.Errorf("train: %d groups for %d pairs", len(b.Groups), b.N)
	}
	row := func(i int) []int32 { return b.Tokens[i*length:][:length] }
	tokens := length
	if cfg.Text.Trims() {
		longest := 0
		for i := range b.N {
			longest = max(longest, cfg.Text.Last(row(i))+1)
		}
		// Only a few lengths, so that only a few passes are compiled.
		tokens = min(length, (longest+7)/8*8)
	}
	p, err := t.pass(shape{b.N, tokens})
	if err != nil {
		return nil, err
	}
	copy(p.pixels, b.Pixels)
	for i := range b.N {
		p.last[i], p.groups[i] = int32(cfg.Text.Last(row(i))), int32(i)
		copy(p.tokens[i*p.shape.tokens:][:p.shape.tokens], row(i))
	}
	if b.Groups != nil {
		copy(p.groups, b.Groups)
	}
	return p, nil
}

// leaf makes an input whose memory the pass keeps writing to.
func leaf[T float32 | int32](g *G.ExprGraph, name string, data []T, shape ...int) *G.Node {
	d := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	return G.NewTensor(g, d.Dtype(), len(shape), G.WithName(name), G.WithShape(shape...), G.WithValue(d))
}
