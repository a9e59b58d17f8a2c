package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// stage says where a value is found in a tower's graph: at the node that reads
// a parameter, or a number of nodes further on. So the towers need no hooks.
type stage struct {
	param string
	hops  int
}

// stages translates the reference's names of stages. In a parameter, $1 is the
// part of the name that is a number.
var stages = []struct {
	name *regexp.Regexp
	stage
}{
	{stageName(`vision\.patch_embed`), stage{"visual.conv1.weight", 0}},
	{stageName(`vision\.embeddings`), stage{"visual.positional_embedding", 0}},
	{stageName(`vision\.(ln_pre|ln_post)`), stage{"visual.$1.weight", 0}},
	{stageName(`vision\.proj`), stage{"visual.proj", 0}},
	{stageName(`vision\.bn(\d+)`), stage{"visual.bn$1.weight", 0}},
	{stageName(`vision\.avgpool`), stage{"visual.bn3.weight", 2}}, // ReLU, the pool
	{stageName(`vision\.attnpool`), stage{"visual.attnpool.c_proj.weight", 0}},
	{stageName(`vision\.layer(\d+\.\d+)`), stage{"visual.layer$1.bn3.weight", 2}}, // the sum, ReLU
	{stageName(`vision\.block(\d+)`), stage{"visual.transformer.resblocks.$1.mlp.c_proj.weight", 1}},
	{stageName(`vision\.block(\d+\.ln_[12])`), stage{"visual.transformer.resblocks.$1.weight", 0}},
	{stageName(`vision\.block(\d+\.attn)`), stage{"visual.transformer.resblocks.$1.out_proj.weight", 0}},
	{stageName(`vision\.block(\d+\.mlp)`), stage{"visual.transformer.resblocks.$1.c_proj.weight", 0}},
	{stageName(`vision\.block(\d+\.mlp\.c_(fc|proj))`), stage{"visual.transformer.resblocks.$1.weight", 0}},
	{stageName(`vision\.block(\d+\.mlp)\.gelu`), stage{"visual.transformer.resblocks.$1.c_fc.weight", 1}},
	{stageName(`text\.embeddings`), stage{"positional_embedding", 0}},
	{stageName(`text\.block(\d+)`), stage{"transformer.resblocks.$1.mlp.c_proj.weight", 1}},
	{stageName(`text\.block(\d+\.ln_[12])`), stage{"transformer.resblocks.$1.weight", 0}},
	{stageName(`text\.block(\d+\.attn)`), stage{"transformer.resblocks.$1.out_proj.weight", 0}},
	{stageName(`text\.block(\d+\.mlp)`), stage{"transformer.resblocks.$1.c_proj.weight", 0}},
	{stageName(`text\.block(\d+\.mlp\.c_(fc|proj))`), stage{"transformer.resblocks.$1.weight", 0}},
	{stageName(`text\.block(\d+\.mlp)\.gelu`), stage{"transformer.resblocks.$1.c_fc.weight", 1}},
}

func stageName(pattern string) *regexp.Regexp { return regexp.MustCompile("^" + pattern + "$") }

// compareStages compares the values inside a model's towers.
func compareStages(r *report, path, expected string) (err error) {
	want, err := openTensors(expected)
	if err != nil {
		return err
	}
	defer want.close()
	m, err := load(path, want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()

	names := slices.DeleteFunc(want.names(""), func(n string) bool { return n == "pixel_values" || n == "input_ids" })
	values, err := compute(func(g *G.ExprGraph) ([]*G.Node, error) {
		t, err := newTowers(g, m, want)
		if err != nil {
			return nil, err
		}
		nodes := make([]*G.Node, len(names))
		for i, name := range names {
			if nodes[i], err = t.find(name); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", want.path, name, err)
			}
		}
		return nodes, nil
	})
	if err != nil {
		return err
	}
	for i, name := range names {
		w, got := want.floats(name), values[i]
		switch shape := want.shape(name); {
		case len(shape) == 4 && len(got) == len(w):
			w = channelsLast(w, shape)
		case len(shape) == 3 && len(got) == shape[0]*shape[2]:
			w = pooledTokens(w, shape, pooled(name, m, want))
		}
		r.near(name, got, w, relIntermediates*largest(w))
	}
	return want.finish()
}

// towers is the graph of a model's towers.
type towers struct {
	g      *G.ExprGraph
	model  *encoder.Model
	params map[string]*nn.Param
}

// newTowers adds both towers to g, or one if the file has inputs for one.
func newTowers(g *G.ExprGraph, m *encoder.Model, want *tensors) (*towers, error) {
	t := &towers{g, m, make(map[string]*nn.Param)}
	if want.has("pixel_values") {
		x := leaf(g, "pixels", want.floats("pixel_values"), want.shape("pixel_values")...)
		if _, err := m.Vision().Forward(vision.Input{Pixels: x}); err != nil {
			return nil, err
		}
		t.add(m.Vision().Params())
	}
	if want.has("input_ids") {
		ids, shape, cfg := want.ids("input_ids"), want.shape("input_ids"), m.Config().Text
		if len(shape) != 2 || shape[1] < 1 {
			return nil, fmt.Errorf("%s: input_ids has shape %v", want.path, shape)
		}
		var last []int32
		for row := range slices.Chunk(ids, shape[1]) {
			last = append(last, int32(cfg.Row(row).Pooled))
		}
		if _, err := m.Text().Forward(text.Input{Tokens: leaf(g, "tokens", ids, shape...), Pooled: leaf(g, "pooled", last, len(last))}); err != nil {
			return nil, err
		}
		t.add(m.Text().Params())
	}
	return t, want.err
}

func (t *towers) add(params []*nn.Param) {
	for _, p := range params {
		t.params[p.Name] = p
	}
}

// text returns the configuration of a text tower of CLIP's family.
func (t *towers) text() text.Transformer {
	c, _ := t.model.Config().Text.(text.Transformer)
	return c
}

// find returns the node of a stage.
func (t *towers) find(name string) (*G.Node, error) {
	switch name {
	case "text.proj":
		if t.text().Proj == text.ProjLinear {
			return t.at(stage{"text_projection.weight", 0})
		}
		return t.at(stage{"text_projection", 0})
	case "text.pooled":
		if t.text().Pool == text.PoolMean {
			return t.at(stage{"ln_final.weight", 1})
		}
		return t.at(stage{"ln_final.weight", 0})
	case "text.ln_final":
		return t.lnFinal()
	}
	if layer, ok := strings.CutPrefix(name, "vision.layer"); ok && !strings.Contains(layer, ".") {
		last := -1
		for t.params[fmt.Sprintf("visual.layer%s.%d.bn3.weight", layer, last+1)] != nil {
			last++
		}
		name = fmt.Sprintf("%s.%d", name, last)
	}
	for _, s := range stages {
		if s.name.MatchString(name) {
			return t.at(stage{s.name.ReplaceAllString(name, s.param), s.hops})
		}
	}
	return nil, errors.New("a stage of an unknown name")
}

// at returns the node of s, which the graph must have exactly once.
func (t *towers) at(s stage) (*G.Node, error) {
	p := t.params[s.param]
	if p == nil {
		return nil, fmt.Errorf("the model has no parameter %s, or the file no input for its tower", s.param)
	}
	n := p.Node(t.g)
	for range 1 + s.hops {
		readers := t.g.To(n.ID())
		if !readers.Next() {
			return nil, fmt.Errorf("nothing in the graph reads %v", n)
		}
		n = readers.Node().(*G.Node)
		if readers.Next() {
			return nil, fmt.Errorf("several nodes of the graph read what leads from %s to this stage", s.param)
		}
	}
	return n, nil
}

// lnFinal normalises the last block's tokens as the reference does, which does so
// before it pools.
func (t *towers) lnFinal() (n *G.Node, err error) {
	cfg := t.text()
	if cfg.Pool == text.PoolMean {
		return t.at(stage{"ln_final.weight", 0})
	}
	x, err := t.find(fmt.Sprintf("text.block%d", cfg.Layers-1))
	if err != nil {
		return nil, err
	}
	defer nn.Catch(&err, "ln_final")
	// Parameters of its own, so that the tower's keep one reader.
	norm := nn.NewLayerNorm("ln_final", cfg.Width, cfg.NormEps)
	for _, p := range norm.Params() {
		p.Data = t.params[p.Name].Data
	}
	return norm.Forward(x), nil
}

// pooled returns the position of the pooled token in each sample: behind the
// attention of its last block a tower computes no other.
func pooled(name string, m *encoder.Model, want *tensors) func(sample int) int {
	if strings.HasPrefix(name, "vision.") || !want.has("input_ids") {
		return func(int) int { return 0 }
	}
	cfg, ids, length := m.Config().Text, want.ids("input_ids"), want.shape("input_ids")[1]
	return func(i int) int { return cfg.Row(ids[i*length:][:length]).Pooled }
}

// pooledTokens takes one token of each sample out of (B, L, W).
func pooledTokens(x []float32, shape []int, at func(sample int) int) []float32 {
	l, w := shape[1], shape[2]
	var y []float32
	for i := range shape[0] {
		y = append(y, x[(i*l+at(i))*w:][:w]...)
	}
	return y
}

// channelsLast reorders (B, C, H, W) as the towers have it.
func channelsLast(x []float32, shape []int) []float32 {
	c, area := shape[1], shape[2]*shape[3]
	y := make([]float32, len(x))
	for i, v := range x {
		y[(i/(c*area)*area+i%area)*c+i/area%c] = v
	}
	return y
}
