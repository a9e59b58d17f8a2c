package train

import "context"

// backpropagate computes the loss of a batch and gives each weight its gradient.
// The embeddings, (B, D) of each tower, are valid until the next pass.
func (t *Trainer) backpropagate(ctx context.Context, b *Batch) (loss float64, embeddings [2][]float32, err error) {
	if t.cfg.MicroBatch > 0 && t.cfg.MicroBatch < b.N {
		return t.backpropagateCached(ctx, b)
	}
	p, err := t.load(shape{whole, b.N, t.length(b), b.teacherDim()}, b, 0)
	if err != nil {
		return 0, embeddings, err
	}
	if err := t.run(p); err != nil {
		return 0, embeddings, err
	}
	for i, w := range t.weights {
		w.grad = p.grads[i].Value()
	}
	return p.loss(), [2][]float32{floats(p.embeddings[image]), floats(p.embeddings[text])}, nil
}

// backpropagateCached takes a few pairs at a time through the towers (Gao et al.,
// 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited
// Setup", known as GradCache): once to embed them, keeping nothing else; and
// when the loss of all embeddings and its gradients by them are known, once more
// for these to flow back. The loss sees the towers through the embeddings only,
// so the sum over the micro-batches is the gradient of the batch.
func (t *Trainer) backpropagateCached(ctx context.Context, b *Batch) (loss float64, embeddings [2][]float32, err error) {
	dim := t.model.Config().Vision.Dims().EmbedDim
	c, err := t.load(shape{kind: contrast, batch: b.N, teacherDim: b.teacherDim()}, b, 0)
	if err != nil {
		return 0, embeddings, err
	}
	err = t.microBatches(ctx, b, embed, func(*pass, int) {}, func(p *pass, from int) {
		for tower, e := range p.embeddings {
			copy(c.given[tower][from*dim:], floats(e))
		}
	})
	if err != nil {
		return 0, embeddings, err
	}
	if err := t.run(c); err != nil {
		return 0, embeddings, err
	}
	for i, w := range t.of(head) {
		w.grad = c.grads[2+i].Value()
	}
	bodies := t.of(image, text)
	if len(bodies) == 0 {
		return c.loss(), c.given, nil
	}
	return c.loss(), c.given, t.microBatches(ctx, b, pull, func(p *pass, from int) {
		for tower, grad := range p.given {
			copy(grad, floats(c.grads[tower])[from*dim:])
		}
	}, func(p *pass, from int) {
		for i, w := range bodies {
			w.accumulate(floats(p.grads[i]), from == 0)
		}
	})
}

// microBatches runs the passes of a kind over the batch, a micro-batch at a
// time: feed before each run, collect after it, with the number of its first
// pair.
func (t *Trainer) microBatches(ctx context.Context, b *Batch, k kind, feed, collect func(p *pass, from int)) error {
	length := t.length(b)
	for from := 0; from < b.N; from += t.cfg.MicroBatch {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := t.load(shape{kind: k, batch: min(t.cfg.MicroBatch, b.N-from), length: length}, b, from)
		if err != nil {
			return err
		}
		feed(p, from)
		if err := t.run(p); err != nil {
			return err
		}
		collect(p, from)
	}
	return nil
}
