package train_test

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"image"
	"image/color"
	"math"
	"path/filepath"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/internal/letters"
	"github.com/goclip/goclip/loss"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/vision"
)

// fuse is shared by what a caller brings, and says which of it panics.
type fuse struct{ lit string }

func (f *fuse) at(place string) {
	if f.lit == place {
		panic("boom")
	}
}

// op is an identity that panics while the graph runs.
func (f *fuse) op(place string, x *G.Node) *G.Node {
	return nn.Apply(nn.Op{Name: place, Shape: x.Shape(), Backward: []nn.Pullback{nn.Through()}, Forward: func(y []float32, in nn.Inputs) {
		f.at(place)
		copy(y, in.F32(0))
	}}, x)
}

// What a caller may bring of his own, around what the module has.
type (
	ownVision struct {
		vision.ViT
		f *fuse
	}
	ownImageTower struct {
		vision.Tower
		f *fuse
	}
	ownText struct {
		text.Transformer
		f *fuse
	}
	ownTextTower struct {
		text.Tower
		f *fuse
	}
	ownTokenizer struct {
		letters.Tokenizer
		f *fuse
	}
	ownLoss struct {
		loss.InfoNCE
		f *fuse
	}
	ownImage struct {
		image.Image
		f *fuse
	}
	foreignOp struct {
		G.Op
		f *fuse
	}
)

func (c ownVision) New() (vision.Tower, error) {
	t, err := c.ViT.New()
	return ownImageTower{t, c.f}, err
}

func (t ownImageTower) Forward(in vision.Input) (*G.Node, error) {
	t.f.at("image tower")
	y, err := t.Tower.Forward(in)
	return t.f.op("op of the image tower", y), err
}

func (c ownText) New() (text.Tower, error) {
	t, err := c.Transformer.New()
	return ownTextTower{t, c.f}, err
}

func (c ownText) Row(ids []int32) text.Row {
	c.f.at("row")
	return c.Transformer.Row(ids)
}

func (t ownTextTower) Forward(in text.Input) (*G.Node, error) {
	t.f.at("text tower")
	return t.Tower.Forward(in)
}

func (t ownTokenizer) Encode(dst []int32, s string) (int, bool) {
	t.f.at("tokenizer")
	return t.Tokenizer.Encode(dst, s)
}

func (l ownLoss) Name() string {
	l.f.at("name")
	return "own"
}

func (l ownLoss) Chance(n int, smoothing float64) float64 {
	l.f.at("chance")
	return l.InfoNCE.Chance(n, smoothing)
}

func (l ownLoss) Forward(in loss.Input) (*G.Node, error) {
	l.f.at("loss")
	in.Image = l.f.op("op of the loss", in.Image)
	cost, err := l.InfoNCE.Forward(in)
	if err != nil || l.f.lit != "foreign op of the loss" && l.f.lit != "its gradient" {
		return cost, err
	}
	same, err := G.ApplyOp(foreignOp{G.Must(G.Neg(cost)).Op(), l.f}, cost)
	return G.Must(G.Add(cost, same)), err
}

func (o foreignOp) Do(in ...G.Value) (G.Value, error) {
	o.f.at("foreign op of the loss")
	return o.Op.Do(in...)
}
func (o foreignOp) WriteHash(h hash.Hash) { fmt.Fprintf(h, "foreign %p", o.f) }
func (o foreignOp) DiffWRT(n int) []bool  { return o.Op.(G.SDOp).DiffWRT(n) }
func (o foreignOp) SymDiff(in G.Nodes, y, dy *G.Node) (G.Nodes, error) {
	o.f.at("its gradient")
	return o.Op.(G.SDOp).SymDiff(in, y, dy)
}

func (p ownImage) At(x, y int) color.Color {
	p.f.at("image")
	return p.Image.At(x, y)
}

// own is the small model, of a caller's own parts.
func own(t *testing.T, f *fuse) *encoder.Model {
	t.Helper()
	cfg := model(t, 1).Config()
	cfg.Vision = ownVision{cfg.Vision.(vision.ViT), f}
	cfg.Text = ownText{cfg.Text.(text.Transformer), f}
	m, err := encoder.New(cfg, ownTokenizer{f: f}, 1)
	check(t, err)
	return m
}

var _ tokenizer.Tokenizer = ownTokenizer{}

// TestPanics: one in a caller's image, tokenizer, tower or loss is an error that
// names it and has the stack; no weight has moved, and the next step is as ever.
func TestPanics(t *testing.T) {
	for _, micro := range []int{0, 3} {
		for place, name := range map[string]string{
			"image":                  "train: 000001",
			"tokenizer":              "train: 000000: encoder: tokenizer",
			"row":                    "text tower",
			"image tower":            "train: image tower",
			"text tower":             "train: text tower",
			"op of the image tower":  "op of the image tower",
			"loss":                   "train: loss own",
			"op of the loss":         "op of the loss",
			"foreign op of the loss": "step 0",
			"its gradient":           "train: ",
			"name":                   "train: Loss",
		} {
			t.Run(fmt.Sprintf("%s by %d", place, micro), func(t *testing.T) {
				f := &fuse{}
				m, batch := own(t, f), pairs(t, 0, 8)
				for i := range batch {
					batch[i].Key = fmt.Sprintf("%06d", i)
				}
				batch[1].Image = ownImage{batch[1].Image, f}
				cfg := config(10)
				cfg.Loss, cfg.MicroBatch, cfg.Unsaved = ownLoss{f: f}, micro, true
				step := func() error {
					tr, err := train.New(m, cfg)
					if err == nil {
						_, err = tr.Step(context.Background(), batch)
					}
					return err
				}
				before := weights(m)
				f.lit = place
				err := step()
				for _, want := range []string{name, "panic: boom", "panics_test.go"} {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("got error %v, want …%s…", err, want)
					}
				}
				sameBits(t, "the weights", weights(m), before)
				f.lit = "chance" // which is no reason to end a training
				check(t, step())
			})
		}
	}
}

// TestPanicsOfATrainer: the one that met a panic goes on, with the weights of one
// that met none.
func TestPanicsOfATrainer(t *testing.T) {
	run := func(places ...string) []float32 {
		f := &fuse{}
		m := own(t, f)
		cfg := config(10)
		cfg.Loss, cfg.Unsaved = ownLoss{f: f}, true
		tr, err := train.New(m, cfg)
		check(t, err)
		for i := range 3 {
			for _, f.lit = range places {
				if _, err := tr.Step(context.Background(), pairs(t, 8*i, 8)); err == nil {
					t.Errorf("a panic of the %s is no error", f.lit)
				}
			}
			f.lit = ""
			_, err := tr.Step(context.Background(), pairs(t, 8*i, 8))
			check(t, err)
		}
		return weights(m)
	}
	sameBits(t, "weights", run("op of the image tower", "tokenizer", "op of the loss"), run())
}

// TestPanicOfATeacher and one of the tokenizer while a run is described.
func TestPanicOfATeacher(t *testing.T) {
	f := &fuse{}
	cfg := config(1)
	cfg.Teacher = own(t, f)
	tr, err := train.New(model(t, 1), cfg)
	check(t, err)
	f.lit = "tokenizer"
	if _, err = tr.Step(context.Background(), pairs(t, 0, 4)); err == nil || !strings.Contains(err.Error(), "train: teacher: ") {
		t.Errorf("got error %v, want one of the teacher", err)
	}
	f.lit = ""
	cfg.Teacher, cfg.Unsaved = nil, true
	tr, err = train.New(own(t, f), cfg)
	check(t, err)
	f.lit = "tokenizer"
	folder := train.Checkpoints{Dir: t.TempDir()}
	if err := folder.Save(tr, dataset.Cursor{}); err == nil || !strings.Contains(err.Error(), "encoder: tokenizer: caption") || !strings.Contains(err.Error(), "panic: boom") {
		t.Errorf("got error %v, want one of the tokenizer", err)
	}
}

// TestCollisions: a graph of which two nodes have one hash is built again; where that
// never helps the step is an error.
func TestCollisions(t *testing.T) {
	for _, times := range []int{1, 1 << 30} {
		builds := 0
		cfg := config(1)
		cfg.Loss = made{"unlucky", func(in loss.Input) (*G.Node, error) {
			g := in.Image.Graph()
			a, b := "a", "b"
			if builds++; builds <= times {
				a, b = colliding(t, g)
			}
			x, y := nn.Leaf(g, a, make([]float32, 3), 3), nn.Leaf(g, b, make([]float32, 3), 3)
			zero := G.Must(G.Sum(G.Must(G.Add(x, y))))
			cost, err := loss.InfoNCE{}.Forward(in)
			if err != nil {
				return nil, err
			}
			return G.Add(cost, zero)
		}}
		tr, err := train.New(model(t, 1), cfg)
		check(t, err)
		_, err = tr.StepBatch(context.Background(), noise(model(t, 1), 4))
		if times == 1 && (err != nil || builds != 2) {
			t.Errorf("after a collision: %d builds and error %v, want 2 and none", builds, err)
		}
		if times > 1 && (!errors.Is(err, nn.ErrCollision) || builds > 20) {
			t.Errorf("collisions without end: %d builds and error %v, want a few and %v", builds, err, nn.ErrCollision)
		}
	}
}

// colliding returns two names whose leaves of 3 numbers have one hash in g.
func colliding(t *testing.T, g *G.ExprGraph) (a, b string) {
	t.Helper()
	probe := nn.Leaf(G.NewGraph(), "probe", make([]float32, 3), 3)
	seen := make(map[uint32]string)
	for i := range 1 << 19 { // of so many names some 30 pairs collide
		name := fmt.Sprintf("%x", uint64(i)*0x9e3779b97f4a7c15)
		h := fnv.New32a()
		fmt.Fprintf(h, "%v%v%p %s\x00", probe.Type(), probe.Shape(), g, name) // as gorgonia's Node.WriteHash
		if other, ok := seen[h.Sum32()]; ok {
			return other, name
		}
		seen[h.Sum32()] = name
	}
	t.Fatal("found no names that collide")
	return "", ""
}

// TestClosedModel: a trainer of a closed model computes nothing with weights that may
// be gone, and goes on with none.
func TestClosedModel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	check(t, model(t, 1).Save(dir))
	m, err := encoder.Load(dir, &encoder.Options{Tokenizer: letters.Tokenizer{}})
	check(t, err)
	check(t, m.AddLoRA(encoder.LoRA{Rank: 2}, 1))
	cfg := config(10)
	cfg.Unsaved = true
	tr, err := train.New(m, cfg)
	check(t, err)
	batch, err := tr.Prepare(pairs(t, 0, 8))
	check(t, err)
	_, err = tr.StepBatch(context.Background(), batch)
	check(t, err)
	check(t, m.Close())
	checkpoints := train.Checkpoints{Dir: t.TempDir()}
	for what, f := range map[string]func() error{
		"New":       func() error { _, err := train.New(m, cfg); return err },
		"Prepare":   func() error { _, err := tr.Prepare(pairs(t, 0, 8)); return err },
		"StepBatch": func() error { _, err := tr.StepBatch(context.Background(), batch); return err },
		"Averaged":  func() error { return tr.Averaged(func() error { return nil }) },
		"Save":      func() error { return checkpoints.Save(tr, dataset.Cursor{}) },
	} {
		if err := f(); !errors.Is(err, encoder.ErrClosed) {
			t.Errorf("%s: got error %v, want ErrClosed", what, err)
		}
	}
	_, err = train.New(nil, cfg)
	if err == nil || err.Error() != "train: encoder: the model is nil" {
		t.Errorf("New(nil): got error %v", err)
	}
	_, err = new(train.Trainer).StepBatch(context.Background(), batch)
	if err == nil || err.Error() != "train: encoder: the model is nil" {
		t.Errorf("the zero Trainer: got error %v", err)
	}
}

// TestRates: a learning rate that is no number leaves the weights as they were, as does
// a schedule that panics.
func TestRates(t *testing.T) {
	for want, lr := range map[string]train.Schedule{
		"train: step 0: LR: it is NaN":   func(int) float64 { return math.NaN() },
		"train: step 0: LR: it is +Inf":  func(int) float64 { return math.Inf(1) },
		"train: step 0: LR: it is -1":    func(int) float64 { return -1 },
		"train: step 0: LR: panic: boom": func(int) float64 { panic("boom") },
	} {
		m := model(t, 1)
		before := weights(m)
		cfg := config(10)
		cfg.LR = lr
		tr, err := train.New(m, cfg)
		check(t, err)
		_, err = tr.Step(context.Background(), pairs(t, 0, 8))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got error %v, want %s…", err, want)
		}
		sameBits(t, "the weights", weights(m), before)
	}
}
