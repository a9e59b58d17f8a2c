package train

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/goclip/goclip/internal/kernel"
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
	if err == nil {
		s.weights.of(head).take(contrast.grads[2:])
		for _, w := range bodies {
			w.tree.begin((b.N + s.micro - 1) / s.micro)
		}
		if len(bodies) > 0 {
			err = s.pulls(ctx, b, step, mine, contrast, func(p *pass, from int) {
				for i, w := range bodies {
					w.tree.leaf(from/s.micro, nn.Floats(p.grads[i]))
				}
			})
		}
	}
	if err = s.world.agree(ctx, err, nil); err != nil {
		return outcome{}, err
	}
	return contrast.outcome(), s.world.reduce(ctx, bodies)
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

// together is about how many numbers are on their way at a time.
const together = 4 << 20

// groups are weights that are exchanged at once.
func (ws weights) groups() (list []weights) {
	size := together
	for i, w := range ws {
		if size >= together {
			list, size = append(list, nil), 0
		}
		list[len(list)-1] = append(list[len(list)-1], ws[i])
		size += w.param.Size()
	}
	return list
}

// reduce adds up the gradients of the weights, each where its owner is.
func (w world) reduce(ctx context.Context, ws weights) error {
	for _, group := range ws.groups() {
		var send, receive []Message
		theirs := make(map[*weight][]node) // of the other ranks
		for _, x := range group {
			if x.owner != w.rank() {
				x.grad = nil
				for _, n := range x.tree.nodes {
					send = append(send, Message{x.owner, n.sum})
				}
				continue
			}
			for r := range w.size() {
				for _, s := range w.run(x.tree.leaves, r).nodes(x.tree.leaves) {
					if r != w.rank() {
						n := node{s, make([]float32, x.param.Size()), false}
						theirs[x] = append(theirs[x], n)
						receive = append(receive, Message{r, n.sum})
					}
				}
			}
		}
		if err := w.exchange(ctx, send, receive); err != nil {
			return err
		}
		for _, x := range group {
			if x.owner == w.rank() {
				x.whole(theirs[x])
			}
		}
	}
	return nil
}

// whole makes the gradient of the nodes here and those of the other ranks.
func (w *weight) whole(theirs []node) {
	all := append(theirs, w.tree.nodes...)
	slices.SortFunc(all, func(a, b node) int { return a.from - b.from })
	w.tree.nodes = nil
	for _, n := range all {
		w.tree.add(n)
	}
	w.grad = dense(w.tree.nodes[0].sum, w.param.Shape)
}

// renew gives all ranks the weights that their owners have updated.
func (t *Trainer) renew(ctx context.Context) error {
	for _, group := range t.weights.groups() {
		var send, receive []Message
		for _, x := range group {
			for r := range t.world.size() {
				switch {
				case r == x.owner:
				case x.owner == t.world.rank():
					send = append(send, Message{r, x.param.Data})
				case r == t.world.rank():
					receive = append(receive, Message{x.owner, x.param.Data})
				}
			}
		}
		if err := t.world.exchange(ctx, send, receive); err != nil {
			return err
		}
	}
	return nil
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
