package train

import (
	"errors"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/guard"
	"github.com/goclip/goclip/nn"
	captions "github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// imageTower adds the image tower to the graph, from pixels to embeddings, (B, D).
func (p *pass) imageTower() *G.Node {
	prepare := p.model.Config().Preprocess
	each := prepare.Len()
	data, grids := make([]float32, p.batch*each), make([]int32, 2*p.batch)
	p.feed(func(b *Batch, from, _ int) error {
		copy(data, b.Pixels[(from-b.held.from)*each:])
		copy(grids, b.Grids[min(2*from, len(b.Grids)):])
		return nil
	})
	in := vision.Input{Keep: p.keep()}
	if n := prepare.MaxPatches; n > 0 {
		in.Patches, in.Grid = nn.Leaf(p.graph, "patches", data, p.batch, n, each/n), nn.Leaf(p.graph, "grids", grids, p.batch, 2)
	} else {
		in.Pixels = nn.Leaf(p.graph, "pixels", data, p.batch, 3, prepare.Size[0], prepare.Size[1])
	}
	e := p.embedding("image tower", p.batch, func() (*G.Node, error) { return p.model.Vision().Forward(in) })
	for _, from := range []*G.Node{in.Pixels, in.Patches} {
		p.towers = append(p.towers, nn.Stretch{From: from, To: e})
	}
	return e
}

// textTower adds the text tower to the graph, from token ids to embeddings, (N, D).
func (p *pass) textTower() *G.Node {
	cfg := p.model.Config().Text
	context := cfg.Dims().ContextLength
	n := p.batch * p.texts
	tokens, pooled := make([]int32, n*p.length), make([]int32, n)
	p.feed(func(b *Batch, from, _ int) error {
		for i := range n {
			ids := b.Tokens[(from*p.texts+i)*context:][:context]
			row, err := readRow(cfg, ids)
			if err != nil {
				return err
			}
			pooled[i] = int32(row.Pooled)
			copy(tokens[i*p.length:][:p.length], ids)
		}
		return nil
	})
	in := captions.Input{Tokens: nn.Leaf(p.graph, "tokens", tokens, n, p.length), Pooled: nn.Leaf(p.graph, "pooled", pooled, n)}
	e := p.embedding("text tower", n, func() (*G.Node, error) { return p.model.Text().Forward(in) })
	p.towers = append(p.towers, nn.Stretch{From: in.Tokens, To: e})
	return e
}

// embedding normalises the features of a tower, which may be the caller's own.
func (p *pass) embedding(tower string, rows int, forward func() (*G.Node, error)) *G.Node {
	var features *G.Node
	err := guard.Call(func() (err error) {
		features, err = forward()
		return err
	})
	switch {
	case err != nil:
	case features == nil:
		err = errors.New("no features")
	case features.Graph() != p.graph:
		err = errors.New("the features belong to another graph than its input")
	case features.Dtype() != tensor.Float32:
		err = fmt.Errorf("the features are %v, want float32", features.Dtype())
	}
	if err != nil {
		panic(failed{fmt.Errorf("%s: %w", tower, err)})
	}
	nn.WantShape(tower, "features", features, rows, embedDim(p.model))
	return nn.L2Normalize(features)
}

// gradients adds the gradients of the cost by some nodes and by weights. A loss of the
// caller's own need not read the temperature or the bias, whose gradient is then nil.
func (p *pass) gradients(by weights, before ...*G.Node) []*G.Node {
	nodes := append(before, by.leaves(p.graph)...)
	grads := make([]*G.Node, len(nodes))
	var wrt []*G.Node
	var at []int
	for i, n := range nodes {
		needless := i >= len(before) && by[i-len(before)].part == head
		if !needless || reaches(p.cost, n) {
			wrt, at = append(wrt, n), append(at, i)
		}
	}
	for i, grad := range must(p.recompute().Grad(p.cost, wrt...)) {
		grads[at[i]] = grad
	}
	return grads
}

// recompute is what the gradients compute once more: nothing, unless that is asked for.
func (p *pass) recompute() nn.Recompute {
	if !p.again {
		return nil
	}
	return p.towers
}

// reaches tells whether a node is computed from another.
func reaches(from, to *G.Node) bool {
	seen, todo := map[*G.Node]bool{}, []*G.Node{from}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		if todo = todo[:len(todo)-1]; n == to {
			return true
		}
		for below := n.Graph().From(n.ID()); !seen[n] && below.Next(); {
			todo = append(todo, below.Node().(*G.Node))
		}
		seen[n] = true
	}
	return false
}

// sizes are how many pixel values an image has, and how many tokens a caption.
func sizes(m *encoder.Model) (pixels, tokens int) {
	return m.Config().Preprocess.Len(), m.Config().Text.Dims().ContextLength
}

// embedDim is the size of the embeddings.
func embedDim(m *encoder.Model) int { return m.Config().Vision.Dims().EmbedDim }

// captionLength is how many tokens of the captions are computed, enough for the
// longest.
func captionLength(m *encoder.Model, b *Batch) (int, error) {
	cfg := m.Config().Text
	context, longest := cfg.Dims().ContextLength, 0
	for ids := range slices.Chunk(b.Tokens, context) {
		row, err := readRow(cfg, ids)
		if err != nil {
			return 0, fmt.Errorf("train: %w", err)
		}
		longest = max(longest, row.Length)
	}
	// Only a few lengths, so that only a few passes are compiled.
	return min(context, (longest+7)/8*8), nil
}

// readRow asks the text tower's configuration what it reads of a caption.
func readRow(cfg captions.Config, ids []int32) (row captions.Row, err error) {
	err = guard.Call(func() error {
		row = cfg.Row(ids)
		return nil
	})
	if err == nil && (row.Length < 1 || row.Length > len(ids) || row.Pooled < 0 || row.Pooled >= row.Length) {
		err = fmt.Errorf("it reads %+v of %d tokens", row, len(ids))
	}
	if err != nil {
		err = fmt.Errorf("text tower: %w", err)
	}
	return row, err
}
