package nn

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/internal/kernel"
)

// Machine runs a finished graph on gorgonia's tape machine and lends the
// outputs of our ops their memory for just as long as another op still reads
// them. Values are the same as on a bare tape machine; memory is less.
//
// A Machine is not safe for concurrent use, and a graph belongs to one Machine.
type Machine struct {
	vm    G.VM
	arena *arena
	graph *G.ExprGraph
}

// NewMachine compiles g. The values of the nodes in keep can be read after Run;
// those of other nodes may have been overwritten by then.
func NewMachine(g *G.ExprGraph, keep ...*G.Node) (*Machine, error) {
	if g == nil {
		return nil, errors.New("nn: machine: the graph is nil")
	}
	if err := distinct(g); err != nil {
		return nil, err
	}
	a := &arena{}
	for _, n := range g.AllNodes() {
		if o, ok := n.Op().(*opNode); ok {
			o.loan = a.newLoan(lends(g, n, keep))
		}
	}
	for _, n := range g.AllNodes() {
		o, ok := n.Op().(*opNode)
		if !ok || o.after {
			continue
		}
		for _, c := range unique(children(g, n)) {
			if co, ok := c.Op().(*opNode); ok && co.loan.lent {
				co.loan.readers++
				o.loan.reads = append(o.loan.reads, co.loan)
			}
		}
	}
	if err := guardForeign(g); err != nil {
		return nil, err
	}
	order, err := running(g)
	if err != nil {
		return nil, err
	}
	fuse(g, order)
	outlast(g, order)
	vm := G.NewTapeMachine(g)
	runtime.SetFinalizer(vm, nil) // it does nothing without CUDA, and a machine that its own ops know, by Tell, would never be freed
	return &Machine{vm, a, g}, nil
}

// Build makes a graph and compiles it: build adds to g and returns the nodes whose
// values are wanted, as for [NewMachine]. Where two nodes have one hash it is called
// again with another graph, a few times; that all of those fail has a probability of
// about 10⁻³².
func Build(build func(g *G.ExprGraph) (keep []*G.Node, err error)) (*Machine, error) {
	if build == nil {
		return nil, errors.New("nn: build: the function is nil")
	}
	var tried []*G.ExprGraph // kept, so that no later one has the address of an earlier
	for {
		g := G.NewGraph()
		tried = append(tried, g)
		keep, err := build(g)
		if err != nil {
			return nil, err
		}
		m, err := NewMachine(g, keep...)
		if !errors.Is(err, ErrCollision) || len(tried) == maxBuilds {
			return m, err
		}
	}
}

const maxBuilds = 8

// Run computes every node of the graph from the values bound to its leaves.
func (m *Machine) Run() error {
	if m.vm == nil {
		return errors.New("nn: machine: it is empty, want one of NewMachine")
	}
	m.arena.reset()
	m.vm.Reset()
	return m.vm.RunAll()
}

// Tell has f called in each Run when the value of n is there, row-major, while what comes later is
// still to be computed. The machine has to keep n. It returns false, and f is never called,
// where n is no op of this package: a leaf, say. The value may be read until the next Run.
func (m *Machine) Tell(n *G.Node, f func(value []float32)) bool {
	if m.vm == nil || n == nil || f == nil || n.Graph() != m.graph {
		return false
	}
	o, ok := n.Op().(*opNode)
	if !ok || o.loan.borrows() {
		return false
	}
	o.told = append(o.told, f)
	return true
}

// lends reports whether the value of n may be forgotten once its readers ran:
// they are all ops of ours, which keep no view of their inputs.
func lends(g *G.ExprGraph, n *G.Node, keep []*G.Node) bool {
	readers := parents(g, n)
	if n.Op().(*opNode).constant != nil {
		return false
	}
	if len(n.Shape()) == 0 || len(readers) == 0 || slices.Contains(keep, n) {
		return false
	}
	for _, r := range readers {
		if _, ours := r.Op().(*opNode); !ours {
			return false
		}
	}
	return true
}

// distinct fails if two nodes have the same 32-bit hash: gorgonia's compiler
// would silently run one for both.
func distinct(g *G.ExprGraph) error {
	seen := make(map[uint32]*G.Node)
	for _, n := range g.AllNodes() {
		if o := seen[n.Hashcode()]; o != nil && o != n {
			return fmt.Errorf("%w: %v and %v", ErrCollision, o, n)
		}
		seen[n.Hashcode()] = n
	}
	return nil
}

// ErrCollision says that two nodes of a graph have the same hash, which happens
// to about one in 10,000 graphs of 1,000 nodes. The same graph built again has
// other hashes.
var ErrCollision = errors.New("nn: hash collision in the graph")

func children(g *G.ExprGraph, n *G.Node) G.Nodes { return collect(g.From(n.ID())) }
func parents(g *G.ExprGraph, n *G.Node) G.Nodes  { return collect(g.To(n.ID())) }

func unique(nodes G.Nodes) G.Nodes {
	var out G.Nodes
	for _, n := range nodes {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// arena hands buffers to the ops of one machine and takes them back.
type arena struct {
	loans []*loan
	free  [][]float32
}

// loan is one op's account with the arena. Its methods do nothing on a nil loan,
// that of an op in a graph without a Machine.
type loan struct {
	arena   *arena
	lent    bool // the op's output is the arena's
	readers int  // ops that read the output
	left    int  // readers still to run
	reads   []*loan
	long    bool  // it is read much later
	from    *loan // whose buffer it takes over, where the output lies there already
	buf     []float32
}

func (a *arena) newLoan(lent bool) *loan {
	l := &loan{arena: a, lent: lent}
	a.loans = append(a.loans, l)
	return l
}

func (a *arena) reset() {
	for _, l := range a.loans {
		l.giveBack()
		l.left = l.readers
	}
}

func (l *loan) borrows() bool { return l != nil && l.lent }

// take borrows a buffer of n floats, the smallest free one that is large enough.
func (l *loan) take(n int) []float32 {
	if l.from != nil {
		l.buf, l.from.buf = l.from.buf, nil
		return l.buf[:n]
	}
	best := -1
	for i, b := range l.arena.free {
		if cap(b) >= n && (best < 0 || cap(b) < cap(l.arena.free[best])) {
			best = i
		}
	}
	if best < 0 || !l.fits(cap(l.arena.free[best]), n) {
		l.buf = kernel.Buffer(n)
	} else {
		l.buf = l.arena.free[best][:n]
		l.arena.free = slices.Delete(l.arena.free, best, best+1)
	}
	return l.buf
}

// fits tells whether a buffer of that many floats may be lent for n. What is read much later would keep from
// others what it does not need, such as the output of a block, in the backward pass, that
// of its MLP, which is four times as wide.
func (l *loan) fits(size, n int) bool { return !l.long || size <= n+n/4 }

// outlast finds the outputs that are read so many ops later that others of any size are made
// in between.
func outlast(g *G.ExprGraph, order G.Nodes) {
	const much = 40
	made := make(map[*G.Node]int, len(order))
	for i, n := range order {
		made[n] = i
		for _, c := range children(g, n) {
			if o, ok := c.Op().(*opNode); ok && i-made[c] > much {
				o.loan.long = true
			}
		}
	}
	for _, n := range order { // a follower's output lies where that of what it follows does
		if o, ok := n.Op().(*opNode); ok {
			o.loan.long = o.loan.long || slices.ContainsFunc(o.followers, func(f follower) bool { return f.op.loan.long })
		}
	}
}

// running lists the nodes of a graph in the order in which it runs.
func running(g *G.ExprGraph) (G.Nodes, error) {
	order, err := G.Sort(g) // as the tape machine's compiler does
	slices.Reverse(order)
	return order, err
}

// settle is called when the op has run: what it read last is free again.
func (l *loan) settle() {
	if l == nil {
		return
	}
	for _, r := range l.reads {
		if r.left--; r.left == 0 {
			r.giveBack()
		}
	}
}

func (l *loan) giveBack() {
	if l.buf != nil {
		l.arena.free = append(l.arena.free, l.buf[:cap(l.buf)])
		l.buf = nil
	}
}

// buffer is memory that an op owns, with the tensor header last made for it.
type buffer struct {
	data  []float32
	dense *tensor.Dense
}

func (b *buffer) slice(n int) []float32 {
	if cap(b.data) < n {
		b.data = kernel.Buffer(n)
	}
	return b.data[:n]
}

// tensor returns a header for y; in steady state an op gets the same memory at
// every run and the header is made once.
func (b *buffer) tensor(y []float32, shape tensor.Shape) *tensor.Dense {
	if b.dense == nil || len(y) == 0 || &b.dense.Float32s()[0] != &y[0] {
		b.dense = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(y))
	}
	return b.dense
}
