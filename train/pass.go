package train

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/nn"
	"github.com/goclip/goclip/loss"
)

// shape is what a compiled training pass depends on.
type shape struct{ batch, tokens int }

// pass is one compiled forward and backward pass.
type pass struct {
	shape
	machine *nn.Machine
	pixels  []float32
	tokens  []int32
	last    []int32
	groups  []int32
	cost    *G.Node
	grads   []*G.Node
}

func (t *Trainer) pass(s shape) (*pass, error) {
	if p := t.passes[s]; p != nil {
		return p, nil
	}
	for {
		p, err := t.compile(s)
		if errors.Is(err, nn.ErrCollision) {
			continue
		}
		if err == nil {
			t.passes[s] = p
		}
		return p, err
	}
}

func (t *Trainer) compile(s shape) (*pass, error) {
	size := t.model.Config().Vision.ImageSize
	p := &pass{
		shape:  s,
		pixels: make([]float32, s.batch*3*size[0]*size[1]),
		tokens: make([]int32, s.batch*s.tokens),
		last:   make([]int32, s.batch),
		groups: make([]int32, s.batch),
	}
	g := G.NewGraph()
	image, err := t.model.Vision().Forward(leaf(g, "pixels", p.pixels, s.batch, 3, size[0], size[1]))
	if err != nil {
		return nil, err
	}
	text, err := t.model.Text().Forward(leaf(g, "tokens", p.tokens, s.batch, s.tokens), leaf(g, "last", p.last, s.batch))
	if err != nil {
		return nil, err
	}
	scale, err := loss.Scale(t.model.LogitScale().Node(g))
	if err != nil {
		return nil, err
	}
	var bias *G.Node
	objective := loss.GroupedInfoNCE
	if t.cfg.Loss == "sigmoid" {
		objective, bias = loss.GroupedSigmoid, t.model.LogitBias().Node(g)
	}
	groups := leaf(g, "groups", p.groups, s.batch)
	if p.cost, err = objective(groups)(nn.L2Normalize(image), nn.L2Normalize(text), scale, bias); err != nil {
		return nil, err
	}
	var weights []*G.Node
	for _, w := range t.grads {
		weights = append(weights, w.param.Node(g))
	}
	if p.grads, err = nn.Grad(p.cost, weights...); err != nil {
		return nil, err
	}
	p.machine, err = nn.NewMachine(g, append([]*G.Node{p.cost}, p.grads...)...)
	return p, err
}

// tokenize returns the batch's ids, padded to the context length, and how many
// of the columns have to be computed.
func (t *Trainer) tokenize(batch []dataset.Pair) (ids []int32, tokens, truncated int) {
	cfg := t.model.Config().Text
	length := cfg.ContextLength
	ids = make([]int32, len(batch)*length)
	tokens = length
	longest := 0
	for i, pair := range batch {
		row := ids[i*length : (i+1)*length]
		if _, cut := t.model.Tokenizer().Encode(row, pair.Caption); cut {
			truncated++
		}
		longest = max(longest, cfg.Last(row)+1)
	}
	if cfg.Trims() {
		// A few lengths only, so that few passes are compiled.
		tokens = min(length, (longest+7)/8*8)
	}
	return ids, tokens, truncated
}

// load fills the inputs of p.
func (t *Trainer) load(p *pass, batch []dataset.Pair, ids []int32) error {
	cfg := t.model.Config()
	n := len(p.pixels) / p.batch
	errs := make([]error, p.batch)
	kernel.Parallel(p.batch, func(i int) {
		if err := cfg.Preprocess.Image(p.pixels[i*n:(i+1)*n], batch[i].Image); err != nil {
			errs[i] = fmt.Errorf("train: %s: %w", batch[i].Key, err)
		}
	})
	length := cfg.Text.ContextLength
	for i := range batch {
		row := ids[i*length:][:length]
		p.last[i] = int32(cfg.Text.Last(row))
		copy(p.tokens[i*p.shape.tokens:][:p.shape.tokens], row)
	}
	t.group(p.groups, batch)
	return errors.Join(errs...)
}

// group gives pairs that are right answers for each other one number.
func (t *Trainer) group(groups []int32, batch []dataset.Pair) {
	seen := make(map[string]int32)
	for i, pair := range batch {
		groups[i] = int32(i)
		key := pair.Caption
		if t.cfg.Groups == "label" && pair.Label != "" {
			key = pair.Label
		}
		if t.cfg.Groups == "none" {
			continue
		}
		if g, ok := seen[key]; ok {
			groups[i] = g
		} else {
			seen[key] = groups[i]
		}
	}
}

// leaf makes an input whose memory the pass keeps writing to.
func leaf[T float32 | int32](g *G.ExprGraph, name string, data []T, shape ...int) *G.Node {
	d := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	return G.NewTensor(g, d.Dtype(), len(shape), G.WithName(name), G.WithShape(shape...), G.WithValue(d))
}
