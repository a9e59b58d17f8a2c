package train

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
)

// shape is what a compiled pass depends on.
type shape struct {
	kind          kind
	batch, length int // pairs, and tokens of a caption
	teacherDim    int // size of the embeddings of a teacher; 0 without
}

// pass is one compiled graph with its outputs and the memory of its inputs, nil
// for those that it does not read.
type pass struct {
	shape
	graph   *G.ExprGraph
	machine *nn.Machine

	pixels []float32
	kept   []int32 // patches
	tokens []int32
	pooled []int32
	groups []int32
	given  [2][]float32 // for each tower its embeddings, or gradients by them

	teacher      [2][]float32 // embeddings
	teacherScale []float32

	embeddings [2]*G.Node // (B, D)
	cost       *G.Node
	grads      []*G.Node
}

// pass returns the compiled pass of a shape. It is built again if two nodes of
// its graph were taken for one another.
func (t *Trainer) pass(s shape) (*pass, error) {
	if p := t.passes[s]; p != nil {
		return p, nil
	}
	for {
		p := &pass{shape: s, graph: G.NewGraph()}
		if err := t.build(p); err != nil {
			return nil, err
		}
		var err error
		p.machine, err = nn.NewMachine(p.graph, p.outputs()...)
		if errors.Is(err, nn.ErrCollision) {
			continue
		}
		if err == nil {
			t.passes[s] = p
		}
		return p, err
	}
}

func (p *pass) outputs() []*G.Node {
	var out []*G.Node
	for _, n := range append([]*G.Node{p.cost, p.embeddings[image], p.embeddings[text]}, p.grads...) {
		if n != nil {
			out = append(out, n)
		}
	}
	return out
}

// load returns the pass of a shape with the pairs of b from the given one on.
func (t *Trainer) load(s shape, b *Batch, from int) (*pass, error) {
	p, err := t.pass(s)
	if err != nil {
		return nil, err
	}
	copy(p.pixels, b.Pixels[from*(len(b.Pixels)/b.N):])
	for i := range len(p.kept) / t.keptPatches() {
		drawPatches(p.kept[i*t.keptPatches():][:t.keptPatches()], t.patches(), t.cfg.Seed, t.step, from+i)
	}
	cfg := t.model.Config().Text
	context := cfg.Dims().ContextLength
	for i := range p.pooled {
		ids := b.Tokens[(from+i)*context:][:context]
		p.pooled[i] = int32(cfg.Row(ids).Pooled)
		copy(p.tokens[i*p.length:][:p.length], ids)
	}
	for i := range p.groups {
		p.groups[i] = int32(i)
	}
	copy(p.groups, b.Groups)
	p.loadTeacher(b.Teacher)
	return p, nil
}

func (t *Trainer) run(p *pass) error {
	if err := p.machine.Run(); err != nil {
		return fmt.Errorf("train: step %d: %w", t.step, err)
	}
	return nil
}

func (p *pass) loss() float64 { return float64(p.cost.Value().Data().(float32)) }

func floats(n *G.Node) []float32 { return n.Value().Data().([]float32) }

// leaf makes an input whose memory the pass keeps writing to.
func leaf[T float32 | int32](g *G.ExprGraph, name string, data []T, shape ...int) *G.Node {
	d := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	return G.NewTensor(g, d.Dtype(), len(shape), G.WithName(name), G.WithShape(shape...), G.WithValue(d))
}
