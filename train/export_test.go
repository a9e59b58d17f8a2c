package train

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
