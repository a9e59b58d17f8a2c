package nn

import (
	"errors"
	"slices"
)

// Workspace is how many bytes the outputs of our ops take when the graph runs: what the
// arena lends to one after the other, and what others keep. The parameters need no memory
// for it. Leaves, stock ops of gorgonia, and what an op uses only while it runs, such as
// the unfolded rows of a convolution, come on top.
func (m *Machine) Workspace() (int64, error) {
	if m.graph == nil {
		return 0, errors.New("nn: machine: it is empty, want one of NewMachine")
	}
	nodes, err := running(m.graph)
	if err != nil {
		return 0, err
	}
	plan := plan{left: map[*loan]int{}, held: map[*loan]int{}}
	for _, n := range nodes {
		o, ok := n.Op().(*opNode)
		if !ok {
			continue
		}
		if o.constant != nil {
			continue
		}
		if !o.loan.lent {
			plan.bytes += 4 * int64(size(o.Shape))
		} else {
			plan.take(o.loan, size(o.Shape))
		}
		for _, r := range o.loan.reads {
			plan.settle(r)
		}
	}
	return plan.bytes, nil
}

// plan is what an arena does, with the sizes of buffers in the place of buffers.
type plan struct {
	bytes int64
	free  []int
	held  map[*loan]int // size of the buffer
	left  map[*loan]int // readers that have run
}

func (p *plan) take(l *loan, n int) {
	if l.from != nil {
		p.held[l] = p.held[l.from]
		delete(p.held, l.from)
		return
	}
	best := -1
	for i, size := range p.free {
		if size >= n && (best < 0 || size < p.free[best]) {
			best = i
		}
	}
	if best < 0 || !l.fits(p.free[best], n) {
		p.held[l] = n
		p.bytes += 4 * int64(n)
		return
	}
	p.held[l] = p.free[best]
	p.free = slices.Delete(p.free, best, best+1)
}

func (p *plan) settle(l *loan) {
	if p.left[l]++; p.left[l] == l.readers && p.held[l] > 0 {
		p.free = append(p.free, p.held[l])
		delete(p.held, l)
	}
}
