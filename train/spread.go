package train

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
)

// spread is gradient caching on several ranks. Each embeds the pairs of its own micro-batches;
// all know the loss, as they have gathered the embeddings; each pulls the gradients of its
// micro-batches through the towers, and gives what it has added up of a weight to the weight's
// owner (data parallelism with the optimiser's states sharded; Rajbhandari et al., 2020, ZeRO).
type spread struct{ cached }

func (s spread) backpropagate(ctx context.Context, b *Batch, step int) (outcome, error) {
	mine := s.world.pairs(b.N, s.micro, s.world.rank())
	contrast, err := s.contrast(b)
	if err == nil {
		err = s.embeddings(ctx, b, step, mine, contrast)
	}
	if err = s.world.agree(ctx, err, nil); err != nil {
		return outcome{}, err
	}
	if err := s.gather(ctx, b, contrast); err != nil {
		return outcome{}, err
	}
	err = contrast.run(b, 0, step)
	bodies := s.weights.of(image, text)
	for _, w := range bodies {
		w.tree.begin((b.N + s.micro - 1) / s.micro)
	}
	sums := s.world.reduce(ctx, bodies.backward())
	if err == nil {
		s.weights.of(head).take(contrast.grads[2:])
		err = s.pull(ctx, b, step, mine, contrast, bodies, sums)
	}
	if lost := sums.end(); lost != nil {
		return outcome{}, lost
	}
	return contrast.outcome(), s.world.agree(ctx, err, nil)
}

// pull computes the gradients of a rank's micro-batches. Those of the last one complete its
// sums, one weight after the other, each of which may then travel.
func (s spread) pull(ctx context.Context, b *Batch, step int, mine span, contrast *pass, bodies weights, sums *traffic) error {
	if len(bodies) == 0 || mine.from == mine.to {
		return nil
	}
	last := mine.to - 1 - (mine.to-1-mine.from)%s.micro
	err := s.pulls(ctx, b, step, span{mine.from, last}, contrast, func(p *pass, from int) {
		for i, w := range bodies {
			w.tree.leaf(from/s.micro, nn.Floats(p.grads[i]))
		}
	})
	if err != nil {
		return err
	}
	s.told = func(i int, grad []float32) {
		bodies[i].tree.last(last/s.micro, grad)
		sums.ready <- bodies[i]
	}
	return s.pulls(ctx, b, step, span{last, mine.to}, contrast, func(*pass, int) {})
}

// gather gives all ranks what each knows of its pairs.
func (s spread) gather(ctx context.Context, b *Batch, contrast *pass) error {
	share := func(data []float32, each int) error {
		cuts := make([]int, s.world.size()+1)
		for r := range s.world.size() {
			cuts[r+1] = s.world.pairs(b.N, s.micro, r).to * each
		}
		return s.world.gather(ctx, data, cuts)
	}
	dim := embedDim(s.model)
	for tower, data := range contrast.given {
		if err := share(data, contrast.rows(part(tower))*dim); err != nil {
			return err
		}
	}
	if e := b.Teacher; e != nil && b.part {
		if err := share(e.Images, len(e.Images)/b.N); err != nil {
			return err
		}
		if err := share(e.Texts, len(e.Texts)/b.N); err != nil {
			return err
		}
	}
	if !b.part {
		return nil
	}
	prints := make([]float32, 4*b.N)
	for i, v := range b.seen.prints {
		halves(prints[4*i:], v)
	}
	if err := share(prints, 4); err != nil {
		return err
	}
	for i := range b.seen.prints {
		b.seen.prints[i] = whole64(prints[4*i:])
	}
	b.Repeated = b.seen.repeated(b.Groups)
	return nil
}

// leastShared is of how many multiplications of a product a loss is worth sharing: below, as with
// 360 pairs of 512 numbers, it takes no longer than to tell each other of it.
const leastShared = 1 << 26

// share is what of the loss of a batch this rank computes; nil is all.
func (p *pass) share() *loss.Share {
	if p.world.size() == 1 || float64(p.batch)*float64(p.batch)*float64(p.texts*embedDim(p.model)) < leastShared {
		return nil
	}
	s := &loss.Share{Rank: p.world.rank(), Images: []int{0}, Texts: []int{0}}
	for r := range p.world.size() {
		to := p.world.pairs(p.batch, p.micro, r).to
		s.Images, s.Texts = append(s.Images, to), append(s.Texts, to*p.texts)
	}
	s.Gather = func(values []float64, cuts []int) error { return p.world.wide(context.Background(), values, cuts) }
	return s
}

// pairs are those of n whose micro-batches a rank has.
func (w world) pairs(n, micro, rank int) span {
	s := w.run((n+micro-1)/micro, rank)
	return span{min(n, s.from*micro), min(n, s.to*micro)}
}

// divide gives each weight an owner: the largest ones first, each to the rank that has least.
func (w world) divide(ws weights) {
	order := slices.Clone(ws)
	slices.SortStableFunc(order, func(a, b *weight) int { return b.param.Size() - a.param.Size() })
	load := make([]int, w.size())
	for _, x := range order {
		x.owner = slices.Index(load, slices.Min(load))
		load[x.owner] += x.param.Size()
	}
}

// update is the solver's step. All ranks get the weights, while others are still being updated.
func (t *Trainer) update(ctx context.Context, grads [][]float32, norm float64) error {
	renewal := t.world.renew(ctx, t.weights)
	err := t.solver.step(t.params, grads, norm, func(i int) { renewal.ready <- t.owned[i] })
	return errors.Join(err, renewal.end())
}

// norm is that of all gradients, whose squares are added up in the weights' order.
func (t *Trainer) norm(ctx context.Context, grads [][]float32) (float64, error) {
	squares, owner := make([]float64, len(t.weights)), make([]int, len(t.weights))
	for i, next := 0, 0; i < len(t.weights); i++ {
		if owner[i] = t.weights[i].owner; owner[i] == t.world.rank() {
			squares[i] = kernel.SumSquares(grads[next])
			next++
		}
	}
	if err := t.world.numbers(ctx, squares, owner); err != nil {
		return 0, err
	}
	var sum float64
	for _, v := range squares {
		sum += v
	}
	return math.Sqrt(sum), nil
}

// meet begins a step, where all ranks have the same batch.
func (t *Trainer) meet(ctx context.Context, b *Batch, err error) error {
	if t.world.size() == 1 || err != nil {
		return t.world.agree(ctx, err, nil)
	}
	view := fmt.Appendf(nil, "%d %d %q", t.step, b.N, b.seen.captions)
	for _, ids := range [][]int32{b.Tokens, b.Groups} {
		for _, v := range ids {
			view = binary.LittleEndian.AppendUint32(view, uint32(v))
		}
	}
	return t.world.agree(ctx, nil, view)
}

// finite is Stats.finite, where the rank that knows most of the cause says it.
func (t *Trainer) finite(ctx context.Context, s Stats, b *Batch, grads [][]float32) error {
	err := s.finite(b, t.owned, grads)
	if err == nil || t.world.size() == 1 {
		return err
	}
	for _, knows := range []bool{b.spoilt() >= 0, slices.ContainsFunc(grads, func(g []float32) bool { return !kernel.AllFinite(g) })} {
		told := err
		if !knows {
			told = nil
		}
		if told = t.world.agree(ctx, told, nil); told != nil {
			return told
		}
	}
	return t.world.agree(ctx, err, nil)
}

func (t *Trainer) agree(ctx context.Context, err error) error {
	if t == nil {
		return err
	}
	return t.world.agree(ctx, err, nil)
}
