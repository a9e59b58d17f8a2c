package train

import (
	"context"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/nn"
)

// cached takes a few pairs at a time through the towers (Gao et al., 2021, "Scaling
// Deep Contrastive Learning Batch Size under Memory Limited Setup", known as
// GradCache): once to embed them, keeping nothing else; and when the loss of all
// embeddings and its gradients by them are known, once more for these to flow
// back. The loss sees the towers through the embeddings only, so the sum over the
// micro-batches is the gradient of the batch.
type cached struct {
	whole                             // for batches that are no larger than a micro-batch
	told  func(i int, grad []float32) // where not nil, is each gradient of a pass as it comes
}

func (c cached) backpropagate(ctx context.Context, b *Batch, step int) (outcome, error) {
	if c.world.ranks != nil {
		return spread{c}.backpropagate(ctx, b, step)
	}
	if b.N <= c.micro {
		return c.whole.backpropagate(ctx, b, step)
	}
	every := span{0, b.N}
	contrast, err := c.contrast(b)
	if err != nil {
		return outcome{}, err
	}
	if err := c.embeddings(ctx, b, step, every, contrast); err != nil {
		return outcome{}, err
	}
	if err := contrast.run(b, 0, step); err != nil {
		return outcome{}, err
	}
	c.weights.of(head).take(contrast.grads[2:])
	bodies := c.weights.of(image, text)
	if len(bodies) == 0 {
		return contrast.outcome(), nil
	}
	return contrast.outcome(), c.pulls(ctx, b, step, every, contrast, func(p *pass, from int) {
		for i, w := range bodies {
			w.accumulate(nn.Floats(p.grads[i]), from == 0)
		}
	})
}

// embeddings fills the inputs of the loss with those of some pairs.
func (c cached) embeddings(ctx context.Context, b *Batch, step int, of span, contrast *pass) error {
	dim := embedDim(c.model)
	return c.microBatches(ctx, b, step, of, "embed", c.embed, func(*pass, int) {}, func(p *pass, from int) {
		for tower, e := range p.embeddings {
			copy(contrast.given[tower][from*p.rows(part(tower))*dim:], nn.Floats(e))
		}
	})
}

// pulls computes the towers' gradients of some pairs from those of the loss, which collect
// takes.
func (c cached) pulls(ctx context.Context, b *Batch, step int, of span, contrast *pass, collect func(p *pass, from int)) error {
	dim := embedDim(c.model)
	return c.microBatches(ctx, b, step, of, "pull", c.pull, func(p *pass, from int) {
		for tower, grad := range p.given {
			copy(grad, nn.Floats(contrast.grads[tower])[from*p.rows(part(tower))*dim:])
		}
	}, collect)
}

// microBatches runs the passes of a kind over pairs of the batch, a micro-batch at a
// time: feed before each run, collect after it, with the number of its first
// pair.
func (c cached) microBatches(ctx context.Context, b *Batch, step int, of span, kind string, build func(*pass), feed, collect func(p *pass, from int)) error {
	length, err := captionLength(c.model, b)
	if err != nil {
		return err
	}
	for from := of.from; from < of.to; from += c.micro {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := c.pass(shape{kind: kind, batch: min(c.micro, b.N-from), length: length, texts: b.texts()}, build)
		if err != nil {
			return err
		}
		feed(p, from)
		p.told = c.told
		if err := p.run(b, from, step); err != nil {
			return err
		}
		collect(p, from)
	}
	return nil
}

// contrast is the loss of given embeddings, and its gradients by them.
func (c cached) contrast(b *Batch) (*pass, error) {
	return c.pass(shape{kind: "contrast", batch: b.N, texts: b.texts(), teacherDim: b.teacherDim()}, func(p *pass) {
		p.embeddings = [2]*G.Node{p.placeholder(image), p.placeholder(text)}
		p.cost = p.loss()
		p.grads = p.gradients(c.weights.of(head), p.embeddings[:]...)
	})
}

// embed is the towers alone.
func (c cached) embed(p *pass) {
	p.embeddings = [2]*G.Node{p.imageTower(), p.textTower()}
}

// pull is the towers, and the gradients of their weights from given ones by the
// embeddings.
func (c cached) pull(p *pass) {
	var y, dy G.Nodes
	for tower, forward := range []func() *G.Node{image: p.imageTower, text: p.textTower} {
		if len(c.weights.of(part(tower))) > 0 { // else it is locked, and not even computed
			p.embeddings[tower] = forward()
			y, dy = append(y, p.embeddings[tower]), append(dy, p.placeholder(part(tower)))
		}
	}
	p.grads = must(p.recompute().VJP(y, dy, c.weights.of(image, text).leaves(p.graph)...))
}

// placeholder adds an input of the shape of a tower's embeddings, (B, D), which
// whoever runs the pass fills.
func (p *pass) placeholder(tower part) *G.Node {
	rows, dim := p.batch*p.rows(tower), embedDim(p.model)
	p.given[tower] = make([]float32, rows*dim)
	return nn.Leaf(p.graph, []string{"image", "text"}[tower], p.given[tower], rows, dim)
}
