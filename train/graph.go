package train

import (
	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
	captions "github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// kind is what a pass computes.
type kind int

const (
	whole    kind = iota // towers, loss, and gradients of the weights
	embed                // towers
	contrast             // the loss of given embeddings, and its gradients by them
	pull                 // towers, and gradients of the weights from given ones by the embeddings
)

func (t *Trainer) build(p *pass) error {
	switch p.kind {
	case whole:
		return t.buildWhole(p)
	case embed:
		return t.towers(p, image, text)
	case contrast:
		return t.buildContrast(p)
	}
	return t.buildPull(p)
}

func (t *Trainer) buildWhole(p *pass) error {
	err := t.towers(p, image, text)
	if err != nil {
		return err
	}
	if err = t.objective(p); err != nil {
		return err
	}
	p.grads, err = nn.Grad(p.cost, p.leaves(t.weights)...)
	return err
}

func (t *Trainer) buildContrast(p *pass) error {
	p.embeddings = [2]*G.Node{t.given(p, image), t.given(p, text)}
	err := t.objective(p)
	if err != nil {
		return err
	}
	p.grads, err = nn.Grad(p.cost, append(p.embeddings[:], p.leaves(t.of(head))...)...)
	return err
}

func (t *Trainer) buildPull(p *pass) error {
	var y, dy G.Nodes
	for _, tower := range []part{image, text} {
		if len(t.of(tower)) == 0 {
			continue // locked: not even computed
		}
		if err := t.towers(p, tower); err != nil {
			return err
		}
		y, dy = append(y, p.embeddings[tower]), append(dy, t.given(p, tower))
	}
	var err error
	p.grads, err = nn.VJP(y, dy, p.leaves(t.of(image, text))...)
	return err
}

// towers adds towers to the graph, from their inputs to their embeddings, (B, D).
func (t *Trainer) towers(p *pass, which ...part) error {
	for _, tower := range which {
		forward := t.imageTower
		if tower == text {
			forward = t.textTower
		}
		features, err := forward(p)
		if err != nil {
			return err
		}
		p.embeddings[tower] = nn.L2Normalize(features)
	}
	return nil
}

func (t *Trainer) imageTower(p *pass) (*G.Node, error) {
	size := t.model.Config().Vision.Dims().ImageSize
	p.pixels = make([]float32, p.batch*3*size[0]*size[1])
	pixels := leaf(p.graph, "pixels", p.pixels, p.batch, 3, size[0], size[1])
	if t.cfg.PatchDropout == 0 {
		return t.model.Vision().Forward(vision.Input{Pixels: pixels})
	}
	n := t.keptPatches()
	p.kept = make([]int32, p.batch*n)
	return t.model.Vision().Forward(vision.Input{Pixels: pixels, Keep: leaf(p.graph, "kept", p.kept, p.batch, n)})
}

func (t *Trainer) textTower(p *pass) (*G.Node, error) {
	p.tokens, p.pooled = make([]int32, p.batch*p.length), make([]int32, p.batch)
	tokens := leaf(p.graph, "tokens", p.tokens, p.batch, p.length)
	return t.model.Text().Forward(captions.Input{Tokens: tokens, Pooled: leaf(p.graph, "pooled", p.pooled, p.batch)})
}

// given adds an input of the shape of a tower's embeddings, (B, D).
func (t *Trainer) given(p *pass, tower part) *G.Node {
	dim := t.model.Config().Vision.Dims().EmbedDim
	p.given[tower] = make([]float32, p.batch*dim)
	return leaf(p.graph, []string{"image", "text"}[tower], p.given[tower], p.batch, dim)
}

// objective adds the loss of the embeddings.
func (t *Trainer) objective(p *pass) error {
	p.groups = make([]int32, p.batch)
	groups := leaf(p.graph, "groups", p.groups, p.batch)
	scale, err := loss.Scale(t.model.LogitScale().Node(p.graph))
	if err != nil {
		return err
	}
	targets := loss.Targets{Groups: groups, Smoothing: t.cfg.LabelSmoothing}
	var f loss.Func = targets.InfoNCE
	var bias *G.Node
	if t.cfg.Loss == "sigmoid" {
		f, bias = targets.Sigmoid, t.model.LogitBias().Node(p.graph)
	}
	p.cost, err = t.distill(p, f)(p.embeddings[image], p.embeddings[text], scale, bias)
	return err
}

// leaves are the weights' nodes in the graph.
func (p *pass) leaves(weights []*weight) []*G.Node {
	var nodes []*G.Node
	for _, w := range weights {
		nodes = append(nodes, w.param.Node(p.graph))
	}
	return nodes
}
