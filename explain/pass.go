package explain

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/vision"
)

// pass is one image, and the direction that it is compared with.
type pass struct {
	tower          vision.Tower
	pixels, target []float32
}

// leaves are the inputs of a graph: the image, (1, 3, H, W), and the target, (D, 1).
func (p pass) leaves(g *G.ExprGraph) (vision.Input, *G.Node) {
	size := p.tower.Config().Dims().ImageSize
	return vision.Input{Pixels: nn.Leaf(g, "pixels", p.pixels, 1, 3, size[0], size[1])},
		nn.Leaf(g, "target", p.target, len(p.target), 1)
}

// patches are the cosines of the patches' features with the target.
func (p pass) patches() (cells []float32, rows, cols int, err error) {
	t, ok := p.tower.(vision.PatchTower)
	grid, gridded := p.tower.Config().(vision.Gridded)
	if !ok || !gridded {
		return nil, 0, 0, fmt.Errorf("an image tower of family %s has no features of its patches", p.tower.Config().Family())
	}
	rows, cols = grid.Grid()[0], grid.Grid()[1]
	var cosines *G.Node
	err = run(func(g *G.ExprGraph) (keep []*G.Node, err error) {
		defer nn.Catch(&err, "patches")
		in, target := p.leaves(g)
		features, err := t.ForwardPatches(in)
		if err != nil {
			return nil, err
		}
		nn.WantShape("patches", "features", features, 1, rows*cols, len(p.target))
		cosines = nn.MatMul(nn.L2Normalize(features), target) // (1, P, 1)
		return []*G.Node{cosines}, nil
	})
	if err != nil {
		return nil, 0, 0, err
	}
	return slices.Clone(nn.Floats(cosines)), rows, cols, nil
}

// gradients chooses what is followed back: attentions, or else a grid of features.
func (p pass) gradients() (cells []float32, rows, cols int, err error) {
	var read func() ([]float32, int, int)
	err = run(func(g *G.ExprGraph) (keep []*G.Node, err error) {
		defer nn.Catch(&err, "gradients")
		in, target := p.leaves(g)
		features, err := p.tower.Forward(in)
		if err != nil {
			return nil, err
		}
		nn.WantShape("gradients", "features", features, 1, len(p.target))
		cosine := nn.MatMul(nn.L2Normalize(features), target) // (1, 1)
		if found, err := p.attentions(g); err != nil {
			return nil, err
		} else if found != nil {
			keep, read, err = p.rollout(cosine, found)
			return keep, err
		}
		at, err := lastGrid(g)
		if err != nil {
			return nil, err
		}
		if at == nil {
			return nil, fmt.Errorf("an image tower of family %s has neither attention between all its tokens nor a grid of features", p.tower.Config().Family())
		}
		keep, read, err = gradCAM(cosine, at)
		return keep, err
	})
	if err != nil {
		return nil, 0, 0, err
	}
	cells, rows, cols = read()
	return cells, rows, cols, nil
}

// attentions are those of the tower, if they are a stack between all its tokens, of which
// the last are the patches, with or without a pool at its end; else nil.
func (p pass) attentions(g *G.ExprGraph) (G.Nodes, error) {
	grid, ok := p.tower.Config().(vision.Gridded)
	if !ok {
		return nil, nil
	}
	found, err := nn.Attentions(g)
	if err != nil {
		return nil, err
	}
	patches, tokens := grid.Grid()[0]*grid.Grid()[1], 0
	for i, a := range found {
		s := a.Shape()
		n, _, one := nn.Query(a)
		pool := i > 0 && i == len(found)-1 && s.Dims() == 2 && !one
		if one {
			s = tensor.Shape{s[0], n, s[1]}
		}
		switch {
		case pool:
		case s.Dims() != 3 || s[0] != 1 || s[1] < patches || i > 0 && s[1] != tokens:
			return nil, nil
		default:
			tokens = s[1]
		}
	}
	return found, nil
}

// rollout is the relevance of the patches for the cosine: R = Π (1 + Āᵢ) from the first
// attention to the last, each Ā as [nn.Relevance] has it, read at the tokens that the
// features are made of.
func (p pass) rollout(cosine *G.Node, found G.Nodes) (keep G.Nodes, read func() ([]float32, int, int), err error) {
	grads, err := gradients(cosine, found...)
	if err != nil {
		return nil, nil, err
	}
	last := found[len(found)-1]
	var all G.Nodes
	for i, a := range found {
		all = append(all, nn.Relevance(a, grads[i]))
	}
	used := grads[len(grads)-1]
	grid := p.tower.Config().(vision.Gridded).Grid()
	read = func() ([]float32, int, int) {
		steps, row := all, []float32(nil)
		if n, at, one := nn.Query(last); one {
			row = make([]float32, n)
			row[at(0)] = 1
		} else if last.Shape().Dims() == 2 { // a pool
			row, steps = slices.Clone(nn.Floats(all[len(all)-1])), all[:len(all)-1]
		} else {
			row = reads(nn.Floats(used), last.Shape()[1])
		}
		for i := len(steps) - 1; i >= 0; i-- {
			row = through(row, nn.Floats(steps[i]))
		}
		return row[len(row)-grid[0]*grid[1]:], grid[0], grid[1]
	}
	return append(slices.Clone(all), used), read, nil
}

// reads shares 1 among the tokens that have a gradient: the class token, or all.
func reads(gradient []float32, tokens int) []float32 {
	row, n := make([]float32, tokens), 0
	width := len(gradient) / tokens
	for i := range row {
		if slices.ContainsFunc(gradient[i*width:][:width], func(v float32) bool { return v != 0 }) {
			row[i] = 1
			n++
		}
	}
	for i := range row {
		row[i] /= float32(max(1, n))
	}
	return row
}

// through is row·(1 + a), of a square matrix.
func through(row, a []float32) []float32 {
	out := slices.Clone(row)
	for i, r := range row {
		for j, v := range a[i*len(row):][:len(row)] {
			out[j] += float32(r * v) // rounded: the same on machines that would fuse it
		}
	}
	return out
}

// lastGrid is the last grid of features, (1, H, W, C), that is more than a single place.
func lastGrid(g *G.ExprGraph) (*G.Node, error) {
	order, err := G.Sort(g) // outputs first
	if err != nil {
		return nil, err
	}
	for _, n := range order {
		if s := n.Shape(); n.Op() != nil && s.Dims() == 4 && s[0] == 1 && s[1]*s[2] > 1 && n.Dtype() == tensor.Float32 {
			return n, nil
		}
	}
	return nil, nil
}

// gradCAM is Σ_c w_c·x_c at each place of a grid, with w the mean gradient. It is not cut at
// zero, so that places keep an order where all of them speak against.
func gradCAM(cosine, x *G.Node) (keep G.Nodes, read func() ([]float32, int, int), err error) {
	grads, err := gradients(cosine, x)
	if err != nil {
		return nil, nil, err
	}
	read = func() ([]float32, int, int) {
		s, values, grad := x.Shape(), nn.Floats(x), nn.Floats(grads[0])
		weights, cells := make([]float64, s[3]), make([]float32, s[1]*s[2])
		for i, v := range grad {
			weights[i%s[3]] += float64(v)
		}
		for i := range cells {
			var sum float64
			for c, w := range weights {
				sum += float64(w * float64(values[i*s[3]+c]))
			}
			cells[i] = float32(sum / float64(len(cells)))
		}
		return cells, s[1], s[2]
	}
	return G.Nodes{x, grads[0]}, read, nil
}

// gradients are those of a cost of shape (1, 1).
func gradients(cost *G.Node, by ...*G.Node) (G.Nodes, error) {
	one := nn.Leaf(cost.Graph(), "one", []float32{1}, 1, 1)
	return nn.VJP(G.Nodes{cost}, G.Nodes{one}, by...)
}

// run builds a graph and runs it once.
func run(build func(g *G.ExprGraph) ([]*G.Node, error)) error {
	m, err := nn.Build(build)
	if err != nil {
		return err
	}
	return m.Run()
}
