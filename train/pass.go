package train

import (
	"context"
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/nn"
)

// strategy is a way to the gradients of a batch.
type strategy interface {
	// backpropagate computes the loss and gives each weight its gradient. Step is the
	// number of the step, on which depends what it draws at random.
	backpropagate(ctx context.Context, b *Batch, step int) (outcome, error)
}

// outcome is what is measured on the way, valid until the next step.
type outcome struct {
	loss       float64
	embeddings [2][]float32 // (B, D) of each tower
}

// shape is what a compiled pass depends on.
type shape struct {
	kind          string // what it computes
	batch, length int    // pairs, and tokens of a caption
	texts         int    // of each pair
	teacherDim    int    // size of the embeddings of a teacher; 0 without
}

// graphs makes the passes of a model and keeps them compiled.
type graphs struct {
	model     *encoder.Model
	weights   weights
	objective objective
	dropout   patchDropout
	again     bool // see Config.GradCheckpointing
	world     world
	micro     int // see Config.MicroBatch
	passes    map[shape]*pass
}

// pass is one compiled graph with its inputs and outputs.
type pass struct {
	*graphs
	shape
	graph   *G.ExprGraph
	machine *nn.Machine

	feeds []func(b *Batch, from, step int) error // fill the inputs with the pairs of b from one on
	given [2][]float32                           // inputs in place of the towers: see gradcache.go

	embeddings [2]*G.Node   // (B, D)
	towers     nn.Recompute // from their inputs to the embeddings
	cost       *G.Node
	grads      []*G.Node                   // nil where the cost does not depend on a weight
	untold     []int                       // of grads, those whose coming the machine does not tell
	told       func(i int, grad []float32) // is, in a run, where not nil
}

// pass returns the compiled pass of a shape, which build adds to an empty graph.
func (g *graphs) pass(s shape, build func(*pass)) (*pass, error) {
	if p := g.passes[s]; p != nil {
		return p, nil
	}
	var p *pass
	err := guard.Call(func() error { // a graph may have ops of the caller's own, and their gradients
		machine, err := nn.Build(func(graph *G.ExprGraph) (keep []*G.Node, err error) {
			defer failure(&err)
			p = &pass{graphs: g, shape: s, graph: graph}
			build(p)
			return p.outputs(), nil
		})
		p.machine = machine
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	for i, n := range p.grads {
		if !p.machine.Tell(n, func(grad []float32) { p.tell(i, grad) }) {
			p.untold = append(p.untold, i)
		}
	}
	g.passes[s] = p
	return p, nil
}

func (p *pass) tell(i int, grad []float32) {
	if p.told != nil {
		p.told(i, grad)
	}
}

// failed carries an error out of the building of a graph, which so reads from top to
// bottom.
type failed struct{ error }

func must[T any](v T, err error) T {
	if err != nil {
		panic(failed{err})
	}
	return v
}

// failure, deferred, is where must and nn's layers end.
func failure(err *error) {
	switch r := recover().(type) {
	case nil:
	case failed:
		*err = r.error
	case *nn.Error:
		*err = r
	default:
		panic(r)
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

// feed has f fill an input before every run.
func (p *pass) feed(f func(b *Batch, from, step int) error) { p.feeds = append(p.feeds, f) }

// run computes the pass of the pairs of b from the given one on.
func (p *pass) run(b *Batch, from, step int) error {
	for _, feed := range p.feeds {
		if err := feed(b, from, step); err != nil {
			return fmt.Errorf("train: step %d: %w", step, err)
		}
	}
	if err := p.machine.Run(); err != nil {
		return fmt.Errorf("train: step %d: %w", step, err)
	}
	if p.told != nil {
		for _, i := range p.untold {
			p.told(i, nn.Floats(p.grads[i]))
		}
	}
	return nil
}

func (p *pass) outcome() outcome {
	return outcome{float64(nn.Floats(p.cost)[0]), [2][]float32{nn.Floats(p.embeddings[image]), nn.Floats(p.embeddings[text])}}
}
