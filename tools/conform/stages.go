package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/vision"
)

// inputNames are the tensors that are no stages.
var inputNames = []string{"pixel_values", "input_ids", "attention_mask", "token_type_ids", "pixel_attention_mask", "spatial_shapes"}

// stageFile is a file of stages with the input that they are of.
type stageFile struct {
	*tensors
	input         *tensors // the file itself, or the model's activations
	images, texts int      // how many of the input's pictures and rows; 0 means all
}

// compareStages compares the values inside a model's towers. The input is in the file
// itself, or else it is the first picture and the first two texts of another.
func compareStages(r *report, path, stages, activations string) (err error) {
	want, err := openTensors(stages)
	if err != nil {
		return err
	}
	defer want.close()
	f := &stageFile{tensors: want, input: want}
	if activations != stages {
		if f.input, err = openTensors(activations); err != nil {
			return err
		}
		defer f.input.close()
		f.images, f.texts = 1, 2
	}
	m, err := load(path, f.input)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	return m.compareStages(r, f, relIntermediates)
}

// compareStages compares all stages of a file.
func (m *model) compareStages(r *report, f *stageFile, relative float64) error {
	if f.images > 0 {
		relative = relStages
	}
	names := slices.DeleteFunc(f.names(""), func(n string) bool { return slices.Contains(inputNames, n) || m.unused(n) })
	for _, name := range f.names("") {
		f.read[name] = f.read[name] || m.unused(name)
	}
	if f.has("attention_mask") {
		f.ids("attention_mask") // which the tower must find for itself
	}
	shapes := make([][]int, len(names))
	values, err := compute(func(g *G.ExprGraph) ([]*G.Node, error) {
		t, err := newTowers(g, m, f, false)
		if err != nil {
			return nil, err
		}
		nodes := make([]*G.Node, len(names))
		for i, name := range names {
			if nodes[i], err = t.find(stageOf(name)); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", f.path, name, err)
			}
			shapes[i] = t.shape(stageOf(name), nodes[i])
		}
		return nodes, nil
	})
	if err != nil {
		return err
	}
	var picked []string
	for i, name := range names {
		if len(shapes[i]) == 2 && (part(name) || len(f.shape(name)) == 3) && m.onlyPooled(stageOf(name)) {
			picked = append(picked, name)
		}
	}
	every, err := m.everyToken(f, picked)
	if err != nil {
		return err
	}
	for i, name := range names {
		got := values[i]
		if all := every[name]; all != nil {
			got = all
		}
		m.compareStage(r, f, name, got, shapes[i], relative)
	}
	return f.finish()
}

// unused reports whether no feature depends on a stage, which is not computed then: BERT's
// pooler in ALIGN.
func (m *model) unused(stage string) bool {
	_, align := m.encoder.Config().Vision.(vision.EfficientNet)
	return align && stage == "text.pooler"
}

// A stage of many numbers is stored as the first of them and its norm.
const (
	firstOf = ":first"
	normOf  = ":norm"
)

func part(name string) bool {
	return strings.HasSuffix(name, firstOf) || strings.HasSuffix(name, normOf)
}

func stageOf(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, firstOf), normOf)
}

// compareStage compares one stage with the node's value, of the given shape; nil stands for
// the shape that is stored.
func (m *model) compareStage(r *report, f *stageFile, name string, got []float32, shape []int, relative float64) {
	if len(shape) == 4 {
		got = channelsFirst(got, shape)
	}
	// Of its last block a tower may compute the class token alone, the first of the
	// sequence: its numbers are compared, and its norm is no more than that of all.
	classOnly := part(name) && strings.HasPrefix(name, "vis") && len(shape) == 2
	switch want := f.floats(name); {
	case strings.HasSuffix(name, normOf):
		var sum float64
		for _, v := range got {
			sum += float64(v) * float64(v)
		}
		got, norm := math.Sqrt(sum), f.scalar(name)
		if classOnly && got < norm {
			got = norm
		}
		// The norm of the differences is as many times smaller as each of them.
		r.number(name, got, norm, relative*norm)
	case strings.HasSuffix(name, firstOf):
		n := min(len(got), len(want))
		if classOnly {
			want = want[:n]
		}
		r.near(name, got[:n], want, relative*largest(want))
	default:
		switch s := f.shape(name); {
		case shape == nil:
		case len(s) == 4 && len(shape) != 4 && len(got) == len(want):
			want = channelsLast(want, s)
		case len(s) == 3 && len(got) == s[0]*s[2] && len(got) != len(want):
			want = pooledTokens(want, s, m.pooled(name, f, s[1]))
		}
		r.near(name, got, want, relative*largest(want))
	}
}

// hidden compares last_hidden_state, the tokens that a tower of its own returns.
func (m *model) hidden(r *report, want *tensors) error {
	name := "text.last_hidden_state"
	if !want.has("input_ids") {
		name = lastVisionStage(m.encoder.Vision().Params())
	}
	f := &stageFile{tensors: want, input: want}
	var shape []int
	values, err := compute(func(g *G.ExprGraph) ([]*G.Node, error) {
		t, err := newTowers(g, m, f, false)
		if err != nil {
			return nil, err
		}
		n, err := t.find(name)
		if err != nil {
			return nil, fmt.Errorf("last_hidden_state: %w", err)
		}
		shape = n.Shape()
		return []*G.Node{n}, nil
	})
	if err != nil {
		return err
	}
	m.compareStage(r, f, "last_hidden_state", values[0], shape, relIntermediates)
	return want.err
}

// towers is the graph of a model's towers.
type towers struct {
	g       *G.ExprGraph
	model   *encoder.Model
	params  map[string]*nn.Param
	outputs map[string]*G.Node // of the towers, "visual" and "text"
}

// newTowers adds both towers to g, or one if the file has inputs for one. With every,
// the rows are repeated as often as they are long, and each is pooled at another of its
// positions.
func newTowers(g *G.ExprGraph, m *model, f *stageFile, every bool) (*towers, error) {
	t := &towers{g, m.encoder, make(map[string]*nn.Param), make(map[string]*G.Node)}
	in := f.input
	if in.has("pixel_values") && !every {
		pixels, shape := firstRows(in.floats("pixel_values"), in.shape("pixel_values"), f.images)
		input := vision.Input{Pixels: nn.Leaf(g, "pixels", pixels, shape...)}
		if in.has("spatial_shapes") {
			grids, rows := firstRows(in.ids("spatial_shapes"), in.shape("spatial_shapes"), f.images)
			in.ids("pixel_attention_mask") // which follows from them
			input = vision.Input{Patches: input.Pixels, Grid: nn.Leaf(g, "grids", grids, rows...)}
		}
		tower := m.encoder.Vision()
		if tower == nil {
			return nil, notSupported("pixel_values: the model was loaded without an image tower")
		}
		out, err := tower.Forward(input)
		if err != nil {
			return nil, err
		}
		t.add("visual", out, tower.Params())
	}
	if in.has("input_ids") {
		ids, shape := firstRows(in.ids("input_ids"), in.shape("input_ids"), f.texts)
		if len(shape) != 2 || shape[1] < 1 {
			return nil, fmt.Errorf("%s: input_ids has shape %v", in.path, shape)
		}
		tower := m.encoder.Text()
		if tower == nil {
			return nil, notSupported("input_ids: the model was loaded without a text tower")
		}
		var rows, kinds, last []int32
		types := make([]int32, len(ids))
		if in.has("token_type_ids") {
			types, _ = firstRows(in.ids("token_type_ids"), in.shape("token_type_ids"), f.texts)
		}
		for row := range slices.Chunk(ids, shape[1]) {
			at := []int32{int32(tower.Config().Row(row).Pooled)}
			if every {
				at = at[:0]
				for i := range row {
					at = append(at, int32(i))
				}
			}
			last = append(last, at...)
			kinds = append(kinds, slices.Repeat(types[:shape[1]], len(at))...)
			rows, types = append(rows, slices.Repeat(row, len(at))...), types[shape[1]:]
		}
		leaves := text.Input{Tokens: nn.Leaf(g, "tokens", rows, len(last), shape[1]), Pooled: nn.Leaf(g, "pooled", last, len(last))}
		if in.has("token_type_ids") {
			leaves.Types = nn.Leaf(g, "types", kinds, len(last), shape[1])
		}
		out, err := tower.Forward(leaves)
		if err != nil {
			return nil, err
		}
		t.add("text", out, tower.Params())
	}
	return t, in.err
}

// firstRows cuts n of the rows of x off; 0 means all.
func firstRows[T any](x []T, shape []int, n int) ([]T, []int) {
	if n == 0 || len(shape) == 0 || n >= shape[0] {
		return x, shape
	}
	return x[:len(x)/shape[0]*n], append([]int{n}, shape[1:]...)
}

func (t *towers) add(tower string, out *G.Node, params []*nn.Param) {
	t.outputs[tower] = out
	for _, p := range params {
		t.params[p.Name] = p
	}
}

// onlyPooled reports whether the text tower computes a stage of the pooled token alone,
// and what it computes of a token does not depend on which that is.
func (m *model) onlyPooled(name string) bool {
	cfg, ok := m.encoder.Config().Text.(text.Transformer)
	return ok && cfg.Mask != text.MaskPadding && !strings.HasPrefix(name, "vis") &&
		(strings.Contains(name, ".resblocks.") || strings.HasSuffix(name, "ln_final"))
}

// everyToken returns stages of all tokens where the tower computes them of the pooled one
// alone: it is run once for each position.
func (m *model) everyToken(f *stageFile, names []string) (map[string][]float32, error) {
	if len(names) == 0 {
		return nil, nil
	}
	values, err := compute(func(g *G.ExprGraph) ([]*G.Node, error) {
		t, err := newTowers(g, m, f, true)
		if err != nil {
			return nil, err
		}
		// A stage that is stored in two parts is one node.
		nodes, at := []*G.Node{}, make(map[string]*G.Node)
		for _, name := range names {
			stage := stageOf(name)
			if at[stage] == nil {
				if at[stage], err = t.find(stage); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", f.path, name, err)
				}
			}
			nodes = append(nodes, at[stage])
		}
		return nodes, nil
	})
	if err != nil {
		return nil, err
	}
	all := make(map[string][]float32)
	for i, name := range names {
		all[name] = values[i]
	}
	return all, nil
}

// pooled returns the position of the pooled token in each sample of so many, the class
// token of a picture, and CoCa's behind the caption: behind the attention of its last block a tower computes no other, and where
// [model.everyToken] cannot help no other is compared.
func (m *model) pooled(name string, f *stageFile, tokens int) func(sample int) int {
	if strings.HasPrefix(name, "vis") || !f.input.has("input_ids") {
		return func(int) int { return 0 }
	}
	cfg, ids, length := m.encoder.Config().Text, f.input.ids("input_ids"), f.input.shape("input_ids")[1]
	if tokens > length {
		return func(int) int { return tokens - 1 }
	}
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

// channelsFirst reorders the towers' (B, H, W, C) as the reference has it.
func channelsFirst(x []float32, shape []int) []float32 {
	area, c := shape[1]*shape[2], shape[3]
	y := make([]float32, len(x))
	for i, v := range x {
		y[(i/(c*area)*c+i%c)*area+i/c%area] = v
	}
	return y
}
