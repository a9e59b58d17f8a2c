package train

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
)

// objective is what is minimised: a loss, which may be the caller's own, and a
// teacher's share of it.
type objective struct {
	loss      loss.Loss
	name      string
	smoothing float64
	distill   float64
}

func newObjective(c Config) (objective, error) {
	o := objective{loss: c.Loss, smoothing: c.LabelSmoothing, distill: c.Distill}
	err := guard.Call(func() error {
		o.name = c.Loss.Name()
		return nil
	})
	switch {
	case err != nil:
		return o, fmt.Errorf("train: Loss: its name: %w", err)
	case o.name == "":
		return o, fmt.Errorf("train: Loss %T has no name", c.Loss)
	case o.name == loss.InfoNCE{}.Name() && c.Loss != loss.Loss(loss.InfoNCE{}), o.name == loss.Sigmoid{}.Name() && c.Loss != loss.Loss(loss.Sigmoid{}):
		return o, fmt.Errorf("train: Loss %T is named %q, as package loss's own is", c.Loss, o.name)
	}
	return o, nil
}

// chance is the loss of b pairs for a model that knows nothing, 0 where nobody knows.
func (o objective) chance(b int) (chance float64) {
	f := o.loss
	if o.distill > 0 {
		f = loss.Mix(o.distill, f, loss.Teacher{})
	}
	if c, ok := f.(loss.Chancer); ok {
		_ = guard.Call(func() error { // no reason to end a training
			chance = c.Chance(b, o.smoothing)
			return nil
		})
	}
	return chance
}

// loss adds the loss of the embeddings to the graph.
func (p *pass) loss() *G.Node {
	groups := make([]int32, p.batch)
	p.feed(func(b *Batch, _, _ int) error {
		for i := range groups {
			groups[i] = int32(i)
		}
		copy(groups, b.Groups)
		return nil
	})
	targets := loss.Targets{Groups: nn.Leaf(p.graph, "groups", groups, p.batch), Smoothing: p.objective.smoothing}
	p.sayWhose(&targets)
	in := loss.Input{Image: p.embeddings[image], Text: p.embeddings[text], Targets: targets, Share: p.share()}
	in.Scale = must(loss.Scale(p.model.LogitScale().Node(p.graph)))
	if bias := p.model.LogitBias(); bias != nil {
		in.Bias = bias.Node(p.graph)
	}
	f := p.taught(p.objective.loss)
	var cost *G.Node
	err := guard.Call(func() (err error) {
		cost, err = f.Forward(in)
		return err
	})
	switch {
	case err != nil:
	case cost == nil:
		err = errors.New("no node")
	case cost.Graph() != p.graph:
		err = errors.New("it belongs to another graph than the embeddings")
	case !cost.IsScalar() || cost.Dtype() != tensor.Float32:
		err = fmt.Errorf("it is of type %v and shape %v, want a scalar of float32", cost.Type(), cost.Shape())
	}
	if err != nil {
		panic(failed{fmt.Errorf("loss %s: %w", p.objective.name, err)})
	}
	return cost
}
