package train

// Ops counts the operations of the compiled passes by their names.
func (t *Trainer) Ops() map[string]int {
	ops := make(map[string]int)
	for _, p := range t.passes {
		for _, n := range p.graph.AllNodes() {
			if n.Op() != nil {
				ops[n.Op().String()]++
			}
		}
	}
	return ops
}
