package train

import (
	"cmp"
	"context"
	"slices"

	"github.com/goclip/goclip/nn"
)

// What ranks exchange of weights goes in parcels: while one travels the numbers of the one before
// are added up, and the gradients of those behind it may still be computed. All ranks make the
// same parcels of the same weights, and send them in the same order.

// piece is a run of a weight's numbers. Sums are by element, so that it may be cut anywhere.
type piece struct {
	*weight
	span
}

type parcel []piece

// together is how many numbers a parcel has: enough that it takes longer than to ask for it, and
// few enough to be in the cache still when they are added.
const together = 1 << 20

// parcels of the weights, in their order, each with about as much for every owner: so that all
// ranks send and receive at once.
func (w world) parcels(ws weights) (list []parcel) {
	each, used := max(1, together/w.size()), make([]int, w.size()) // numbers of each owner so far
	for _, x := range ws {
		for from := 0; from < x.param.Size(); {
			number, at := used[x.owner]/each, used[x.owner]%each
			to := min(x.param.Size(), from+each-at)
			for len(list) <= number {
				list = append(list, nil)
			}
			list[number] = append(list[number], piece{x, span{from, to}})
			used[x.owner] += to - from
			from = to
		}
	}
	return list
}

// backward sorts weights about as their gradients come: first the text tower's, which was
// computed last, and of a tower first those next to the features.
func (ws weights) backward() weights {
	list := slices.Clone(ws)
	slices.SortStableFunc(list, func(a, b *weight) int {
		return cmp.Or(cmp.Compare(b.part, a.part), cmp.Compare(a.depth, b.depth))
	})
	return list
}

// traffic sends parcels beside the work that makes them.
type traffic struct {
	ready chan *weight // of which this rank has all that others wait for
	over  chan error
}

// begin starts sending parcels of the weights: each when its weights are ready here, where they
// are awaited, or at the end. It calls exchange for one after the other, and what that returns
// while the next one travels.
func (w world) begin(ws weights, awaited func(*weight) bool, exchange func(i int, list parcel) (after func(), err error)) *traffic {
	t := &traffic{make(chan *weight, len(ws)), make(chan error, 1)} // nobody who has made a gradient waits
	go func() { t.over <- t.run(w.parcels(ws), awaited, exchange) }()
	return t
}

func (t *traffic) run(parcels []parcel, awaited func(*weight) bool, exchange func(i int, list parcel) (after func(), err error)) error {
	here, all := map[*weight]bool{}, false
	done := make(chan struct{}, 1)
	done <- struct{}{}
	for i, list := range parcels {
		for _, p := range list {
			for !all && awaited(p.weight) && !here[p.weight] {
				x, more := <-t.ready
				here[x], all = true, !more
			}
		}
		after, err := exchange(i, list)
		<-done
		if err != nil {
			return err
		}
		go func() {
			after()
			done <- struct{}{}
		}()
	}
	<-done
	return nil
}

// end says that all is ready, or will never be, and waits until all is exchanged.
func (t *traffic) end() error {
	close(t.ready)
	return <-t.over
}

// reduce adds up the gradients of the weights, each where its owner is, as they are told to be
// ready. Of what has not been told when it ends, as its rank has an error, it makes any numbers.
func (w world) reduce(ctx context.Context, ws weights) *traffic {
	for _, x := range ws {
		x.sum, x.grad = nil, nil
	}
	var arenas [2][]float32 // what other ranks send: of the parcel that comes, and of the one before
	return w.begin(ws, func(*weight) bool { return true }, func(i int, list parcel) (func(), error) {
		in := w.incoming(list, &arenas[i%2])
		var send, receive []Message
		for k, p := range list {
			for _, n := range in[k] {
				receive = append(receive, Message{n.rank, n.sum})
			}
			if p.owner != w.rank() {
				for _, n := range p.mine(w) {
					send = append(send, Message{p.owner, n.sum})
				}
			}
		}
		add := func() {
			for k, p := range list {
				if p.owner == w.rank() {
					p.total(p.mine(w), in[k])
				}
			}
		}
		return add, w.exchange(ctx, send, receive)
	})
}

// renew gives all ranks the weights, each from its owner, as they are told to be ready there.
func (w world) renew(ctx context.Context, ws weights) *traffic {
	return w.begin(ws, func(x *weight) bool { return x.owner == w.rank() }, func(_ int, list parcel) (func(), error) {
		var send, receive []Message
		for _, p := range list {
			data := p.param.Data[p.from:p.to]
			for r := range w.size() {
				switch {
				case r == p.owner:
				case p.owner == w.rank():
					send = append(send, Message{r, data})
				case r == w.rank():
					receive = append(receive, Message{p.owner, data})
				}
			}
		}
		return func() {}, w.exchange(ctx, send, receive)
	})
}

// Sum adds up numbers of all ranks, as many on each, which then have the sums: in place, and in
// the order in which gradients of that many micro-batches are added up (see [Config].Ranks), so
// that they have the same bits everywhere and each time. The end of ctx does not interrupt it, as
// the others would wait. With nil Ranks it changes nothing.
func Sum(ctx context.Context, r Ranks, data []float32) error {
	w := world{r}
	if w.size() == 1 {
		return nil
	}
	var ws weights
	for rank := range w.size() {
		run := w.run(len(data), rank)
		part := data[run.from:run.to]
		ws = append(ws, &weight{param: &nn.Param{Data: part, Shape: []int{len(part)}}, owner: rank,
			tree: forest{leaves: w.size(), nodes: []node{{span{w.rank(), w.rank() + 1}, part, true}}}})
	}
	for _, phase := range []func(context.Context, weights) *traffic{w.reduce, w.renew} {
		if err := phase(ctx, ws).end(); err != nil {
			return err
		}
	}
	return nil
}

// foreign is another rank's node.
type foreign struct {
	node
	rank int
}

// incoming are the nodes that other ranks have of each piece that is owned here.
func (w world) incoming(list parcel, arena *[]float32) [][]foreign {
	in, size := make([][]foreign, len(list)), 0
	for k, p := range list {
		if p.owner != w.rank() {
			continue
		}
		for r := range w.size() {
			for _, s := range w.run(p.tree.leaves, r).nodes(p.tree.leaves) {
				if r != w.rank() {
					in[k] = append(in[k], foreign{node{span: s}, r})
					size += p.to - p.from
				}
			}
		}
	}
	if cap(*arena) < size {
		*arena = make([]float32, size)
	}
	rest := (*arena)[:size]
	for k, p := range list {
		for j := range in[k] {
			n := p.to - p.from
			in[k][j].sum, rest = rest[:n:n], rest[n:]
		}
	}
	return in
}

// mine are this rank's nodes of a piece.
func (p piece) mine(w world) (list []node) {
	spans := w.run(p.tree.leaves, w.rank()).nodes(p.tree.leaves)
	for i, s := range spans {
		n := node{span: s}
		if len(p.tree.nodes) == len(spans) {
			n.sum, n.kept = p.tree.nodes[i].sum[p.from:p.to], p.tree.nodes[i].kept
		} else {
			n.sum = make([]float32, p.to-p.from)
		}
		list = append(list, n)
	}
	return list
}

// total makes a piece of the gradient of the nodes here and those of other ranks.
func (p piece) total(all []node, theirs []foreign) {
	if p.sum == nil {
		p.sum = p.tree.place(p.param.Size())
	}
	sum := p.sum[p.from:p.to]
	f := forest{leaves: p.tree.leaves}
	if n := len(all) + len(theirs); n == 2 && (len(all) == 0 || !all[0].kept) {
		f.spare = [][]float32{sum}
	}
	for _, n := range theirs {
		n.kept = f.spare == nil
		all = append(all, n.node)
	}
	slices.SortFunc(all, func(a, b node) int { return a.from - b.from })
	for _, n := range all {
		f.add(n)
	}
	if s := f.nodes[0].sum; &s[0] != &sum[0] {
		copy(sum, s)
	}
	if p.to == len(p.sum) {
		p.tree.becomes(p.sum)
		p.grad = dense(p.sum, p.param.Shape)
	}
}
