package train

import (
	"context"

	"github.com/goclip/goclip/nn"
)

// Ops counts the operations of the compiled passes by their names.
func Ops(t *Trainer) map[string]int {
	ops := make(map[string]int)
	var passes map[shape]*pass
	switch s := t.strategy.(type) {
	case whole:
		passes = s.passes
	case cached:
		passes = s.passes
	}
	for _, p := range passes {
		for _, n := range p.graph.AllNodes() {
			if n.Op() != nil {
				ops[n.Op().String()]++
			}
		}
	}
	return ops
}

// DrawPatches is the k patches of n that a pair keeps.
func DrawPatches(k, n int, seed uint64, step, pair int) []int32 {
	kept := make([]int32, k)
	drawPatches(kept, n, seed, step, pair)
	return kept
}

// OwnMoments is of how many parameters a trainer keeps them.
func OwnMoments(t *Trainer) (n int) {
	for _, m := range t.solver.moments {
		n += len(m.m)
	}
	return n
}

// FirstToTravel tells, of two weights of which one is ready, whether it is exchanged at once, and
// the other one when it is ready, too.
func FirstToTravel(ctx context.Context) (early, late bool) {
	of := func() *weight {
		return &weight{param: &nn.Param{Data: make([]float32, together), Shape: []int{together}}}
	}
	ws, sent := weights{of(), of()}, make(chan int)
	traffic := world{}.begin(ws, func(*weight) bool { return true }, func(i int, _ parcel) (func(), error) {
		sent <- i
		return func() {}, nil
	})
	traffic.ready <- ws[0]
	early = <-sent == 0
	traffic.ready <- ws[1]
	late = <-sent == 1
	return early, late && traffic.end() == nil && ctx.Err() == nil
}

// SharesLoss tells whether the loss of a batch is shared by the ranks.
func SharesLoss(t *Trainer) bool {
	for _, p := range t.strategy.(cached).passes {
		if p.kind == "contrast" && p.share() != nil {
			return true
		}
	}
	return false
}
