package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

// Tolerances of a training. The later ones are wider where the temperature
// starts above its bound.
const (
	absLoss      = 1e-5
	relGradients = 1e-5
	absGradients = 1e-6

	absLossAfter, absLossAfterClamp = 1e-4, 1e-3
	absParams, absParamsClamp       = 5e-5, 1e-3
)

// gradientCases finds the trainings by their CASE.json, and the losses.
func gradientCases(root string) ([]testCase, error) {
	dir := filepath.Join(root, "gradients")
	known := map[string]bool{"losses.json": true, "losses.safetensors": true}
	var cases []testCase
	for _, file := range list(dir) {
		name, ok := strings.CutSuffix(file, ".json")
		if !ok || name == "losses" {
			continue
		}
		known[file] = true
		id := "gradients/" + name
		s, err := readSetting(filepath.Join(dir, file))
		if err != nil {
			cases = append(cases, broken("training", id, err))
			continue
		}
		for _, suffix := range []string{"init", "grads", "adamw", "adamw_newrule"} {
			known[name+"."+suffix+".safetensors"] = true
		}
		cases = append(cases, testCase{"training", id + " gradients", s.compareGradients})
		cases = append(cases, testCase{"training", id + " adamw", func(ctx context.Context, r *report) error {
			return s.compareSteps(ctx, r, "adamw", s.LossBefore, s.LossAfter, s.LogitScaleAfter)
		}})
		if s.NewruleLossAfter != nil || exists(s.path("adamw_newrule")) {
			cases = append(cases, testCase{"training", id + " adamw_newrule", func(ctx context.Context, r *report) error {
				return s.compareSteps(ctx, r, "adamw_newrule", nil, s.NewruleLossAfter, nil)
			}})
		}
	}
	cases = append(cases, strangers(dir, "training", "gradients", func(file string) bool { return known[file] })...)
	if exists(filepath.Join(dir, "losses.safetensors")) || exists(filepath.Join(dir, "losses.json")) {
		losses, err := lossCases(dir)
		if err != nil {
			losses = []testCase{broken("losses", "gradients/losses", err)}
		}
		cases = append(cases, losses...)
	}
	return cases, nil
}

// setting is CASE.json: a model in the reference's short names, an optimizer
// and numbers that the tensors beside it have too.
type setting struct {
	stem string // the path without .json

	Init  string
	Model struct {
		VW, VH, VL, P, TW, TH, TL, Ctx, Vocab, D, VMLP, TMLP int
		Img                                                  json.RawMessage
	}
	Heads      string
	Activation nn.Activation
	Optimizer  struct {
		Name        string
		LR          float64
		Betas       [2]float64
		Eps         float64
		WeightDecay float64    `json:"weight_decay"`
		Steps       int        `json:"steps"`
		Clamp       [2]float64 `json:"clamp_logit_scale"`
	}
	DecayRule        string `json:"decay_rule"`
	Newrule          string
	Loss             *float64
	LossBefore       []float64 `json:"loss_before"`
	LossAfter        []float64 `json:"loss_after"`
	LogitScaleAfter  []float64 `json:"logit_scale_after"`
	NewruleLossAfter []float64 `json:"newrule_loss_after"`
}

func readSetting(path string) (*setting, error) {
	s := &setting{stem: strings.TrimSuffix(path, ".json")}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	if err == nil {
		err = s.validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// validate refuses what the trainings here do not do.
func (s *setting) validate() error {
	o := s.Optimizer
	switch {
	case o.Name != "AdamW":
		return fmt.Errorf("optimizer.name is %q, want AdamW", o.Name)
	case o.Clamp[0] != 0:
		return fmt.Errorf("optimizer.clamp_logit_scale starts at %g, want 0", o.Clamp[0])
	case o.Steps < 1 || o.Steps > 1000:
		return fmt.Errorf("optimizer.steps is %d, want 1 to 1000", o.Steps)
	case !strings.HasPrefix(s.DecayRule, "p.ndim >= 2"):
		return fmt.Errorf("decay_rule is %q, want p.ndim >= 2", s.DecayRule)
	case s.Heads != "width//64" && (s.Model.VH == 0 || s.Model.TH == 0):
		return fmt.Errorf("heads is %q, want width//64", s.Heads)
	}
	return nil
}

func (s *setting) path(suffix string) string { return s.stem + "." + suffix + ".safetensors" }

// config is the model's configuration: OpenAI's ViT.
func (s *setting) config() (encoder.Config, error) {
	m := s.Model
	size, err := imageSize(m.Img)
	heads := func(given, width int) int {
		if given == 0 {
			return width / 64
		}
		return given
	}
	ratio := func(mlp, width int) float64 { return float64(mlp) / float64(max(width, 1)) }
	c := encoder.Config{Preprocess: vision.CLIPPreprocess(size[0])}
	c.Preprocess.Size = size
	c.Vision = vision.ViT{
		ImageSize: size, PatchSize: m.P, Width: m.VW, Layers: m.VL, Heads: heads(m.VH, m.VW), EmbedDim: m.D,
		MLPRatio: ratio(m.VMLP, m.VW), Activation: s.Activation, NormEps: 1e-5, Pool: vision.PoolClass,
	}
	c.Text = text.Transformer{
		ContextLength: m.Ctx, VocabSize: m.Vocab, Width: m.TW, Layers: m.TL, Heads: heads(m.TH, m.TW), EmbedDim: m.D,
		MLPRatio: ratio(m.TMLP, m.TW), Activation: s.Activation, NormEps: 1e-5, Mask: text.MaskCausal, Pool: text.PoolArgmax,
	}
	return c, err
}

// start matches the setting's init: a file, and perhaps one number replaced.
var start = regexp.MustCompile(`^(\S+\.safetensors)(?: with (\S+) = (\S+))?$`)

// model returns the model at the start of the training, and whether the file of
// its weights is the case's own.
func (s *setting) model() (m *encoder.Model, own bool, err error) {
	cfg, err := s.config()
	if err != nil {
		return nil, false, err
	}
	parts := start.FindStringSubmatch(s.Init)
	if parts == nil {
		return nil, false, fmt.Errorf("init is %q, want FILE.safetensors or FILE.safetensors with NAME = NUMBER", s.Init)
	}
	if m, err = encoder.New(cfg, nil, 0); err != nil {
		return nil, false, err
	}
	init, err := openTensors(filepath.Join(filepath.Dir(s.stem), filepath.Base(parts[1])))
	if err != nil {
		return nil, false, err
	}
	defer init.close()
	replaced := parts[2] == ""
	for _, p := range m.Params() {
		x, shape := init.floats(p.Name), init.shape(p.Name)
		if init.err == nil && !slices.Equal(shape, p.Shape) {
			return nil, false, fmt.Errorf("%s: %s has shape %v, want %v", init.path, p.Name, shape, p.Shape)
		}
		copy(p.Data, x)
		if p.Name == parts[2] {
			v, err := strconv.ParseFloat(parts[3], 32)
			if err != nil {
				return nil, false, fmt.Errorf("init is %q: %w", s.Init, err)
			}
			for i := range p.Data {
				p.Data[i] = float32(v)
			}
			replaced = true
		}
	}
	if !replaced {
		return nil, false, fmt.Errorf("init is %q: the model has no such parameter", s.Init)
	}
	return m, parts[2] == "" && init.path == s.path("init"), init.finish()
}

// trainer returns a trainer of the setting's model.
func (s *setting) trainer(m *encoder.Model, noDecay []string) (*train.Trainer, error) {
	o := s.Optimizer
	return train.New(m, train.Config{
		LR: train.Constant(o.LR, 0), Beta1: o.Betas[0], Beta2: o.Betas[1], Eps: o.Eps, WeightDecay: o.WeightDecay,
		NoDecay: noDecay, MaxLogitScale: math.Exp(o.Clamp[1]), Loss: loss.InfoNCE{},
	})
}

// batch reads the one batch that all steps see.
func (s *setting) batch(m *encoder.Model, f *tensors) (*train.Batch, error) {
	b := &train.Batch{Pixels: f.floats("pixel_values"), Tokens: f.ids("input_ids")}
	if err := fits(m, f); err != nil {
		return nil, err
	}
	b.N = f.shape("pixel_values")[0]
	return b, nil
}

// fits checks the shapes of a model's inputs, which a multiple of them would hide.
func fits(m *encoder.Model, want *tensors) error {
	cfg := m.Config()
	size := cfg.Vision.Dims().ImageSize
	pixels, ids := want.shape("pixel_values"), want.shape("input_ids")
	switch {
	case want.err != nil:
		return want.err
	case len(pixels) != 4 || !slices.Equal(pixels[1:], []int{3, size[0], size[1]}):
		return wrongInput(want, "pixel_values", "(B, 3, %d, %d)", size[0], size[1])
	case len(ids) != 2 || ids[1] != cfg.Text.Dims().ContextLength:
		return wrongInput(want, "input_ids", "(B, %d)", cfg.Text.Dims().ContextLength)
	}
	return nil
}

func (s *setting) compareGradients(ctx context.Context, r *report) error {
	m, own, err := s.model()
	if err != nil {
		return err
	}
	f, err := openTensors(s.path("grads"))
	if err != nil {
		return err
	}
	defer f.close()
	b, err := s.batch(m, f)
	if err != nil {
		return err
	}
	t, err := s.trainer(m, nil)
	if err != nil {
		return err
	}
	stats, err := t.StepBatch(ctx, b)
	if err != nil {
		return err
	}
	r.number("loss", stats.Loss, f.scalar("loss"), absLoss)
	if s.Loss != nil {
		r.number("loss in the JSON file", stats.Loss, *s.Loss, absLoss)
	}
	for _, p := range m.Params() {
		// A case that shares the start of another may leave gradients out.
		if name := "grad/" + p.Name; own || f.has(name) {
			want := f.floats(name)
			r.near(name, t.Gradient(p.Name), want, relGradients*largest(want)+absGradients)
		}
	}
	return f.finish()
}

// compareSteps repeats the training. Numbers that the JSON file has not are nil.
func (s *setting) compareSteps(ctx context.Context, r *report, rule string, before, after, scales []float64) error {
	m, own, err := s.model()
	if err != nil {
		return err
	}
	var noDecay []string
	if rule == "adamw_newrule" {
		if noDecay, own = s.exempt(m), false; noDecay == nil {
			return fmt.Errorf("newrule is %q, which names no parameter", s.Newrule)
		}
	}
	tolLoss, tolParams := absLossAfter, absParams
	if float64(m.LogitScale().Data[0]) > s.Optimizer.Clamp[1] {
		tolLoss, tolParams = absLossAfterClamp, absParamsClamp
	}
	got, err := s.steps(ctx, m, noDecay)
	if err != nil {
		return err
	}
	r.listed("loss_before", got.before, before, tolLoss)
	r.listed("loss_after", got.after, after, tolLoss)
	r.listed("logit_scale_after", got.scales, scales, tolParams)
	if rule == "adamw_newrule" && !exists(s.path(rule)) {
		return nil
	}
	f, err := openTensors(s.path(rule))
	if err != nil {
		return err
	}
	defer f.close()
	r.near("loss_before", narrow(got.before), f.floats("loss_before"), tolLoss)
	r.near("loss_after", narrow(got.after), f.floats("loss_after"), tolLoss)
	if f.has("loss_after_f64") {
		r.near("loss_after_f64", narrow(got.after), f.floats("loss_after_f64"), tolLoss)
	}
	r.near("logit_scale_after", narrow(got.scales), f.floats("logit_scale_after"), tolParams)
	for _, p := range m.Params() {
		if name := "final/" + p.Name; own || f.has(name) {
			s.compareFinal(r, name, got.params[p.Name], f.floats(name), tolParams)
		}
	}
	return f.finish()
}

// compareFinal compares a parameter. The key third of a bias of attention has a
// gradient of zero but for noise, which AdamW divides by its own size.
func (s *setting) compareFinal(r *report, name string, got, want []float32, tol float64) {
	if n := len(want) / 3; strings.HasSuffix(name, ".attn.in_proj_bias") && len(got) == len(want) {
		r.near(name+" (query)", got[:n], want[:n], tol)
		r.near(name+" (key)", got[n:2*n], want[n:2*n], s.Optimizer.LR*float64(s.Optimizer.Steps))
		r.near(name+" (value)", got[2*n:], want[2*n:], tol)
		return
	}
	r.near(name, got, want, tol)
}

// exempt returns the parameters that the newer rule does not decay either: all
// whose names its description has.
func (s *setting) exempt(m *encoder.Model) []string {
	words := strings.FieldsFunc(s.Newrule, func(r rune) bool { return strings.ContainsRune(" ,;()", r) })
	var names []string
	for _, p := range m.Params() {
		if slices.Contains(words, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// course is what a training went through.
type course struct {
	before, after, scales []float64
	params                map[string][]float32
}

func (s *setting) steps(ctx context.Context, m *encoder.Model, noDecay []string) (*course, error) {
	f, err := openTensors(s.path("grads"))
	if err != nil {
		return nil, err
	}
	defer f.close()
	b, err := s.batch(m, f)
	if err != nil {
		return nil, err
	}
	t, err := s.trainer(m, noDecay)
	if err != nil {
		return nil, err
	}
	c := &course{params: make(map[string][]float32)}
	for range s.Optimizer.Steps {
		stats, err := t.StepBatch(ctx, b)
		if err != nil {
			return nil, err
		}
		c.before = append(c.before, stats.Loss)
		c.scales = append(c.scales, float64(m.LogitScale().Data[0]))
	}
	for _, p := range m.Params() {
		c.params[p.Name] = slices.Clone(p.Data)
	}
	// A further step, for the loss that the last one led to.
	stats, err := t.StepBatch(ctx, b)
	c.after = append(slices.Clone(c.before[1:]), stats.Loss)
	return c, err
}

// listed compares with numbers of a JSON file, if it has them.
func (r *report) listed(what string, got, want []float64, tol float64) {
	if want != nil {
		r.near(what+" in the JSON file", narrow(got), narrow(want), tol)
	}
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// imageSize reads one side or two.
func imageSize(raw json.RawMessage) (size [2]int, err error) {
	if side := 0; json.Unmarshal(raw, &side) == nil {
		return [2]int{side, side}, nil
	}
	if err := json.Unmarshal(raw, &size); err != nil {
		return size, errors.New("the image size is neither a number nor two")
	}
	return size, nil
}
